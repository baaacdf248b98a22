"""Compare two networks layer by layer, whichever programs wrote them: structure, weights, outputs, answers."""

from convscope.evidence.difference.measure import (
    compare_networks as compare_networks,
    describe as describe,
    find_scaling_between as find_scaling_between,
)
from convscope.evidence.difference.records import NetworkDifference as NetworkDifference
