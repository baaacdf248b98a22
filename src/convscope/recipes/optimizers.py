"""Optimizers as data: how a step changes the weights, and its learning rate before the schedule."""

from dataclasses import dataclass
from typing import Literal, get_args

from convscope.base.arguments import check_flag, check_range
from convscope.base.errors import RecipeError

Decayed = Literal["all", "kernels"]
_DECAYED: tuple[Decayed, ...] = get_args(Decayed)


@dataclass(frozen=True)
class Adam:
    """Adam as Keras computes it. Step t, from 1, changes a weight w with the gradient g by

        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        w ← w - rate · sqrt(1 - β₂^t) / (1 - β₁^t) · m / (sqrt(v) + ε)

    With `weight_decay` it is AdamW: each step first takes rate · weight_decay · w away, which the moments m and v do
    not include. With `decayed` "all" every trained weight decays, as in Keras and PyTorch by default.
    With "kernels" only the kernels of convolutions and dense layers do; biases, the scales and shifts of a
    normalisation and the slopes of a PReLU do not.

    Source: Kingma and Ba 2015, in the faster form at the end of section 2, where ε is "epsilon hat"; Loshchilov and
    Hutter 2019.
    """

    learning_rate: float = 1e-3
    # The defaults are those of Kingma and Ba (2015), with Keras's epsilon.
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        check_range("learning_rate", self.learning_rate, 0, 1, open_below=True)
        check_range("beta_1", self.beta_1, 0, 1, open_above=True)
        check_range("beta_2", self.beta_2, 0, 1, open_above=True)
        check_range("epsilon", self.epsilon, 0, 1, open_below=True)
        _check_decay(self)


@dataclass(frozen=True)
class SGD:
    """Gradient descent with (Nesterov) momentum as Keras computes it, and weight decay as `Adam` has it.

        v ← momentum · v - rate · g
        w ← w + v, or with Nesterov's momentum w + momentum · v - rate · g

    Source: Sutskever and others 2013, equations 1 to 4. Theirs takes Nesterov's gradient at w + momentum · v; in this
    form that sum is the stored weight, so the gradient is taken at the weights themselves.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    decayed: Decayed = "all"

    def __post_init__(self) -> None:
        # Larger than Adam's: without a normalisation by the gradient's size, the right rate depends on the loss.
        check_range("learning_rate", self.learning_rate, 0, 100, open_below=True)
        check_range("momentum", self.momentum, 0, 1, open_above=True)
        _check_decay(self)
        check_flag("nesterov", self.nesterov)


Optimizer = Adam | SGD
OPTIMIZERS: dict[str, type[Adam] | type[SGD]] = {"Adam": Adam, "SGD": SGD}


def _check_decay(optimizer: Optimizer) -> None:
    check_range("weight_decay", optimizer.weight_decay, 0, 1)
    if optimizer.decayed not in _DECAYED:
        raise RecipeError(f"recipe: decayed is {optimizer.decayed!r}; it must be one of {', '.join(_DECAYED)}")
