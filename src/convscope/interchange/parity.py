"""The proof that an exported file answers as the model does: the same images through both, every difference counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import InterchangeError, RunError
from convscope.base.plain import PlainFields, from_plain
from convscope.base.tables import html_table, text_table
from convscope.data.datasets import DatasetLike
from convscope.evidence.latency import measure_latency
from convscope.interchange.formats import Dtype, Runner
from convscope.training.model import Model, dataset_for

_BLOCK = 1000  # images at once
HEADER = ("file", "run by", "kB", "logit difference", "changed", "accuracy", "one image", "a thousand")


@dataclass(frozen=True)
class Parity(PlainFields):
    """How far an exported file's answers are from those of its model, and what they cost.

    Attributes:
        format, dtype: as `export_model` takes them.
        file: its name.
        num_bytes: its size.
        runtime: what ran it, with its version.
        num_images: how many images both answered.
        largest_difference: of a logit, over all images and classes.
        largest_logit: the largest size of a logit of the model, to hold that against.
        num_changed: images to which the file gives another answer.
        accuracy, model_accuracy: the share that file and model classify correctly.
        image_seconds: the median that one image takes.
        thousand_seconds: the median that a thousand at once take; None where there are fewer.
    """

    format: str
    dtype: Dtype
    file: str
    num_bytes: int
    runtime: str
    num_images: int
    largest_difference: float
    largest_logit: float
    num_changed: int
    accuracy: float
    model_accuracy: float
    image_seconds: float
    thousand_seconds: float | None


@dataclass(frozen=True)
class ParityTable:
    """Exports of one model side by side."""

    rows: tuple[Parity, ...]

    @property
    def sentence(self) -> str:
        """Return what the table says, in words."""
        return parity_sentence([row.to_dict() for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        return {"exports": [row.to_dict() for row in self.rows]}

    def __str__(self) -> str:
        return text_table(HEADER, parity_cells(row.to_dict() for row in self.rows), left=2)

    def _repr_html_(self) -> str:
        return html_table(HEADER, parity_cells(row.to_dict() for row in self.rows), left=2)


def parity_cells(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the cells under `HEADER` of exports as plain JSON."""
    return [
        (
            row["file"],
            row["runtime"],
            f"{row['num_bytes'] / 1000:,.1f}",
            f"{row['largest_difference']:.2g}",
            f"{row['num_changed']:,}",
            f"{100 * row['accuracy']:.2f} %",
            f"{1e6 * row['image_seconds']:,.0f} µs",
            "" if row["thousand_seconds"] is None else f"{1e3 * row['thousand_seconds']:,.1f} ms",
        )
        for row in rows
    ]


def parity_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what exports, as plain JSON, have in common: how many answers changed, beside how large logits are."""
    changed = [row["num_changed"] for row in rows if row["num_changed"]]
    largest = max(row["largest_logit"] for row in rows)
    what = f"No answer to {max(row['num_images'] for row in rows):,} images changed"
    if changed:
        what = f"{len(changed)} of {len(rows)} files change answers, {max(changed):,} at most"
    accuracy = f"{100 * rows[0]['model_accuracy']:.2f} %"
    return f"{what}; the model's largest logit has size {largest:.3g}, and it reads {accuracy} right"


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
        format,
        dtype,
        path.name,
        path.stat().st_size,
        runner.runtime,
        len(dataset),
        largest,
        largest_logit,
        changed,
        right / len(dataset),
        model_right / len(dataset),
        image_seconds,
        thousand_seconds,
    )


def joined_exports(before: Any, rows: Sequence[Parity]) -> list[dict[str, Any]]:
    """Return the exports of a run as plain JSON, those of `rows` in the place of earlier ones of the same file.

    Raises:
        RunError: if `before`, what exports.json holds, is no list of exports.
    """
    if not isinstance(before, list):
        raise RunError(f"exports.json: damaged (exports is {before!r:.60}); remove it, and export again")
    earlier = [from_plain(Parity, row, "exports.json: an export", RunError) for row in before]
    new = {row.file: row.to_dict() for row in rows}
    kept = [new.pop(row.file, row.to_dict()) for row in earlier if isinstance(row.file, str)]
    return [*kept, *new.values()]
