"""A graph as an architecture with weights, for bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.engine.network import check_weights
from convscope.interchange.translation.assembly import assemble
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.nodes import Graph
from convscope.interchange.translation.steps import NotTranslated
from convscope.interchange.translation.walk import Translated, translate

_DEFAULT_SCALE = 1 / 255
_SCALES_BYTES = 1 / 64
"""A file that multiplies its input by less reads bytes: numbers from 0 to 1 would all but vanish."""


@dataclass(frozen=True, eq=False)
class Network:
    """What a graph computes, as layers."""

    architecture: Architecture
    weights: dict[str, NDArray[np.float32]]
    notes: tuple[str, ...]


def network_of(graph: Graph, image_shape: Size | None, scale: float | None, offset: float | None) -> Network:
    """Return the layers and weights of a graph; `scale` and `offset` make of a byte what the graph reads.

    Raises:
        InterchangeError: if the graph computes what no layers do: every such node is named with what would be needed.
    """
    try:
        translated = translate(graph, image_shape)
        scale, offset = _bytes_as_numbers(translated, scale, offset)
        architecture, weights = assemble(translated.state, translated.end, scale, offset)
    except (ArchitectureError, NotTranslated) as error:
        raise InterchangeError(f"cannot be converted to layers: {error}") from error
    try:
        check_weights(architecture, weights)
    except ValueError as error:
        raise InterchangeError(f"{error}; use another copy") from error
    return Network(architecture, weights, tuple(translated.state.notes))


def _bytes_as_numbers(translated: Translated, scale: float | None, offset: float | None) -> tuple[float, float]:
    """Return how a byte becomes what the file reads, and note what was assumed."""
    if scale is not None or offset is not None:
        return (1.0 if scale is None else scale), (0.0 if offset is None else offset)
    step: Any = translated.end.step
    while step.before is not None:
        step = step.before
    notes = translated.state.notes
    if translated.is_bytes:
        return 1.0, 0.0
    if abs(float(step.weights["scale"])) <= _SCALES_BYTES:
        notes.append("it scales its input itself, so the input is taken as bytes from 0 to 255")
        return 1.0, 0.0
    notes.append("it does not say how bytes are scaled: byte / 255 is assumed; give scale and offset if it differs")
    return _DEFAULT_SCALE, 0.0
