"""Build an architecture with weights from a graph."""

from convscope.base.errors import ArchitectureError
from convscope.engine.network import check_weights
from convscope.interchange.imported import Imported, scales_bytes
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.assembly import assemble
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.nodes import Graph
from convscope.interchange.translation.operators import translate
from convscope.interchange.translation.steps import NotTranslated


def build_network(graph: Graph, image_shape: Size | None, output: str | None = None) -> Imported:
    """Build the layers and weights that lead to `output`, or to the only output.

    Raises:
        ModelFileError: naming every node that no layer can compute, with what would be needed.
    """
    try:
        state, end = translate(graph, image_shape, output)
        architecture, weights = assemble(state, end)
    except (ArchitectureError, NotTranslated) as error:
        raise ModelFileError(f"cannot be converted to layers: {error}") from error
    try:
        check_weights(architecture, weights)
    except ValueError as error:
        raise ModelFileError(f"{error}; use another copy") from error
    reads_bytes = graph.image.is_bytes
    # A float input is common in files that scale it themselves; then no other scaling may come before.
    if not reads_bytes and scales_bytes(architecture, weights):
        state.notes.append("it scales its input itself, so the input is taken as bytes from 0 to 255")
        reads_bytes = True
    return Imported(architecture, weights, tuple(state.notes), reads_bytes=reads_bytes)
