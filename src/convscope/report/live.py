"""The data that the page computes with: the models with their weights, images to show them, images to train on.

A page of MNIST has at most 4.5 MB. All weights are there; test images, the weights after some steps and epochs
(snapshots) and training images share the rest, in this order:

    the run's model and the baseline's   whole, or rounded to 8 or 6 bits if they take more than 4.6 MB
    test images                          up to 0.8 MB
    the run's snapshots                  up to 1.9 MB, and 0.2 MB stay for training images
    training images                      what is left, or 200 of them
    the baseline's snapshots             what is left after that

The numbers show the parts that are left out: `snapshots` says when they were, and `training` states the number of all
images.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.base.packing import Packed, RowPacker, pack_rounded
from convscope.base.records import Record, from_attributes
from convscope.data.datasets import Splits, evenly
from convscope.data.datasets.data_file import Labels
from convscope.engine import Weights
from convscope.evidence.ablation import filter_means
from convscope.evidence.evaluation import Evaluation
from convscope.report.records import Live, LiveImages, LiveModel, Parity, Rounding, Snapshot, TrainingImages
from convscope.training import Checkpoint, History
from convscope.training.model import Model

_SNAPSHOT_BYTES = 1_900_000  # limit for one model's snapshots: six steps and ten epochs of the preset `cnn`
_MAX_WEIGHT_BYTES = 4_600_000  # exact weights of a model: some eight networks of the preset `cnn` in an ensemble
_IMAGE_BYTES = 800_000  # limit for the images to look at, however large the weights are
_TRAINING_BYTES = 200_000  # kept for training images before any snapshots: some 900 of MNIST
_MIN_TRAINING_BYTES = 400_000  # limit for `_MIN_TRAINING` images on a full page, which may then exceed 4.5 MB
_MAX_SAMPLE, _MAX_MISTAKES = 300, 500  # test images: the first ones, and mistakes
_Value = TypeVar("_Value")
NUM_PARITY = 100
"""Test images whose logits the page computes again when it opens."""
_MAX_TRAINING, _MIN_TRAINING = 5_000, 200
_MAX_IMBALANCE = 0.2  # the share of the first images that may be of other classes than in the whole set


@dataclass(frozen=True, eq=False)
class Replay:
    """A trained model with its history, for the page to show and to play again.

    Attributes:
        snapshots: the weights at some points of the training; each is read when it is needed.
        means: returns the `filter_means` of the test images; by default they are computed.
    """

    model: Model
    history: History = field(default_factory=History)
    snapshots: Mapping[Checkpoint, Weights] = field(default_factory=dict)
    means: Callable[[], Mapping[str, NDArray[np.float32]]] | None = None


class LivePacker:
    """Packs the data that the page of a run computes with; parts that do not change on a later page are packed once."""

    def __init__(self, splits: Splits, evaluation: Evaluation) -> None:
        """`evaluation` is of the run's model on `splits.test`; its mistakes are shown."""
        self._splits, self._evaluation = splits, evaluation
        self._models: dict[str, LiveModel] = {}  # by the digest of the final weights
        self._snapshots_packed: dict[tuple[str, Checkpoint], Snapshot] = {}  # by the same digest
        # 60 % of the bytes for test images; mistakes and shown images have the rest.
        self._sample = RowPacker(splits.test.images[:_MAX_SAMPLE]).pack(_IMAGE_BYTES * 6 // 10)
        # The indices of images beyond the first ones, all images as a record, and their pixels.
        self._images_packed: tuple[list[int], LiveImages, NDArray[np.uint8]] | None = None
        # The order of the training images, and packers of the first 5,000 and the first 200 in this order.
        self._training: tuple[NDArray[np.int64], RowPacker, RowPacker] | None = None

    def pack(self, replays: Sequence[Replay], max_bytes: int, shown: Sequence[int] = ()) -> Live:
        """Pack the page's data into about `max_bytes` of JSON.

        Args:
            replays: the run's model, then the model that it is compared with, if there is one.
            shown: further test images that the page shows; those that fit can be put on its bench.
        """
        images, pixels = self._images(shown)
        # The bytes that the snapshots must leave for training images; a few images have fewer than the limit.
        min_training_bytes = _bytes(self._training_images(_TRAINING_BYTES))
        # Last, because `means` may wait for the engine.
        models = [self._model(replay, replay is replays[0]) for replay in replays]
        bytes_left = max_bytes - sum(map(_bytes, models)) - _bytes(images)
        snapshots = [self._snapshots(replays[0], min(bytes_left - min_training_bytes, _SNAPSHOT_BYTES))]
        bytes_left -= _bytes(snapshots[0])
        training = self._training_images(bytes_left)
        bytes_left -= _bytes(training)
        for replay in replays[1:]:  # the baseline's, with what is left
            snapshots.append(self._snapshots(replay, min(bytes_left, _SNAPSHOT_BYTES)))
            bytes_left -= _bytes(snapshots[-1])
        return Live(
            models=tuple(
                structs.replace(model, snapshots=snapshot) for model, snapshot in zip(models, snapshots, strict=True)
            ),
            images=images,
            parity=Parity(
                logits=Packed.from_array(self._as_packed(replays[0].model, models[0]).logits(pixels[:NUM_PARITY]))
            ),
            training=training,
            handwriting=self._splits.train.handwriting,
        )

    def _model(self, replay: Replay, is_evaluated: bool) -> LiveModel:
        model, digest = replay.model, replay.model.weights_sha256
        if digest not in self._models:
            means = filter_means(model, self._splits.test.images) if replay.means is None else replay.means()
            packed = pack_model(model, means)
            if _bytes(packed) > _MAX_WEIGHT_BYTES:
                predicted = self._evaluation.y_pred if is_evaluated else model.predict(self._splits.test.images)
                packed = self._round(model, packed, predicted)
            self._models[digest] = packed
        return self._models[digest]

    def _round(self, model: Model, packed: LiveModel, predicted: NDArray[np.integer[Any]]) -> LiveModel:
        """Round the weights to 8 bits, or 6 if these take too much room too, and count the predictions that change."""
        bits: Literal[6, 8]
        for bits in (8, 6):
            weights = {name: pack_rounded(weight, bits) for name, weight in model.weights.items()}
            if _bytes(weights) <= _MAX_WEIGHT_BYTES:
                break
        images = self._splits.test.images
        rounded = replace(model, weights={name: weight.unpack() for name, weight in weights.items()})
        num_changed = int((predicted != rounded.predict(images)).sum())
        rounding = Rounding(bits=bits, num_changed=num_changed, num_images=len(images))
        return structs.replace(packed, weights=weights, rounding=rounding)

    def _as_packed(self, model: Model, packed: LiveModel) -> Model:
        """Return the model with the weights that the page has."""
        if packed.rounding is None:
            return model
        return replace(model, weights={name: weight.unpack() for name, weight in packed.weights.items()})

    def _images(self, shown: Sequence[int]) -> tuple[LiveImages, NDArray[np.uint8]]:
        """Pack the first images, the surest mistakes and those `shown` beyond them; return also their pixels.

        Of 300 first images and mistakes 7, 512 and 901, these are 0 to 299, 512 and 901, then the others of `shown`.
        """
        test, sample = self._splits.test, self._sample
        # The page needs an image even if a single one is too large.
        num_sample = max(1, sample.shape[0])
        all_mistakes = self._evaluation.mistakes
        mistakes = [mistake.index for mistake in all_mistakes if mistake.index >= num_sample][:_MAX_MISTAKES]
        # Mistakes first, since they are cut off last.
        others = [*mistakes, *sorted({index for index in shown if index >= num_sample} - set(mistakes))]
        if self._images_packed is not None and self._images_packed[0] == others:
            return self._images_packed[1:]
        packed_others = RowPacker(test.images[others]).pack(_IMAGE_BYTES - sample.num_json_bytes)
        indices = np.array([*range(num_sample), *others[: packed_others.shape[0]]])
        pixels = test.images[indices]
        images = LiveImages(
            split=test.split,
            indices=pack_small(indices),
            labels=pack_small(test.labels[indices]),
            pixels=Packed.from_array(pixels),
            num_sample=num_sample,
            num_mistakes=len(all_mistakes),
        )
        self._images_packed = others, images, pixels
        return images, pixels

    def _snapshots(self, replay: Replay, max_bytes: int) -> tuple[Snapshot, ...]:
        """Pack as many snapshots as fit, the first and the last among them, or none.

        Later epochs are left out first: of steps 0, 1, 3, 10, 30 and epochs 1 to 8 those of the steps are kept, and
        epochs that are evenly spaced. Packed sizes differ, so numbers of snapshots are tried: if of epochs 0 1 2 3 4 5
        6 7 8 only five fit, 0 to 4, then 0 2 4 6 8 are tried next; if only four of these fit, then 0 3 5 8.
        """
        all_points = sorted(replay.snapshots)
        early = [point for point in all_points if point.epoch < 1]
        later = [point for point in reversed(all_points) if point.epoch >= 1]  # the last is kept longest
        num_tried = len(all_points)
        min_points = 1 if num_tried == 1 else 2  # the only one, or the first and the last
        while num_tried >= min_points:
            num_early = min(len(early), max(1, num_tried - bool(later)))
            tried = evenly_spaced(early, num_early) + evenly_spaced(later, num_tried - num_early)[::-1]
            fitting = tuple(self._fitting_snapshots(replay, tried, max_bytes))
            if len(fitting) == len(tried):
                return fitting
            num_tried = len(fitting)
        return ()

    def _fitting_snapshots(self, replay: Replay, points: Sequence[Checkpoint], max_bytes: int) -> Iterator[Snapshot]:
        """Yield the packed weights of the first of `points`, as many as fit; the others are not packed."""
        for point in points:
            key = replay.model.weights_sha256, point
            if key not in self._snapshots_packed:
                weights = {name: pack_rounded(weight) for name, weight in replay.snapshots[point].items()}
                self._snapshots_packed[key] = from_attributes(Snapshot, point, weights=weights)
            max_bytes -= _bytes(self._snapshots_packed[key])
            if max_bytes < 0:
                return
            yield self._snapshots_packed[key]

    def _training_images(self, max_bytes: int) -> TrainingImages:
        """Pack as many training images as fit, but 200 at least, if they take no more than `_MIN_TRAINING_BYTES`."""
        dataset = self._splits.train
        if self._training is None:
            # A packer fits its rows in steps of a 64th: of 5,000 images in steps of 78. For the fewest images, another
            # one has only the first 200, and steps of 3.
            chosen = training_order(dataset.labels, dataset.num_classes)[:_MAX_TRAINING]
            images = dataset.images[chosen]
            self._training = chosen, RowPacker(images), RowPacker(images[:_MIN_TRAINING])
        chosen, all_rows, first_rows = self._training
        pixels = all_rows.pack(max_bytes)
        if pixels.shape[0] < _MIN_TRAINING:
            first_images = first_rows.pack(max(max_bytes, _MIN_TRAINING_BYTES))
            pixels = max(pixels, first_images, key=lambda packed: packed.shape[0])
        labels = dataset.labels[chosen[: pixels.shape[0]]]
        return TrainingImages(labels=pack_small(labels), pixels=pixels, of=len(dataset))


def pack_model(model: Model, means: Mapping[str, NDArray[np.float32]]) -> LiveModel:
    """Pack a model for the page; `means` are its `filter_means`."""
    return LiveModel(
        name=model.name,
        architecture=model.architecture.to_dict(),
        weights={name: Packed.from_array(weight) for name, weight in model.weights.items()},
        means={layer: Packed.from_array(mean) for layer, mean in means.items()},
        snapshots=(),
        rounding=None,
    )


def _bytes(value: object) -> int:
    """Count the bytes that the packed arrays within `value` take of the page."""
    if isinstance(value, Packed):
        return value.num_json_bytes
    if isinstance(value, Record):
        value = structs.asdict(value)
    if isinstance(value, dict):
        value = tuple(value.values())
    return sum(map(_bytes, value)) if isinstance(value, tuple) else 0


def pack_small(numbers: Sequence[int] | Labels) -> Packed:
    """Pack whole numbers in the smallest type that the page reads and that holds them exactly.

    The page has no type for wider whole numbers; float32 holds those up to 2**24 exactly.
    """
    values = np.asarray(numbers)
    largest = int(values.max(initial=0))
    dtype = np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.float32
    return Packed.from_array(values.astype(dtype))


def evenly_spaced(values: Sequence[_Value], max_values: int) -> list[_Value]:
    """Select at most `max_values` of `values`, with the first and the last unless `max_values` is 1."""
    return [values[index] for index in evenly(len(values), max_values)]


def training_order(labels: Labels, num_classes: int) -> NDArray[np.int64]:
    """Order the training images for the page: as in the file, or the classes in turn if the file is sorted by class."""
    parts = labels[:_MAX_TRAINING], labels
    first, whole = (np.bincount(part, minlength=num_classes) / len(part) for part in parts)
    # Half the sum of differences is the share of images that would have to change their class: 0.6 and 0.4 against 0.5
    # and 0.5 differ by 0.2 in all, and with 0.1 of the images in the other class they would not.
    if np.abs(first - whole).sum() / 2 <= _MAX_IMBALANCE and (first[whole > 0] > 0).all():
        return np.arange(len(labels))
    # Sorted labels 0 0 0 1 1 have the ranks 0 1 2 0 1. In the order of the ranks, they are 0 1 | 0 1 | 0.
    rank_in_class = np.empty(len(labels), np.int64)
    for label in range(num_classes):
        members = np.flatnonzero(labels == label)
        rank_in_class[members] = np.arange(len(members))
    return np.argsort(rank_in_class, kind="stable")
