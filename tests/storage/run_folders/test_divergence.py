"""Training that diverges ends with one line, which says that the untrained weights are kept."""

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import assert_one_error, invoke

STATISTICS = r"batch_normalization/moving_variance (inf|nan)"


@pytest.fixture(params=["val_loss nan", STATISTICS])
def diverging(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path, str]:
    """Data, an architecture with which the training loss stays finite, and the name of the value that does not.

    The network multiplies pixels by 1e37, and float32 ends at 3.4e38. Black images stay 0, but bright ones become
    infinite, here the test images. Pixels of 0 to 2 stay finite themselves, but not their variance.
    """
    random, is_normalized = np.random.default_rng(0), request.param == STATISTICS
    labels = np.arange(60, dtype=np.uint8) % 3
    np.savez(
        tmp_path / "data.npz",
        x_train=random.integers(0, 3 if is_normalized else 1, (60, 4, 4), np.uint8),
        y_train=labels,
        x_test=random.integers(*((0, 3) if is_normalized else (200, 256)), (60, 4, 4), np.uint8),
        y_test=labels,
    )
    layers = [{"kind": "Flatten", "name": "flatten"}, {"kind": "Dense", "name": "dense", "units": 3}]
    if is_normalized:
        layers.insert(1, {"kind": "BatchNormalization", "name": "batch_normalization"})
    network = {"name": "huge", "input": {"height": 4, "width": 4, "scale": 1e37}, "layers": layers}
    (tmp_path / "huge.json").write_text(json.dumps(network))
    return tmp_path / "data.npz", tmp_path / "huge.json", request.param


def test_training_that_diverges_is_one_error_that_says_what_is_kept(diverging: tuple[Path, Path, str], tmp_path: Path):
    data, network, value = diverging
    out = tmp_path / "run"
    kept = "untrained weights are kept"
    words = ("training diverged in epoch 1 (", value.split()[0], "lower the learning rate", kept)
    assert_one_error(
        invoke("train", "--dataset", data, "--architecture", network, "--recipe", "classic", "--out", out, "--json"),
        *words,
    )
    assert (out / "checkpoints" / "epoch-0000.safetensors").exists()
    assert_one_error(invoke("train", "--resume", out, "--json"), str(out), *words)
    assert not (out / "DONE").exists()
