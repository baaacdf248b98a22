"""The engines, which compute a network's outputs, gradients and training steps.

`reference` is the mathematics in NumPy, to be read and to check the others against; `native` is the compiled engine
that does the work; `keras` passes it to Keras. Each is a `Network` (see `convscope.engine.network`), with the same
results up to rounding.
"""

from convscope.engine.ablations import (
    AblationEffects as AblationEffects,
    compute_ablation_effects as compute_ablation_effects,
)
from convscope.engine.network import (
    Ablation as Ablation,
    EpochOptions as EpochOptions,
    EpochResult as EpochResult,
    Network as Network,
    Progress as Progress,
    Replacement as Replacement,
    Weights as Weights,
)
from convscope.engine.opening import (
    ENGINES as ENGINES,
    EngineName as EngineName,
    check_engine as check_engine,
    check_precision as check_precision,
    initial_weights as initial_weights,
    open_network as open_network,
)
from convscope.engine.rounding import check_weight_bits as check_weight_bits
