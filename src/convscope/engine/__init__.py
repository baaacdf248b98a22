"""The engines, which compute a network's outputs, gradients and training steps.

`reference` is the mathematics in NumPy, to be read and to check the others against; `native` is the compiled engine
that does the work; `keras` passes it to Keras. Each is a `Network` (see `convscope.engine.network`), with the same
results up to rounding.
"""

from convscope.engine.ablations import AblationEffects, compute_ablation_effects
from convscope.engine.network import Ablation, EpochOptions, EpochResult, Network, Progress, Replacement, Weights
from convscope.engine.opening import ENGINES, EngineName, check_engine, check_precision, initial_weights, open_network
from convscope.engine.rounding import check_weight_bits

__all__ = [
    "ENGINES",
    "Ablation",
    "AblationEffects",
    "EngineName",
    "EpochOptions",
    "EpochResult",
    "Network",
    "Progress",
    "Replacement",
    "Weights",
    "check_engine",
    "check_precision",
    "check_weight_bits",
    "compute_ablation_effects",
    "initial_weights",
    "open_network",
]
