"""Nodes in the order in which they compute."""

from graphlib import CycleError, TopologicalSorter

from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.nodes import Graph, Node


def in_order(graph: Graph, notes: list[str]) -> list[Node]:
    """Return the nodes so that each stands behind those whose outputs it reads, and note it if they were not so.

    Raises:
        ModelFileError: if a node reads what no other gives, two give the same, or they form a cycle.
    """
    nodes = graph.nodes
    known = {graph.image.name, *graph.weights, ""}
    makers = _makers(nodes, known)
    sorter = TopologicalSorter[int](dict.fromkeys(range(len(nodes)), ()))
    is_in_order = True
    for number, node in enumerate(nodes):
        for name in set(node.inputs) - known:
            if name not in makers:
                raise ModelFileError(f"{node.label} needs {name!r:.60}, which no node provides: an input is missing")
            sorter.add(number, makers[name])
            is_in_order &= makers[name] < number
    if is_in_order:
        return list(nodes)
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        first = nodes[min(error.args[1])]
        raise ModelFileError(
            f"{first.label} needs what is computed from its own output: the graph has a cycle"
        ) from error
    notes.append("its nodes are not in the order in which they compute, and were sorted")
    return [nodes[number] for number in order]


def _makers(nodes: tuple[Node, ...], known: set[str]) -> dict[str, int]:
    """Return which node gives each value."""
    makers: dict[str, int] = {}
    for number, node in enumerate(nodes):
        outputs = [name for name in node.outputs if name]
        taken = known & set(outputs) or makers.keys() & set(outputs)
        if not node.outputs or not node.outputs[0] or taken or len(set(outputs)) < len(outputs):
            raise ModelFileError(f"{node.label} has no output, or one that another node already has")
        makers |= dict.fromkeys(outputs, number)
    return makers
