"""Random changes of the training images, as data."""

from dataclasses import dataclass

from convscope.recipes.ranges import check_whole


@dataclass(frozen=True)
class Augmentation:
    """What is done to each training image each time it is seen, at random; zero is nothing.

    Attributes:
        shift: by how many whole pixels at most an image is moved up or down, and left or right. What comes in at the
            border is zero, which is the background of MNIST.

    Raises:
        RecipeError: for a value out of its range.
    """

    shift: int = 0

    def __post_init__(self) -> None:
        check_whole("shift", self.shift, 0, 1000)
