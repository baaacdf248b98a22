"""Compare two networks layer by layer, whichever programs wrote them: structure, weights, outputs, answers."""

from convscope.evidence.difference.measure import compare_networks, describe, find_scaling_between
from convscope.evidence.difference.records import NetworkDifference

__all__ = ["NetworkDifference", "compare_networks", "describe", "find_scaling_between"]
