"""Find the output of a graph with a number for each class, and refuse networks without one."""

from collections.abc import Sequence

from convscope.base.spelling import did_you_mean
from convscope.interchange.refusal import ModelFileError, list_names
from convscope.interchange.translation.nodes import Graph, Sizes

_MIN_AUTOENCODER_OUTPUTS = 64
"""With fewer outputs than this, an image may have as many numbers as there are classes by chance."""
# Operators that may stand between an ArgMax and the output.
_AFTER_ARGMAX = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")


def find_class_scores(graph: Graph, output: str | None, notes: list[str]) -> str:
    """Find the value with the logits or probabilities, at the output called `output`, and return its name.

    Raises:
        ModelFileError: if there is no such output, or none has a number for each class.
    """
    names = list(graph.outputs)
    if output is not None:
        check_output(output, names)
        names = [output]
    softmaxes = {node.outputs[0] for node in graph.nodes if node.operator in ("Softmax", "LogSoftmax")}
    # In this order: the only output, the only output of a softmax, the output called `logits`.
    for candidates in (names if len(names) == 1 else [], [name for name in names if name in softmaxes], ["logits"]):
        if len(candidates) == 1 and candidates[0] in names:
            name = candidates[0]
            check_classes(f"output {name!r:.60}", (graph.outputs[name] or ())[1:])
            return _find_scores_before_argmax(graph, name, notes)
    raise ModelFileError(
        f"it has {len(names)} outputs ({list_names(names)}); name the one with a number for each class with `output`. "
        "A detector, which gives boxes and scores, is no classifier and cannot be imported"
    )


def check_output(output: str, names: Sequence[str]) -> None:
    """Raise `ModelFileError` if a network has no such output."""
    if output not in names:
        raise ModelFileError(f"it has no output {output!r:.60}, but {list_names(names)}{did_you_mean(output, names)}")


def check_classes(what: str, sizes: Sizes) -> None:
    """Raise `ModelFileError` if an output of these sizes, without the batch, is not a number for each class."""
    # At most one axis with several numbers: (N, K), but also (N, K, 1, 1). An open axis may have any size.
    if sum(size not in (1, None) for size in sizes) > 1:
        shape = " x ".join("?" if size is None else str(size) for size in sizes)
        raise ModelFileError(
            f"{what} is {shape} numbers for each image, and a classifier has one for each class. It may be a denoiser, "
            "an autoencoder or a segmentation, which give images, or a detector; only classifiers can be imported"
        )


def check_no_autoencoder(outputs: int, pixels: int) -> None:
    """Raise `ModelFileError` if a network has as many outputs as its images have numbers."""
    if outputs == pixels >= _MIN_AUTOENCODER_OUTPUTS:
        raise ModelFileError(
            f"it has as many outputs as an image has numbers ({outputs}), as an autoencoder or a denoiser has; only "
            "classifiers can be imported"
        )


def _find_scores_before_argmax(graph: Graph, end: str, notes: list[str]) -> str:
    """Find the scores before an ArgMax at the end; without an ArgMax, `end` itself."""
    nodes = {name: node for node in graph.nodes for name in node.outputs}
    if end not in nodes and end not in graph.weights and end != graph.image.name:
        raise ModelFileError(f"output {end!r:.60} is not provided by any node")
    node = nodes.get(end)
    while node is not None and node.operator in _AFTER_ARGMAX:
        node = nodes.get(node.inputs[0]) if node.inputs else None
    if node is None or node.operator != "ArgMax" or not node.inputs:
        return end
    if node.int("axis", 0) not in (1, -1):
        raise ModelFileError(f"{node.label} goes over axis {node.int('axis', 0)}; the classes of (N, K) are needed")
    notes.append("its output is the number of the class (ArgMax): the numbers that it compares are used as logits")
    return node.inputs[0]
