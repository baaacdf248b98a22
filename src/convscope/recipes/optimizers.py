"""Optimizers as data: what a step does with a gradient, and how long the step is before the schedule."""

from dataclasses import dataclass

from convscope.recipes.ranges import check_range


@dataclass(frozen=True)
class Adam:
    """Adam as Keras computes it: the bias correction folded into the step size, epsilon outside the root.

    Source: Kingma and Ba 2015, the variant before section 2.1's end ("epsilon hat").
    """

    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        check_range("learning_rate", self.learning_rate, 0, 1, open_below=True)
        check_range("beta_1", self.beta_1, 0, 1, open_above=True)
        check_range("beta_2", self.beta_2, 0, 1, open_above=True)
        check_range("epsilon", self.epsilon, 0, 1, open_below=True)
