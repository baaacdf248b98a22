"""Programs of PyTorch that would run what they hold: each is refused, and nothing in it runs."""

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.random_networks import random_model

from convscope.base.errors import ConvscopeError
from convscope.interchange.torch_export import open_torch, write_torch

Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    write_torch(random_model(np.random.default_rng(0)), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in records.items():
            archive.writestr(name, value)
    return path


def changed(records: dict[str, bytes], name: str, change: Change) -> dict[str, bytes]:
    document = json.loads(records[name])
    change(document)
    return {**records, name: json.dumps(document).encode()}


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_rebuilt_program_opens(records: dict[str, bytes], tmp_path: Path) -> None:
    assert open_torch(write(tmp_path / "model.pt2", records)).class_names


def test_a_pickle_is_not_read(records: dict[str, bytes], tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    hostile = {**records, "archive/data/sample_inputs/model.pt": pickle.dumps(Touch(touched))}
    with pytest.raises(ConvscopeError, match="sample inputs are a pickle"):
        open_torch(write(tmp_path / "model.pt2", hostile))
    assert not touched.exists()


def test_a_tensor_that_is_a_pickle_is_not_read(records: dict[str, bytes], tmp_path: Path) -> None:
    name = "archive/data/weights/model_weights_config.json"

    def use_pickle(document: Any) -> None:
        next(iter(document["config"].values()))["use_pickle"] = True

    with pytest.raises(ConvscopeError, match="use_pickle"):
        open_torch(write(tmp_path / "model.pt2", changed(records, name, use_pickle)))


def _name(document: Any) -> None:
    document["graph_module"]["graph"]["inputs"][0]["as_tensor"]["name"] = "x\nimport os"


def _target(document: Any) -> None:
    document["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.system"


def _expression(document: Any) -> None:
    text = json.dumps(document).replace("Symbol('s", "__import__('os').system('s")
    document.update(json.loads(text))


def _guard(document: Any) -> None:
    document["guards_code"] = ["__import__('os')"]


def _type(document: Any) -> None:
    call = document["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = call["in_spec"].replace("builtins.dict", "collections.defaultdict")


def _context(document: Any) -> None:
    call = document["graph_module"]["module_call_graph"][0]["signature"]
    context = json.dumps(json.dumps([{"__enum__": True, "fqn": "antigravity:x"}]))
    call["out_spec"] = call["out_spec"].replace(r'"[\"logits\", \"probabilities\"]"', context)


@pytest.mark.parametrize("change", [_name, _target, _expression, _guard, _type, _context])
def test_a_graph_that_says_more_than_operators_is_refused(
    change: Change, records: dict[str, bytes], tmp_path: Path
) -> None:
    hostile = changed(records, "archive/models/model.json", change)
    assert hostile["archive/models/model.json"] != json.dumps(json.loads(records["archive/models/model.json"])).encode()
    with pytest.raises(ConvscopeError, match="is not a program of convscope"):
        open_torch(write(tmp_path / "model.pt2", hostile))


def test_a_library_within_a_program_is_refused(records: dict[str, bytes], tmp_path: Path) -> None:
    hostile = {**records, "archive/data/aotinductor/model/model.wrapper.so": b"\x7fELF"}
    with pytest.raises(ConvscopeError, match="aotinductor"):
        open_torch(write(tmp_path / "model.pt2", hostile))


def test_compressed_records_which_may_be_bombs_are_refused(records: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match="it holds"):
        open_torch(write(tmp_path / "model.pt2", records, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: b"no archive" + content[:9],
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b'"schema_version"', b'"schemaXversion"'),
        lambda content: content[:200] + bytes(len(content) - 200),
    ],
)
def test_a_damaged_program_is_refused(
    damage: Callable[[bytes], bytes], records: dict[str, bytes], tmp_path: Path
) -> None:
    path = write(tmp_path / "model.pt2", records)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ConvscopeError, match=r"model\.pt2"):
        open_torch(path)


def test_a_program_without_its_weights_is_refused(records: dict[str, bytes], tmp_path: Path) -> None:
    records = {name: value for name, value in records.items() if not name.endswith("weights_config.json")}
    with pytest.raises(ConvscopeError, match="PyTorch cannot read it"):
        open_torch(write(tmp_path / "model.pt2", records))


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvscopeError, match=r"nothing\.pt2: cannot be read"):
        open_torch(tmp_path / "nothing.pt2")
