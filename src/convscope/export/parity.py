"""Compare an exported file with its model: both classify the same images, and every difference is counted."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import UNSET, UnsetType, field
from msgspec.structs import astuple
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import InterchangeError
from convscope.base.records import Count, Fraction, NonNegative, Positive, Record, Seconds
from convscope.base.tables import html_table, text_table
from convscope.data.datasets import DatasetLike
from convscope.evidence.latency import measure_latency
from convscope.evidence.records import TopicRecord
from convscope.export.formats import Dtype
from convscope.export.records import MemoryUse, QuantizationLoss
from convscope.export.runner import Runner
from convscope.training.model import Model, dataset_for

_BLOCK = 1000  # images at once
MEMORY_HEADER = ("file", "flash", "working memory", "stack")  # bytes
LOSS_HEADER = ("layer", "changed alone", "logit difference", "changed if float", "logit difference")
HEADER = ("file", "run by", "kB", "logit difference", "changed", "accuracy", "one image", "a thousand")


class Parity(Record, kw_only=True):
    """The differences between an exported file's predictions and its model's, and their cost.

    Attributes:
        format, dtype: as `export_model` takes them.
        file: the file's name.
        runtime: the program that ran it, with its version.
        num_images: how many images both classified.
        largest_difference: the largest difference of a logit, over all images and classes.
        largest_logit: the largest magnitude of a logit of the model, for comparison.
        num_changed: how many predictions differ.
        accuracy, model_accuracy: the share of correct predictions of file and model.
        image_seconds: the median time for one image.
        thousand_seconds: the median time for a thousand at once; None if there are fewer.
        memory: what the file takes on a device; left out for formats that are not for small ones.
        quantization: what 8 bits change in each layer; left out unless the type is int8.
    """

    format: str
    dtype: Dtype
    file: str
    num_bytes: Count
    runtime: str
    num_images: Positive
    largest_difference: NonNegative
    largest_logit: NonNegative
    num_changed: Count
    accuracy: Fraction
    model_accuracy: Fraction
    image_seconds: Seconds
    thousand_seconds: Seconds | None
    memory: MemoryUse | UnsetType = UNSET
    quantization: QuantizationLoss | UnsetType = UNSET

    @property
    def cells(self) -> tuple[str, ...]:
        """The file's row under `HEADER`."""
        return (
            self.file,
            self.runtime,
            f"{self.num_bytes / 1000:,.1f}",
            f"{self.largest_difference:.2g}",
            f"{self.num_changed:,}",
            f"{100 * self.accuracy:.2f} %",
            f"{1e6 * self.image_seconds:,.0f} µs",
            "" if self.thousand_seconds is None else f"{1e3 * self.thousand_seconds:,.1f} ms",
        )


class ParityTable(TopicRecord, kw_only=True):
    """Exports of one model side by side."""

    rows: tuple[Parity, ...] = field(name="exports")

    @property
    def sentence(self) -> str:
        """The number of changed predictions, and the size of logits, in words."""
        changed = [row.num_changed for row in self.rows if row.num_changed]
        what = f"No answer to {max(row.num_images for row in self.rows):,} images changed"
        if changed:
            what = f"{len(changed)} of {len(self.rows)} files change answers, {max(changed):,} at most"
        largest, accuracy = max(row.largest_logit for row in self.rows), f"{100 * self.rows[0].model_accuracy:.2f} %"
        return f"{what}; the model's largest logit has size {largest:.3g}, and it reads {accuracy} right"

    def merge(self, rows: Sequence[Parity]) -> "ParityTable":
        """Add `rows`; each replaces an earlier row of the same file."""
        return ParityTable(rows=tuple({row.file: row for row in (*self.rows, *rows)}.values()))

    @property
    def memory_cells(self) -> list[tuple[str, ...]]:
        """The rows under `MEMORY_HEADER`."""
        uses = [(row.file, row.memory) for row in self.rows if row.memory is not UNSET]
        return [(file, *("" if count is None else f"{count:,}" for count in astuple(memory))) for file, memory in uses]

    @property
    def losses(self) -> list[tuple[str, QuantizationLoss]]:
        """The effect of 8 bits by layer, with the name of the file."""
        return [(row.file, row.quantization) for row in self.rows if row.quantization is not UNSET]

    def __str__(self) -> str:
        parts = [text_table(HEADER, [row.cells for row in self.rows], left=2)]
        if self.memory_cells:
            parts += ["Bytes on a device:", text_table(MEMORY_HEADER, self.memory_cells)]
        for file, loss in self.losses:
            changed, largest = loss.total.num_changed, loss.total.largest
            parts += [
                f"{file}: 8 bits change {changed:,} of {loss.num_images:,} predictions, and logits by {largest:.2g}.",
                text_table(LOSS_HEADER, loss.cells),
            ]
        if self.losses:
            parts.append(
                "Alone: only this layer has 8 bits, in its weights and its output. If float: all layers have 8 bits, "
                "but the weights of this one stay float, as with `float_layers`."
            )
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        table = html_table(HEADER, [row.cells for row in self.rows], left=2)
        return table + (html_table(MEMORY_HEADER, self.memory_cells) if self.memory_cells else "")


@checked
def measure_parity(
    model: Model,
    runner: Runner,
    path: Path,
    format: str,
    dtype: Dtype,
    dataset: DatasetLike,
    on_progress: Callable[[int, int], None] | None = None,
) -> Parity:
    """Classify the images of `dataset` by `model` and by the file at `path`, opened as `runner`, and compare.

    Args:
        on_progress: called with the number of images so far and in all.

    Raises:
        ValueError: if the images do not fit the model.
        InterchangeError: if the file gives logits of another shape, or logits that are not finite.
    """
    dataset = dataset_for(model, dataset)
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(dataset), _BLOCK)]
    largest, largest_logit, changed, correct, model_correct = 0.0, 0.0, 0, 0, 0
    for block in blocks:
        images: NDArray[np.uint8] = np.ascontiguousarray(dataset.images[block])
        model_logits, logits = model.logits(images), runner.logits(images)
        if logits.shape != model_logits.shape:
            raise InterchangeError(
                f"{path}: gives logits of shape {logits.shape}; the model gives {model_logits.shape}"
            )
        if not np.isfinite(logits).all():
            raise InterchangeError(f"{path}: gives a logit that is not finite; write it in another type")
        # In float64, so that the difference itself is not rounded.
        largest = max(largest, float(np.abs(logits.astype(np.float64) - model_logits).max()))
        largest_logit = max(largest_logit, float(np.abs(model_logits).max()))
        labels, y_model, y_file = dataset.labels[block], model_logits.argmax(axis=1), logits.argmax(axis=1)
        changed += int((y_model != y_file).sum())
        correct += int((y_file == labels).sum())
        model_correct += int((y_model == labels).sum())
        if on_progress is not None:
            on_progress(block.start + len(labels), len(dataset))
    image_seconds, thousand_seconds = measure_latency(runner, dataset.images)
    return Parity(
        format=format,
        dtype=dtype,
        file=path.name,
        num_bytes=path.stat().st_size,
        runtime=runner.runtime,
        num_images=len(dataset),
        largest_difference=largest,
        largest_logit=largest_logit,
        num_changed=changed,
        accuracy=correct / len(dataset),
        model_accuracy=model_correct / len(dataset),
        image_seconds=image_seconds,
        thousand_seconds=thousand_seconds,
        memory=getattr(runner, "memory", None) or UNSET,
    )
