"""docs/architecture.schema.json and docs/architecture.md agree with the layers and with `Architecture.from_dict`."""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import convscope as cs
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.base.errors import ConvscopeError

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(json.loads((DOCS / "architecture.schema.json").read_text(encoding="utf-8")))


def example() -> Any:
    return json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])  # type: ignore[index]  # there is one


@pytest.mark.parametrize("name", cs.presets.PRESETS)
def test_every_preset_is_valid(name: str):
    VALIDATOR.validate(cs.presets.PRESETS[name]((32, 24, 3), 7).to_dict())


def test_the_example_of_the_page_is_valid_and_can_be_built():
    VALIDATOR.validate(example())
    assert cs.Architecture.from_dict(example()).num_classes == 10


@pytest.mark.parametrize(
    "change",
    [
        {"layers": []}, {"input": {"height": 28}}, {"input": {"height": 0, "width": 28}},
        {"input": {"height": 28, "width": 28, "depth": 3}}, {"layers": [{"kind": "Conv3D"}]},
        {"layers": [{"filters": 8}]}, {"layers": [{"kind": "Conv2D"}]},
        {"layers": [{"kind": "Conv2D", "filters": 8, "kernel_size": [3, 3, 3]}]},
        {"layers": [{"kind": "Conv2D", "filters": "8"}]}, {"layers": [{"kind": "Conv2D", "filters": 8, "dilation": 2}]},
        {"layers": [{"kind": "Dense", "units": 10, "activation": "mish"}]},
        {"layers": [{"kind": "Dropout", "rate": 1.0}]}, {"layers": [{"kind": "Add"}]}, {"layers": [{"kind": "Branch"}]},
        {"layers": [{"kind": "Flatten", "name": "a-b"}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_file_is_refused_by_the_schema_and_by_the_reader(change: dict[str, Any]):
    wrong = {**example(), **change}
    assert not VALIDATOR.is_valid(wrong)
    with pytest.raises(ConvscopeError):
        cs.Architecture.from_dict(wrong)


@pytest.mark.parametrize("kind", LAYER_KINDS)
def test_the_page_describes_every_argument_of_a_layer_with_its_default(kind: str):
    section = PAGE.partition(f"\n### {kind}\n")[2].partition("\n##")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section, re.MULTILINE))
    known = [field for field in fields(LAYER_KINDS[kind]) if field.name != "name"]
    assert list(rows) == [field.name for field in known]
    for field in known:
        shown = rows[field.name].strip("`")
        if field.default is MISSING:
            assert shown == "required"
        elif field.default is not None:
            plain = json.loads(json.dumps(field.default))
            assert shown == (plain if isinstance(plain, str) else json.dumps(plain)), field.name
