"""The proof that an exported file answers as the model does: the same images through both, every difference counted."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from msgspec import field
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import InterchangeError
from convscope.base.records import Count, Fraction, NonNegative, Positive, Record, Seconds
from convscope.base.tables import html_table, text_table
from convscope.data.datasets import DatasetLike
from convscope.evidence.latency import measure_latency
from convscope.evidence.records import TopicRecord
from convscope.interchange.formats import Dtype
from convscope.interchange.runner import Runner
from convscope.training.model import Model, dataset_for

_BLOCK = 1000  # images at once
HEADER = ("file", "run by", "kB", "logit difference", "changed", "accuracy", "one image", "a thousand")


class Parity(Record, kw_only=True):
    """How far an exported file's predictions are from those of its model, and what they cost.

    Attributes:
        format, dtype: as `export_model` takes them.
        file: its name.
        num_bytes: its size.
        runtime: what ran it, with its version.
        num_images: how many images both classified.
        largest_difference: of a logit, over all images and classes.
        largest_logit: the largest size of a logit of the model, to hold that against.
        num_changed: images that the file classifies otherwise.
        accuracy, model_accuracy: the share that file and model classify correctly.
        image_seconds: the median that one image takes.
        thousand_seconds: the median that a thousand at once take; None where there are fewer.
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
        """How many predictions changed, and how large logits are, in words."""
        changed = [row.num_changed for row in self.rows if row.num_changed]
        what = f"No answer to {max(row.num_images for row in self.rows):,} images changed"
        if changed:
            what = f"{len(changed)} of {len(self.rows)} files change answers, {max(changed):,} at most"
        largest, accuracy = max(row.largest_logit for row in self.rows), f"{100 * self.rows[0].model_accuracy:.2f} %"
        return f"{what}; the model's largest logit has size {largest:.3g}, and it reads {accuracy} right"

    def joined(self, rows: Sequence[Parity]) -> "ParityTable":
        """Return the table with `rows`, each in the place of an earlier one of the same file."""
        return ParityTable(rows=tuple({row.file: row for row in (*self.rows, *rows)}.values()))

    def __str__(self) -> str:
        return text_table(HEADER, [row.cells for row in self.rows], left=2)

    def _repr_html_(self) -> str:
        return html_table(HEADER, [row.cells for row in self.rows], left=2)


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
    """Return how the file at `path`, opened as `runner`, answers the images of `dataset` against `model`.

    Args:
        on_progress: called with how many images were answered so far, and will be in all.

    Raises:
        ValueError: if the images are not those that the model reads.
        InterchangeError: if the file gives logits of another shape, or ones that are not finite.
    """
    dataset = dataset_for(model, dataset)
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(dataset), _BLOCK)]
    largest, largest_logit, changed, right, model_right = 0.0, 0.0, 0, 0, 0
    for block in blocks:
        images: NDArray[np.uint8] = np.ascontiguousarray(dataset.images[block])
        ours, theirs = model.logits(images), runner.logits(images)
        if theirs.shape != ours.shape:
            raise InterchangeError(f"{path}: gives logits of shape {theirs.shape}; the model gives {ours.shape}")
        if not np.isfinite(theirs).all():
            raise InterchangeError(f"{path}: gives a logit that is not finite; write it in another type")
        largest = max(largest, float(np.abs(theirs.astype(np.float64) - ours).max()))
        largest_logit = max(largest_logit, float(np.abs(ours).max()))
        labels, ours_best, theirs_best = dataset.labels[block], ours.argmax(axis=1), theirs.argmax(axis=1)
        changed += int((ours_best != theirs_best).sum())
        right += int((theirs_best == labels).sum())
        model_right += int((ours_best == labels).sum())
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
        accuracy=right / len(dataset),
        model_accuracy=model_right / len(dataset),
        image_seconds=image_seconds,
        thousand_seconds=thousand_seconds,
    )
