"""The compiled module of native/handwriting: pictures averaged, and made into images as those of a data set."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

LARGEST_FACTOR: int
FAINTEST: int

def prepare(
    picture: Pixels,
    height: int,
    width: int,
    channels: int,
    is_ink_light: bool,
    target: int,
    threshold: float,
    is_centred: bool,
    steps: int,
    /,
) -> tuple[Pixels, list[Pixels], int, float]: ...
def middle_of_classes(values: Pixels, /) -> float: ...
def average_rows(band: Pixels, start: int, rows: int, height: int, width: int, first: int, last: int, /) -> Pixels: ...
def fit(height: int, width: int, most_height: int, most_width: int, /) -> tuple[int, int]: ...
def measure_ink(image: Pixels, is_ink_light: bool, threshold: float, /) -> tuple[int, int, int, int]: ...
