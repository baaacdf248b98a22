"""The colours of a confusion matrix, one rule for notebook, figures, report and page.

Correct answers on the diagonal are blue, wrong ones beside it red, and cells without an image stay clear. The colour
lies on the ground so lightly that counts are written on it in the colour of all text, in the light and the dark theme.
`web/src/charts/confusion_colours.ts` follows this rule cell for cell.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.palette import BLUE, RED, Rgb

_MAX_BLUE = 0.5
_LEAST_RED, _MOST_RED = 0.1, 0.55


def confusion_hue(true: int, predicted: int) -> Rgb:
    """Return the colour of a cell: blue on the diagonal, red beside it."""
    return BLUE if true == predicted else RED


def confusion_opacities(matrix: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return how opaque each cell of a confusion matrix (K, K) is, rows the truth: float64 from 0 to 0.55.

    Blue deepens with the fraction of the row. Red deepens with the logarithm of the count, up to the largest count
    of wrong answers, so that a single mistake shows beside a thousand correct answers.
    """
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    depth = np.log1p(wrong) / np.log1p(max(wrong.max(), 1))
    opacities = np.where(wrong > 0, _LEAST_RED + (_MOST_RED - _LEAST_RED) * depth, 0.0)
    np.fill_diagonal(opacities, _MAX_BLUE * matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1))
    return opacities
