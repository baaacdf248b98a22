"""The part of the payload with which the page computes: weights, snapshots and images, within a number of bytes."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.noise import init_model, random_dataset
from tests.shared import unpack

from convscope.architecture import Architecture, Dense, Flatten, Input
from convscope.data.datasets import Splits
from convscope.engine import initial_weights
from convscope.evidence.ablation import filter_means
from convscope.evidence.evaluating import evaluate
from convscope.report.live import LivePacker, Replay, evenly_spaced, training_order
from convscope.training import Checkpoint
from convscope.training.model import Model


def make_dense(shape: tuple[int, int, int], units: int, num_classes: int) -> Model:
    layers = (Flatten(), Dense(units, activation="relu"), Dense(num_classes, activation="softmax"))
    return init_model(Architecture(Input(*shape), layers, "dense"))


def make_noise(shape: tuple[int, int, int], number: int, num_classes: int) -> Splits:
    """Make random images, which do not compress."""
    return Splits(*(random_dataset(number, shape, num_classes, len(split), split) for split in ("train", "test")))


def make_replay(model: Model, epochs: int) -> Replay:
    snapshots = {Checkpoint(epoch=epoch): initial_weights(model.architecture, epoch) for epoch in range(epochs + 1)}
    return Replay(model, snapshots=snapshots)


def pack(model: Model, splits: Splits, room: int, epochs: int = 0, baseline: Replay | None = None) -> dict[str, Any]:
    """Pack a model, its snapshots and its images into about `room` bytes of JSON."""
    replays = [make_replay(model, epochs) if epochs else Replay(model), *([baseline] if baseline else [])]
    return LivePacker(splits, evaluate(model, splits.test)).pack(replays, room).to_dict()


def epochs_of(model: dict[str, Any]) -> list[int]:
    return [snapshot["epoch"] for snapshot in model["snapshots"]]


def test_weights_are_exact_and_snapshots_are_rounded(payloads: dict[str, Any]) -> None:
    first, second = payloads["cnn"]["live"]["models"]
    architecture = Architecture.from_dict(first["architecture"])
    for name, weight in initial_weights(architecture, 0).items():
        assert np.array_equal(unpack(first["weights"][name]), weight)
    assert epochs_of(first) == [0, 1, 2]
    for name, weight in initial_weights(architecture, 1).items():
        weights = unpack(first["snapshots"][1]["weights"][name])
        # In steps of a 25th of the largest weight, so off by a 50th; 49.9 leaves room for rounding.
        assert np.abs(weights - weight).max() <= np.abs(weight).max() / 49.9
    assert second["name"] == "ann"
    assert second["snapshots"] == []


def test_a_run_without_a_baseline_has_one_model(payloads: dict[str, Any]) -> None:
    assert [model["name"] for model in payloads["tiny"]["live"]["models"]] == ["ann"]


def test_the_logits_belong_to_the_first_images(payloads: dict[str, Any]) -> None:
    part = payloads["colour"]["live"]
    images, logits = unpack(part["images"]["pixels"]), unpack(part["parity"]["logits"])
    model = init_model(Architecture.from_dict(part["models"][0]["architecture"]))
    assert logits.shape == (min(100, len(images)), 26)
    assert np.array_equal(logits, model.logits(images[:100]))


def test_images_are_the_first_of_the_split_and_then_the_mistakes_beyond_them() -> None:
    splits = make_noise((6, 5, 1), 700, 3)
    model = make_dense((6, 5, 1), 8, 3)
    evaluation = evaluate(model, splits.test)
    images = pack(model, splits, 1_000_000)["images"]
    indices = unpack(images["indices"])
    assert images["num_sample"] == 300
    assert indices[:300].tolist() == list(range(300))
    later = [mistake.index for mistake in evaluation.mistakes if mistake.index >= 300]
    assert indices[300:].tolist() == later
    assert images["num_mistakes"] == len(evaluation.mistakes)
    assert np.array_equal(unpack(images["pixels"]), splits.test.images[indices])
    assert np.array_equal(unpack(images["labels"]), splits.test.labels[indices])


def test_the_500_most_confident_of_very_many_mistakes_are_listed() -> None:
    splits = make_noise((3, 3, 1), 2000, 4)
    model = make_dense((3, 3, 1), 4, 4)
    images = pack(model, splits, 1_000_000)["images"]
    later = [mistake.index for mistake in evaluate(model, splits.test).mistakes if mistake.index >= 300]
    assert len(later) > 500
    assert unpack(images["indices"])[300:].tolist() == later[:500]


@pytest.mark.parametrize("room", [400_000, 1_000_000, 1_500_000])
def test_the_packed_part_fills_its_room_and_no_more(room: int) -> None:
    model, baseline = make_dense((12, 12, 1), 64, 5), make_replay(make_dense((12, 12, 1), 32, 5), 30)
    part = pack(model, make_noise((12, 12, 1), 6000, 5), room, 30, baseline)
    size = len(json.dumps(part, separators=(",", ":")))
    # Images are packed in steps of a 64th of all, so some room is left; names and brackets are not counted.
    assert 0.9 * room < size < 1.03 * room


@pytest.mark.slow
def test_snapshots_share_the_room_with_training_images() -> None:
    """Check what gives way: first the baseline's epochs, then training images beyond 200, then the run's own epochs."""
    splits, model = make_noise((12, 12, 1), 9000, 5), make_dense((12, 12, 1), 64, 5)
    dense_replay = make_replay(make_dense((12, 12, 1), 32, 5), 5)
    wide = pack(model, splits, 3_000_000, 12, dense_replay)
    assert epochs_of(wide["models"][0]) == list(range(13))
    assert epochs_of(wide["models"][1]) == list(range(6))
    assert wide["training"]["pixels"]["shape"] == [5000, 12, 12, 1]
    narrow = pack(model, splits, 800_000, 12, dense_replay)
    assert epochs_of(narrow["models"][0]) == list(range(13))
    assert narrow["models"][1]["snapshots"] == []
    assert 200 < narrow["training"]["pixels"]["shape"][0] < 5000
    tight = pack(model, splits, 500_000, 12, dense_replay)
    chosen = epochs_of(tight["models"][0])
    assert 2 <= len(chosen) < 13
    assert (chosen[0], chosen[-1]) == (0, 12)
    assert tight["training"]["pixels"]["shape"][0] >= 200
    assert tight["training"]["of"] == 9000


@pytest.mark.slow
def test_a_large_network_on_large_images_still_makes_a_page_and_says_how_its_weights_are_rounded() -> None:
    splits, model = make_noise((64, 64, 3), 300, 2), make_dense((64, 64, 3), 130, 2)
    part = pack(model, splits, 2_500_000, epochs=3)  # less than weights of 8 bits and images take
    assert model.architecture.parameters > 1_500_000  # more than 6 MB in float32
    packed = part["models"][0]
    assert packed["snapshots"] == []
    weights = {name: unpack(weight) for name, weight in packed["weights"].items()}
    for name, weight in weights.items():
        assert np.abs(weight - model.weights[name]).max() <= np.abs(model.weights[name]).max() / 253.9
    images = splits.test.images
    num_changed = int((replace(model, weights=weights).predict(images) != model.predict(images)).sum())
    assert packed["rounding"] == {"bits": 8, "num_changed": num_changed, "num_images": 300}
    shown = replace(model, weights=weights).logits(unpack(part["images"]["pixels"])[:100])
    assert np.array_equal(unpack(part["parity"]["logits"]), shown)
    assert len(json.dumps(part["images"])) < 810_000  # images have limits of their own, 800,000 and 400,000 bytes
    assert 0 < part["images"]["num_sample"] <= 100
    assert len(json.dumps(part["training"])) < 410_000
    assert part["training"]["of"] == 300


@pytest.mark.parametrize(
    ("count", "limit", "chosen"), [(5, 9, [0, 1, 2, 3, 4]), (11, 3, [0, 5, 10]), (100, 2, [0, 99]), (4, 3, [0, 2, 3])]
)
def test_epochs_are_evenly_spaced_with_both_ends(count: int, limit: int, chosen: list[int]) -> None:
    assert evenly_spaced(range(count), limit) == chosen


def test_shuffled_images_are_taken_in_the_order_of_the_file() -> None:
    labels = np.random.default_rng(0).integers(0, 10, 20_000)
    assert np.array_equal(training_order(labels, 10), np.arange(20_000))


@pytest.mark.parametrize(
    "labels", [np.repeat(np.arange(10), 2000), np.repeat([0, 1, 2], [9000, 10, 9000])], ids=["even", "uneven"]
)
def test_of_sorted_images_all_classes_come_early(labels: NDArray[np.int64]) -> None:
    order = training_order(labels, 10)
    assert np.array_equal(np.sort(order), np.arange(len(labels)))
    for count in (30, 3000):  # of the first 30 images at least 3 are of each class, of 3,000 at least 10
        present = np.bincount(labels[order[:count]], minlength=10)
        assert present[np.unique(labels)].min() >= min(10, count // 10)


def test_training_images_come_with_their_labels(payloads: dict[str, Any]) -> None:
    training = payloads["cnn"]["live"]["training"]
    assert training["pixels"]["shape"] == [200, 28, 28, 1]
    assert np.bincount(unpack(training["labels"])).tolist() == [20] * 10
    assert training["of"] == 200


def test_stored_means_are_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, splits = make_dense((6, 6, 1), 3, 2), make_noise((6, 6, 1), 20, 2)
    means = filter_means(model, splits.test.images)
    computed = LivePacker(splits, evaluate(model, splits.test)).pack([Replay(model)], 500_000).to_dict()
    monkeypatch.delattr("convscope.report.live.filter_means")
    stored = LivePacker(splits, evaluate(model, splits.test)).pack([Replay(model, means=lambda: means)], 500_000)
    assert stored.to_dict() == computed
