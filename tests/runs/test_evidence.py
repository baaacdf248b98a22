"""The file of each topic is read back unchanged, and refused with a change anywhere in it."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from convscope.base.errors import RunError
from convscope.base.records import decode
from convscope.export import Parity, ParityTable
from convscope.runs.topics import TOPICS

ARCHIVE = Path(__file__).parents[1] / "storage" / "corpus" / "0.1.0.zip"
# Fields that files of some versions lack.
OPTIONAL = {
    "weights_sha256", "directions", "offset", "inputs", "example", "num_made_up", "made_up", "mean_made_up",
    "histogram", "edges", "trustworthiness", "class_wise_ece", "mce", "mce_num_images", "optimal_aurc", "excess_aurc",
    "known_errors", "low", "chance_accuracy", "by_class", "mean_accuracy_interval", "mean_accuracy_mnist_c_interval",
    "median_epsilon_interval", "neighbours",
}  # fmt: skip
BY_NAME = {"layer_kinds", "left_out", "made_up", "thresholds", "medians", "examples"}  # objects whose keys are data
PARITY = Parity(
    format="onnx", dtype="float32", file="model.onnx", num_bytes=9, runtime="ONNX Runtime", num_images=5,
    largest_difference=0.1, largest_logit=9.5, num_changed=1, accuracy=0.6, model_accuracy=0.8, image_seconds=0.001,
    thousand_seconds=None,
)  # fmt: skip


def read_stored_text(topic: str) -> str:
    if topic == "exports":
        return json.dumps(replace(ParityTable(rows=(PARITY,)), weights_sha256="0" * 64).to_dict())
    with zipfile.ZipFile(ARCHIVE) as archive:
        return archive.read(f"measured/{topic}.json").decode()


def list_entries(value: Any, name: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield (container, key, name of the container) for each entry in `value`; of a list only for the first one."""
    if isinstance(value, dict):
        for key, inner in list(value.items()):
            yield value, key, name
            # Rules such as "energy+image_statistics" have the same fields, so the first rule is enough.
            is_like_first = "+" in key and key != next(iter(value))
            # These fields are of earlier versions, kept as they are.
            if (name, key) not in (("", "inputs"), ("", "example"), ("", "known_errors")) and not is_like_first:
                yield from list_entries(inner, key)
    elif isinstance(value, list) and value:
        yield value, 0, name
        yield from list_entries(value[0], name)


def change_each_entry(value: Any) -> Iterator[str]:
    """Yield the JSON text of `value` with one entry of a wrong type, missing or added: every reader must refuse it."""
    for part, key, name in list_entries(value):
        before = part[key]
        wrong_values = [0.5 if isinstance(before, str) else "x", *([float("nan")] if isinstance(before, float) else [])]
        for wrong in wrong_values:
            part[key] = wrong
            yield json.dumps(value)
        part[key] = before
        if isinstance(part, dict) and key not in OPTIONAL and name not in BY_NAME:
            del part[key]
            yield json.dumps(value)
            part[key] = before
        if isinstance(part, dict):
            part["more"] = None
            yield json.dumps(value)
            del part["more"]


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
def test_a_file_is_read_as_it_was_written_and_refused_with_any_change(topic: str) -> None:
    text, path = read_stored_text(topic), f"run/{topic}.json"
    record = decode(text.encode(), TOPICS[topic].record, path)
    assert json.loads(json.dumps(record.to_dict())) == json.loads(text)
    count = 0
    for changed in change_each_entry(json.loads(text)):
        with pytest.raises(RunError, match=rf"^{path}: (.*\$.*; use another copy|damaged \(the number nan)"):
            decode(changed.encode(), TOPICS[topic].record, path)
        count += 1
    assert count > 30
