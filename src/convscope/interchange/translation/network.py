"""A graph as an architecture with weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.engine.network import check_weights
from convscope.interchange.imported import scales_bytes
from convscope.interchange.translation.assembly import assemble
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.nodes import Graph
from convscope.interchange.translation.steps import NotTranslated
from convscope.interchange.translation.walk import translate


@dataclass(frozen=True, eq=False)
class Network:
    """What a graph computes, as layers.

    Attributes:
        reads_bytes: whether the numbers that the graph is given are the bytes of an image.
    """

    architecture: Architecture
    weights: dict[str, NDArray[np.float32]]
    notes: tuple[str, ...]
    reads_bytes: bool


def network_of(graph: Graph, image_shape: Size | None, output: str | None = None) -> Network:
    """Return the layers and weights of a graph that lead to `output`, where it has several.

    Raises:
        InterchangeError: if the graph computes what no layers do: every such node is named with what would be needed.
    """
    try:
        translated = translate(graph, image_shape, output)
        architecture, weights = assemble(translated.state, translated.end)
    except (ArchitectureError, NotTranslated) as error:
        raise InterchangeError(f"cannot be converted to layers: {error}") from error
    try:
        check_weights(architecture, weights)
    except ValueError as error:
        raise InterchangeError(f"{error}; use another copy") from error
    notes, reads_bytes = translated.state.notes, translated.is_bytes
    if not reads_bytes and scales_bytes(architecture, weights):
        notes.append("it scales its input itself, so the input is taken as bytes from 0 to 255")
        reads_bytes = True
    return Network(architecture, weights, tuple(notes), reads_bytes)
