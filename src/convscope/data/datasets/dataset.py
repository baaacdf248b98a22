"""Images with labels as one checked value."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.base.arguments import Name, Seed, check_fields, checked, convert, describe
from convscope.base.arrays import read_only
from convscope.base.records import Recorded, from_attributes
from convscope.base.streams import random_stream
from convscope.base.tables import clip, html_table
from convscope.data.datasets.arrays import class_indices, image_bytes
from convscope.data.datasets.data_file import Images, Labels
from convscope.data.datasets.disk.images import blocks, is_on_disk
from convscope.data.datasets.pictures import strip_png
from convscope.data.datasets.records import LoadOptions, SourceFile, SplitRecord, SplitsRecord
from convscope.data.handwriting import Handwriting, handwriting_of

_LABELS_AT_ONCE = 1 << 20  # np.bincount and the digest convert labels to int64, eight times the memory of uint8


@dataclass(frozen=True, eq=False)
class Dataset(Recorded):
    """Images as they are in the file, their labels, and what the labels mean.

    Attributes:
        images: (N, H, W, C) uint8. Images of a file too large for memory are `DiskImages`, which take an index as an
            array does; code that needs them all goes over `convscope.data.datasets.disk.images.blocks`.
        labels: (N,) uint8 or int64, each below K. Labels and images are read-only views of the arguments, which must
            not change afterwards; `from_arrays` copies them.
        class_names: K names; `class_names[label]` is what an image shows.
        name: the name of the set, such as "mnist".
        split: "train", "validation" or "test".
        source: the files it was read from.
        files: (N,) the picture that each image was read from, below the folder or archive of `source`; empty if images
            have no files of their own.
        weights: (N,) float32, the factor of each image's loss in training; None for ones. Measurements do not use them.

    Raises:
        ValueError: if the lengths differ, there is no pixel, a label has no class name, a name is longer than 255
            characters, a weight is negative or not finite, or an array has another number type or shape.
    """

    images: Images = field(repr=False)
    labels: Labels = field(repr=False)
    class_names: tuple[Name, ...]
    name: Name = "custom"
    split: str = "train"
    source: tuple[SourceFile, ...] = field(default=())
    files: tuple[str, ...] = field(default=(), repr=False)
    weights: NDArray[np.float32] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        for name, value in (("images", images), ("labels", labels)):
            if not isinstance(value, np.ndarray) and not (name == "images" and is_on_disk(value)):
                raise TypeError(
                    f"{name} is {describe(value)}; it must be an array (Dataset.from_arrays also takes lists and "
                    "other types)"
                )
        check_fields(self)
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(f"images are {images.dtype} of shape {images.shape}; they must be uint8 (N, H, W, C)")
        if labels.dtype not in (np.uint8, np.int64) or labels.ndim != 1:
            raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}; they must be uint8 or int64 (N,)")
        if len(images) != len(labels):
            raise ValueError(
                f"there are {len(images)} images but {len(labels)} labels; there must be one label per image"
            )
        if len(self.files) not in (0, len(images)):
            raise ValueError(f"there are {len(images)} images but {len(self.files)} files; there must be one per image")
        if self.weights is not None:
            _check_weights(self.weights, len(images))
        if images.size == 0:
            raise ValueError(f"images have shape {images.shape}; there must be at least one pixel of one image")
        if len(self.class_names) < 2:
            raise ValueError(f"class_names has {len(self.class_names)} names; there must be at least two")
        lowest, highest = int(labels.min()), int(labels.max())
        if lowest < 0 or highest >= len(self.class_names):
            raise ValueError(
                f"labels run from {lowest} to {highest}, but there are {len(self.class_names)} class names"
            )
        # Also makes the arrays read-only.
        self.__setstate__({})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in ("images", "labels", "weights"):  # also here, since pickle makes arrays writable again
            if isinstance(array := self.__dict__.get(name), np.ndarray):
                self.__dict__[name] = read_only(array)

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike,
        labels: ArrayLike,
        *,
        class_names: Sequence[str] | None = None,
        image_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] | None = None,
        weights: ArrayLike | None = None,
        name: str = "custom",
        split: str = "train",
    ) -> "Dataset":
        """Make a data set of images and labels of any common form.

        >>> digits = Dataset.from_arrays([[[0.0, 0.5], [1.0, 0.0]]] * 2, ["seven", "one"])
        >>> digits.image_shape, digits.class_names, digits.labels.tolist(), digits.images[0, ..., 0].tolist()
        ((2, 2, 1), ('one', 'seven'), [1, 0], [[0, 128], [255, 0]])

        Args:
            images: (N, H, W), (N, H, W, C), or rows (N, D) with `image_shape`: an array or nested lists of finite
                numbers. uint8 is copied, unless nobody can write to it: to save the memory of a copy, set
                `images.flags.writeable = False` first. Other numbers become the nearest of the 256 bytes.
            labels: (N,) whole numbers or text, one label for each image.
            class_names: K names. By default they are the different labels as text, sorted as the labels are. A label
                stands for the class that it names; if some labels are whole numbers but no names, all labels are
                indices from 0.
            image_shape: (H, W) or (H, W, C) of an image in rows, in the order row, column, channel.
            value_range: the numbers that become byte 0 and byte 255. By default 0 to 255, 0 to 1 or -1 to 1: the first
                range that contains all numbers and is more than half filled. If there is none, it must be stated.
            weights: (N,) numbers from 0, the factor of each image's loss in training.

        Raises:
            ValueError: if shape, range or a label is not clear or does not fit, a number is not finite, or there are
                fewer than two classes or not as many labels as images.
            TypeError: if images are not numbers, or labels are neither whole numbers nor text.
        """
        names = None if class_names is None else convert(class_names, Sequence[str], "class_names")
        limits = convert(value_range, tuple[float, float] | None, "value_range")
        indices, all_names = class_indices(labels, names)
        factors = convert(weights, NDArray[np.floating[Any]] | None, "weights")
        if factors is not None:
            with np.errstate(over="ignore"):  # a weight beyond float32 becomes infinite, which is refused by its index
                factors = factors.astype(np.float32)
        return cls(image_bytes(images, image_shape, limits), indices, all_names, name, split, weights=factors)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def file_of(self, index: int) -> str | None:
        """Find the picture that an image was read from; None if it has no file of its own."""
        return self.files[index] if self.files else None

    @property
    def class_counts(self) -> NDArray[np.int64]:
        """(K,), the number of images of each class."""
        counts = np.zeros(self.num_classes, np.int64)
        for start in range(0, len(self), _LABELS_AT_ONCE):
            counts += np.bincount(self.labels[start : start + _LABELS_AT_ONCE], minlength=self.num_classes)
        return counts

    @property
    def pixel_range(self) -> tuple[int, int]:
        """The smallest and the largest value of any pixel."""
        images = self.images
        return images.pixel_range if is_on_disk(images) else (int(images.min()), int(images.max()))

    @cached_property
    def handwriting(self) -> Handwriting:
        """How a photo is converted to an image like these."""
        return handwriting_of(self.images)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 over shape, images, labels (as int64) and weights: equal for equal data of any file."""
        # Shape and names first: the same bytes may be images of another size.
        digest = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        for block in blocks(self.images):
            digest.update(np.ascontiguousarray(block).data)
        # As int64 in one byte order, so that neither the label type nor the machine changes the digest.
        for start in range(0, len(self), _LABELS_AT_ONCE):
            digest.update(self.labels[start : start + _LABELS_AT_ONCE].astype("<i8").data)
        if self.weights is not None:  # data without weights keep the digests that earlier runs recorded
            digest.update(b"weights" + self.weights.astype("<f4").tobytes())
        return digest.hexdigest()

    def take(self, indices: NDArray[np.integer[Any]], split: str | None = None) -> "Dataset":
        """Make a data set of the images at `indices` (n,), in that order; many images on disk stay there."""
        images = self.images.take(indices) if is_on_disk(self.images) else self.images[indices]
        files = tuple(np.array(self.files, object)[indices]) if self.files else ()
        weights = None if self.weights is None else self.weights[indices]
        return replace(
            self, images=images, labels=self.labels[indices], split=split or self.split, files=files, weights=weights
        )

    @checked
    def divide(
        self, fraction: float, seed: Seed = 0, unseen: NDArray[np.bool_] | None = None
    ) -> tuple["Dataset", "Dataset"]:
        """Divide into (train, validation), with `fraction` of each class, drawn by the stream "split", for validation.

        Args:
            unseen: (N,), true for images that may be held out, since no network was trained on them; by default all.

        Raises:
            ValueError: if `fraction` is not between 0 and 1 or leaves one side without an image, or fewer images of a
                class may be held out than it asks for.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction is {fraction}; it must lie between 0 and 1")
        stream = random_stream(seed, "split")
        held_out = np.zeros(len(self), dtype=bool)
        for label in range(self.num_classes):
            # All images of the class are shuffled, even if few are allowed, so that `unseen` does not change the order.
            members = stream.permutation(np.flatnonzero(self.labels == label))
            wanted = round(fraction * len(members))
            allowed = members if unseen is None else members[unseen[members]]
            if len(allowed) < wanted:
                raise ValueError(
                    f"needs {wanted:,} images of class {self.class_names[label]!r} that the network was not trained on "
                    f"before, but only {len(allowed):,} are known; hold out fewer or none, add new images, or start "
                    "from a network that was trained on fewer images"
                )
            held_out[allowed[:wanted]] = True
        # If all classes are small, rounding may hold out no image, or all of them.
        if held_out.all() or not held_out.any():
            raise ValueError(f"fraction {fraction} of {len(self)} images leaves one side empty")
        return self.take(np.flatnonzero(~held_out), "train"), self.take(np.flatnonzero(held_out), "validation")

    def to_record(self) -> SplitRecord:
        """Describe the data set without its pixels."""
        return from_attributes(
            SplitRecord,
            self,
            num_images=len(self),
            image_dtype=str(self.images.dtype),
            label_dtype=str(self.labels.dtype),
        )

    def _repr_html_(self) -> str:
        return html_card([self])


def _check_weights(weights: NDArray[np.float32], num_images: int) -> None:
    if weights.dtype != np.float32 or weights.shape != (num_images,):
        raise ValueError(f"weights are {weights.dtype} of shape {weights.shape}; they must be float32 ({num_images},)")
    if len(is_wrong := np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))):
        raise ValueError(
            f"weights[{is_wrong[0]}] is {weights[is_wrong[0]]}; a weight must be a finite number, 0 or larger"
        )


def evenly(count: int, max_count: int) -> NDArray[np.int64]:
    """Choose at most `max_count` of the indices 0 to count - 1, evenly spaced from the first to the last.

    >>> evenly(9, 3).tolist()
    [0, 4, 8]
    """
    return np.linspace(0, count - 1, min(count, max_count)).round().astype(np.int64)


@dataclass(frozen=True, eq=False)
class Splits(Recorded):
    """The two splits of a data set; nothing is trained on `test` or chosen by it.

    Attributes:
        options: the arguments of `load_dataset` that made the splits.

    Raises:
        ValueError: if the two differ in image size or class names.
    """

    train: Dataset
    test: Dataset
    options: LoadOptions = field(default_factory=LoadOptions)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.train.image_shape != self.test.image_shape:
            shapes = [" × ".join(map(str, split.image_shape)) for split in (self.train, self.test)]
            raise ValueError(f"train images are {shapes[0]}, but test images {shapes[1]} (height × width × channels)")
        if self.train.class_names != self.test.class_names:
            raise ValueError("train and test have different class names")

    @property
    def name(self) -> str:
        return self.train.name

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.train.image_shape

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names

    @property
    def num_damaged(self) -> int:
        """Number of damaged pictures that were left out."""
        # A file may be a source of both splits, and counts once.
        return sum(file.num_damaged for file in dict.fromkeys((*self.train.source, *self.test.source)))

    @property
    def num_classes(self) -> int:
        return self.train.num_classes

    def to_record(self) -> SplitsRecord:
        return from_attributes(SplitsRecord, self)

    def _repr_html_(self) -> str:
        return html_card([self.train, self.test])


SHOWN_IMAGES = 10
MAX_OPEN_CLASSES = 20  # if there are more classes, their table is folded away
NAME_WIDTH = 40  # characters; longer names are clipped


def html_card(splits: "Sequence[Dataset]") -> str:
    """Format splits of a data set as HTML: a table with a column for each split, and a strip of images of each."""
    first = splits[0]
    height, width, channels = first.image_shape
    plural = "channel" if channels == 1 else "channels"
    head = ("class", *(split.split for split in splits))
    counts = [split.class_counts.tolist() for split in splits]
    totals = ("all", *(f"{len(split):,}" for split in splits))
    classes = [
        (clip(name, NAME_WIDTH), *(f"{column[label]:,}" for column in counts))
        for label, name in enumerate(first.class_names)
    ]
    if first.num_classes <= MAX_OPEN_CLASSES:
        table = html_table(head, [totals, *classes])
    else:
        smallest = ("smallest class", *(f"{min(column):,}" for column in counts))
        largest = ("largest class", *(f"{max(column):,}" for column in counts))
        table = (
            f"{html_table(head, [totals, smallest, largest])}"
            f"<details><summary>each of the {first.num_classes} classes</summary>{html_table(head, classes)}</details>"
        )
    return "".join(
        [
            f"<div><strong>{escape(clip(first.name, NAME_WIDTH))}</strong>: {first.num_classes} classes, "
            f"images of {height} × {width} pixels and {channels} {plural}, uint8 as in the file",
            table,
            *(_strip(split) for split in splits),
            "</div>",
        ]
    )


def _strip(split: "Dataset") -> str:
    images = split.images[:SHOWN_IMAGES]
    names = ", ".join(clip(split.class_names[label], NAME_WIDTH) for label in split.labels[:SHOWN_IMAGES])
    caption = escape(f"{split.split}, the first {len(images)}: {names}")
    picture = b64encode(strip_png(images)).decode()
    return (
        f'<figure style="margin: 0.5em 0"><img alt="{caption}" src="data:image/png;base64,{picture}" '
        'style="max-width: 100%; outline: 1px solid rgba(128, 128, 128, 0.5)">'
        f'<figcaption style="overflow-wrap: anywhere">{caption}</figcaption></figure>'
    )
