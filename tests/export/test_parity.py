"""The parity proof of an exported file: it counts changed predictions and finds the largest difference of logits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.export import ParityTable, measure_parity


@dataclass
class ChangedRunner:
    """Runs the model, and adds `change` to the smallest logit of one image."""

    model: cs.Model
    image: NDArray[np.uint8]
    change: float
    runtime: str = "a test"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits = self.model.logits(images).copy()
        matches = (images == self.image).all(axis=(1, 2, 3))
        logits[matches, logits[matches].argmin(axis=1)] += self.change
        return logits


@pytest.fixture(scope="module")
def model(small_mnist: cs.Splits) -> cs.Model:
    return cs.train(cs.presets.cnn, small_mnist.train, cs.Recipe(epochs=1))[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(bytes(1234))
    return tmp_path / "model.onnx"


def test_one_changed_prediction_among_all_is_found(model: cs.Model, small_mnist: cs.Splits, path: Path):
    test = small_mnist.test
    runner = ChangedRunner(model, test.images[211], 50.0)
    progress = list[tuple[int, int]]()
    parity = measure_parity(model, runner, path, "onnx", "int8", test, lambda *how: progress.append(how))
    assert progress == [(len(test), len(test))]
    evaluation = cs.evaluate(model, test)
    was_correct = evaluation.y_pred[211] == test.labels[211]
    assert parity.num_changed == 1
    assert parity.largest_difference == pytest.approx(50, rel=1e-6)
    assert parity.model_accuracy == evaluation.accuracy
    assert parity.accuracy == pytest.approx(evaluation.accuracy - was_correct / 300)
    assert (parity.num_bytes, parity.num_images, parity.thousand_seconds) == (1234, 300, None)
    assert parity.largest_logit == np.abs(model.logits(test.images)).max()
    assert str(ParityTable(rows=(parity,))).splitlines()[-1].split()[5] == "1"


def test_a_small_difference_changes_no_prediction(model: cs.Model, small_mnist: cs.Splits, path: Path):
    runner = ChangedRunner(model, small_mnist.test.images[3], 1e-3)
    parity = measure_parity(model, runner, path, "onnx", "float32", small_mnist.test)
    assert parity.num_changed == 0
    assert parity.largest_difference == pytest.approx(1e-3, rel=1e-2)
    assert ParityTable(rows=(parity,)).sentence.startswith("No answer to 300 images changed")


def test_predictions_that_are_not_finite_are_refused(model: cs.Model, small_mnist: cs.Splits, path: Path):
    runner = ChangedRunner(model, small_mnist.test.images[3], np.nan)
    with pytest.raises(InterchangeError, match=r"model\.onnx: gives a logit that is not finite"):
        measure_parity(model, runner, path, "onnx", "float16", small_mnist.test)


def test_logits_of_another_shape_are_refused(model: cs.Model, small_mnist: cs.Splits, path: Path):
    class FewerLogits(ChangedRunner):
        def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return super().logits(images)[:, :9]

    with pytest.raises(InterchangeError, match="shape"):
        measure_parity(
            model, FewerLogits(model, small_mnist.test.images[3], 0), path, "onnx", "float32", small_mnist.test
        )


def test_rows_of_a_file_replace_earlier_ones(model: cs.Model, small_mnist: cs.Splits, path: Path):
    runner = ChangedRunner(model, small_mnist.test.images[3], 0.0)
    first = measure_parity(model, runner, path, "onnx", "float32", small_mnist.test)
    second, third = replace(first, num_changed=7), replace(first, file="model.h")
    merged = ParityTable(rows=(third, first)).merge([second])
    assert [row.file for row in merged.rows] == ["model.h", "model.onnx"]
    assert merged.rows[1].num_changed == 7
    assert merged.sentence.startswith("1 of 2 files change answers, 7 at most")
