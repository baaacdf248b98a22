"""Model files: saved and loaded to the same bits, and damaged ones refused by name."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

import convscope as cs
from convscope.base.errors import ConvscopeError, RunError
from convscope.data.handwriting import Handwriting
from convscope.engine import initial_weights
from convscope.storage import load_model, save_model


@pytest.fixture(scope="module")
def model() -> cs.Model:
    architecture = cs.presets.cnn((16, 12, 3), 4)
    names = ("a", "</script>", "ß" * 60, "七")
    return cs.Model(architecture, initial_weights(architecture, 7), names, {"seed": 7})


def test_model_is_the_same_bits_after_save_and_load(model: cs.Model, tmp_path: Path):
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.weights_sha256 == model.weights_sha256
    assert loaded.architecture == model.architecture
    assert loaded.class_names == model.class_names
    assert loaded.provenance == model.provenance
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 12, 3), dtype=np.uint8)
    assert (loaded.logits(images) == model.logits(images)).all()


def test_the_preparation_of_photos_is_stored_with_the_model(model: cs.Model, tmp_path: Path):
    kept = replace(model, handwriting=Handwriting("dark", target=9))
    save_model(kept, tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").handwriting == Handwriting("dark", target=9)


def _description(model: cs.Model, **changes) -> dict:
    return {
        "format": 1, "architecture": model.architecture.to_dict(), "class_names": list(model.class_names),
        "provenance": {}, **changes,
    }  # fmt: skip


def _make(model: cs.Model, weights=None, text: str | None = None, **changes) -> bytes:
    text = json.dumps(_description(model, **changes)) if text is None else text
    return save(dict(model.weights if weights is None else weights), metadata={"convscope": text})


def _edit(model: cs.Model, **changes) -> dict:
    return {**model.weights, **{name.replace("__", "/"): array for name, array in changes.items()}}


def _with_input(model: cs.Model, **changes) -> bytes:
    network = model.architecture.to_dict()
    return _make(model, architecture={**network, "input": {**network["input"], **changes}})


HUGE_TENSOR = b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,399999999996]}}'
BAD_FILES = {
    "empty": (lambda _: b"", "damaged or not a safetensors"),
    "noise": (lambda _: bytes(range(256)) * 8, "damaged or not a safetensors"),
    "header asks for more than the file": (lambda m: struct.pack("<Q", 2**40) + _make(m)[8:], "damaged"),
    "truncated": (lambda m: _make(m)[:-1], "damaged"),
    "tensor asks for more than the file": (lambda _: struct.pack("<Q", len(HUGE_TENSOR)) + HUGE_TENSOR, "damaged"),
    "of another program": (lambda m: save(dict(m.weights)), "of another program, which holds arrays"),
    "description no JSON": (lambda m: _make(m, text="{"), "not a convscope model"),
    "description nested too deep": (lambda m: _make(m, text="[" * 100_000), "not a convscope model"),
    "newer format": (lambda m: _make(m, format=2), "format 2 is newer"),
    "format no number": (lambda m: _make(m, format="1"), "which is unknown"),
    "no architecture": (lambda m: _make(m, architecture=None), "not a convscope model"),
    "architecture with an unknown layer": (
        lambda m: _make(m, architecture={**m.architecture.to_dict(), "layers": [{"kind": "Lambda"}]}),
        "unknown layer kind 'Lambda'",
    ),
    "class names no list": (lambda m: _make(m, class_names="abcd"), "not a list of strings"),
    "too few class names": (lambda m: _make(m, class_names=["a", "b"]), "2 class names"),
    "calibration no object": (lambda m: _make(m, calibration=[1]), "calibration is"),
    "temperature of zero": (lambda m: _make(m, calibration={"temperature": 0}), "temperature is 0; it must be"),
    "temperature all but zero": (lambda m: _make(m, calibration={"temperature": 5e-324}), "temperature is 5e-324; it"),
    "temperature too large": (lambda m: _make(m, calibration={"temperature": 10**400}), "not a convscope model"),
    "scale too large": (lambda m: _with_input(m, scale=10**400), "not a convscope model"),
    "scale beyond float32": (lambda m: _with_input(m, scale=1e39), r"input: scale is 1e\+39; it must be a finite"),
    "provenance no object": (lambda m: _make(m, provenance=5), "provenance is 5, not an object"),
    "target too large": (lambda m: _make(m, handwriting={"ink": "light", "target": 10**400}), "not a convscope model"),
    "target larger than an image": (lambda m: _make(m, handwriting={"ink": "light", "target": 999_999}),
        "target is 999999; images have"),
    "temperature no number": (lambda m: _make(m, calibration={"temperature": "1"}), "temperature is '1'"),
    "wrong shape": (lambda m: _make(m, _edit(m, dense__bias=np.zeros(7, np.float32))), "names or shapes"),
    "additional tensor": (lambda m: _make(m, _edit(m, spare=np.zeros(7, np.float32))), "names or shapes"),
    "wrong type": (lambda m: _make(m, _edit(m, dense__bias=np.zeros(128, np.float64))), "float64, not float32"),
    "not finite": (lambda m: _make(m, _edit(m, dense__bias=np.full(128, np.nan, np.float32))), "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_load_model_refuses_a_bad_file_and_names_it(model: cs.Model, tmp_path: Path, case: str):
    make, message = BAD_FILES[case]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(make(model))
    with pytest.raises(RunError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_save_model_to_a_full_disk_keeps_the_old_file(model: cs.Model, tmp_path: Path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConvscopeError, match="No space left on device"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_refuses_a_missing_folder(model: cs.Model, tmp_path: Path):
    path = tmp_path / "missing" / "model.safetensors"
    with pytest.raises(RunError, match=r"model.safetensors: there is no folder .*missing; create it"):
        save_model(model, path)
    assert not path.parent.exists()


def test_model_file_has_the_same_bytes_each_time(model: cs.Model, tmp_path: Path):
    for name in ("a", "b"):
        save_model(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
