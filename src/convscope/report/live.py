"""What the page computes with: the models with their weights, images to show them, images to train on.

A page is to have less than 5 MB. Weights are always whole; images, the weights after each epoch and training images
share what is left, in this order. What is left out shows in the numbers: `snapshots` lists its epochs, and `training`
says of how many images it holds some.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.packing import pack, pack_first, pack_rounded, packed_bytes
from convscope.data.datasets import Dataset, Splits, evenly
from convscope.engine import Weights
from convscope.evidence.ablation import filter_means
from convscope.evidence.evaluation import Evaluation
from convscope.training import History
from convscope.training.model import Model

_SNAPSHOT_BYTES = 1_600_000  # of one model's snapshots: the epochs of `classic` for the preset `cnn`
_IMAGE_BYTES = 800_000  # of the images to look at, however large the weights are
_LEAST_TRAINING_BYTES = 400_000  # of training images, where they find no room otherwise
_MOST_SAMPLE, _MOST_MISTAKES = 300, 500
_NUM_PARITY = 100
_MOST_TRAINING, _LEAST_TRAINING = 5_000, 200
_MOST_IMBALANCE = 0.2  # which share of the first images may be of other classes than in the whole set


@dataclass(frozen=True, eq=False)
class Replay:
    """A trained model with its history, for the page to show and to play again.

    Attributes:
        snapshots: the weights by epoch, 0 before the first; each is read when it is asked for.
        means: what `filter_means` gives for the test images; computed where they are not given.
    """

    model: Model
    history: History = field(default_factory=History)
    snapshots: Mapping[int, Weights] = field(default_factory=dict)
    means: Mapping[str, NDArray[np.floating[Any]]] | None = None


def live_payload(
    replays: Sequence[Replay], splits: Splits, evaluation: Evaluation, room: int, shown: Sequence[int] = ()
) -> dict[str, Any]:
    """Return what the page computes with, as plain JSON of about `room` bytes.

    Args:
        replays: the run's model, then the one that it is compared with, if there is one.
        evaluation: of the first model on `splits.test`; its mistakes are shown.
        shown: further test images that the page shows, and that can be put on its bench where there is room.
    """
    models = [_model(replay, splits.test) for replay in replays]
    images, pixels = _images(splits.test, evaluation, shown)
    room -= sum(_bytes(model) for model in models) + _bytes(images)
    least = _bytes(_training(splits.train, 0))
    models[0]["snapshots"] = _snapshots(replays[0].snapshots, min(room - least, _SNAPSHOT_BYTES))
    training = _training(splits.train, room - _bytes(models[0]["snapshots"]))
    room -= _bytes(models[0]["snapshots"]) + _bytes(training)
    for model, replay in zip(models[1:], replays[1:], strict=True):
        model["snapshots"] = _snapshots(replay.snapshots, min(room, _SNAPSHOT_BYTES))
        room -= _bytes(model["snapshots"])
    return {
        "models": models,
        "images": images,
        "parity": {"logits": pack(replays[0].model.logits(pixels[:_NUM_PARITY]))},
        "training": training,
        "handwriting": splits.train.handwriting.to_dict(),
    }


def _bytes(value: Any) -> int:
    """Return how much of the page the packed arrays within `value` take."""
    if isinstance(value, list):
        return sum(map(_bytes, value))
    if not isinstance(value, dict):
        return 0
    return packed_bytes(value) if "data" in value else sum(map(_bytes, value.values()))


def _model(replay: Replay, dataset: Dataset) -> dict[str, Any]:
    model = replay.model
    means = filter_means(model, dataset.images) if replay.means is None else replay.means
    return {
        "name": model.name,
        "architecture": model.architecture.to_dict(),
        "weights": {name: pack(weight) for name, weight in model.weights.items()},
        "means": {layer: pack(mean) for layer, mean in means.items()},
        "snapshots": [],
    }


def _images(dataset: Dataset, evaluation: Evaluation, shown: Sequence[int]) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """Return the first images, the surest mistakes and those `shown` beyond them, packed, and their pixels."""
    first = dataset.images[:_MOST_SAMPLE]
    sample = pack_first(first, _IMAGE_BYTES * 6 // 10)
    num_sample = max(1, sample["shape"][0])
    mistakes = [mistake.index for mistake in evaluation.mistakes if mistake.index >= num_sample][:_MOST_MISTAKES]
    others = [*mistakes, *sorted({index for index in shown if index >= num_sample} - set(mistakes))]
    more = pack_first(dataset.images[others], _IMAGE_BYTES - packed_bytes(sample))
    indices = np.array([*range(num_sample), *others[: more["shape"][0]]])
    pixels = dataset.images[indices]
    images = {
        "split": dataset.split,
        "indices": pack(_small(indices)),
        "labels": pack(_small(dataset.labels[indices])),
        "pixels": pack(pixels),
        "num_sample": num_sample,
        "num_mistakes": len(evaluation.mistakes),
    }
    return images, pixels


def _small(numbers: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """Return whole numbers in the smallest type that the page reads and that holds them exactly."""
    largest = int(numbers.max(initial=0))
    return numbers.astype(np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.float32)


def _snapshots(snapshots: Mapping[int, Weights], room: int) -> list[dict[str, Any]]:
    """Return the weights of as many epochs as fit, evenly spaced with the first and the last among them, or none."""
    epochs = sorted(snapshots)
    packed: dict[int, dict[str, Any]] = {}
    most = len(epochs)
    while most >= min(2, len(epochs)) and most > 0:
        chosen, used = evenly_spaced(epochs, most), 0
        for number, epoch in enumerate(chosen, 1):
            if epoch not in packed:
                packed[epoch] = {name: pack_rounded(weight) for name, weight in snapshots[epoch].items()}
            used += _bytes(packed[epoch])
            if used > room:
                most = number - 1
                break
        else:
            return [{"epoch": epoch, "weights": packed[epoch]} for epoch in chosen]
    return []


def evenly_spaced(values: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of `values`, the first and the last among them where there is room for two."""
    return [values[place] for place in evenly(len(values), most)]


def _training(dataset: Dataset, room: int) -> dict[str, Any]:
    chosen = training_order(dataset.labels, dataset.num_classes)[:_MOST_TRAINING]
    pixels = pack_first(dataset.images[chosen], room)
    if pixels["shape"][0] < _LEAST_TRAINING:
        least = pack_first(dataset.images[chosen[:_LEAST_TRAINING]], max(room, _LEAST_TRAINING_BYTES))
        pixels = max(pixels, least, key=lambda packed: packed["shape"][0])
    labels = dataset.labels[chosen[: pixels["shape"][0]]]
    return {"labels": pack(_small(labels)), "pixels": pixels, "of": len(dataset)}


def training_order(labels: NDArray[np.integer[Any]], num_classes: int) -> NDArray[np.int64]:
    """Return the order in which images are taken: that of the file, or class by class in turn if it is sorted."""
    few, whole = (np.bincount(part, minlength=num_classes) / len(part) for part in (labels[:_MOST_TRAINING], labels))
    if np.abs(few - whole).sum() / 2 <= _MOST_IMBALANCE and (few[whole > 0] > 0).all():
        return np.arange(len(labels))
    place_in_class = np.empty(len(labels), np.int64)
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        place_in_class[members] = np.arange(len(members))
    return np.argsort(place_in_class, kind="stable")
