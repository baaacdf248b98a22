"""Records of the proof of an exported file: its memory, and the effect of 8 bits in each layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Count, NonNegative, Positive, Record

MAX_LAYERS = 12
"""The layers in a table; the record has all."""


class MemoryUse(Record, kw_only=True):
    """The memory that a file takes on a device, for one image.

    Attributes:
        flash_bytes: its constants, or the whole file where an interpreter reads it; without code.
        arena_bytes: the working memory: the values that are needed at the same time, at most.
        stack_bytes: all frames together, as this machine's compiler lays them out; None where an interpreter runs it.
    """

    flash_bytes: Count
    arena_bytes: Count
    stack_bytes: Count | None


class Difference(Record, kw_only=True):
    """The difference from the network in float: how many predictions change, and the largest change of a logit."""

    num_changed: Count
    largest: NonNegative


def compare_logits(expected: NDArray[Any], logits: NDArray[Any]) -> Difference:
    """Compare logits (N, K) with those of the network in float."""
    changed = int((expected.argmax(axis=1) != logits.argmax(axis=1)).sum())
    return Difference(num_changed=changed, largest=float(np.abs(logits - expected).max()))


class LayerLoss(Record, kw_only=True):
    """The effect of 8 bits in one layer.

    Attributes:
        alone: if only this layer has 8 bits.
        without: if all layers have 8 bits, but the weights of this one stay float; None for a layer without weights.
    """

    layer: str
    alone: Difference
    without: Difference | None


class QuantizationLoss(Record, kw_only=True):
    """The effect of 8 bits in all layers together, and in each, the layer with the largest effect alone first."""

    num_images: Positive
    total: Difference
    layers: tuple[LayerLoss, ...]

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """Rows of the first `MAX_LAYERS` layers, each with the two numbers of `alone` and of `without`."""
        rows = [(loss.layer, *_difference_cells(loss.alone), *_difference_cells(loss.without)) for loss in self.layers]
        return [*rows[:MAX_LAYERS], *[("…", "", "", "", "")] * (len(rows) > MAX_LAYERS)]


def _difference_cells(difference: Difference | None) -> tuple[str, str]:
    return ("", "") if difference is None else (f"{difference.num_changed:,}", f"{difference.largest:.2g}")
