"""The colours of a confusion matrix, the same in notebook, figures, report and page.

Correct predictions on the diagonal are blue, wrong ones red, and cells without an image stay clear. The colours are so
light that counts can be read on them in the colour of all text, in the light and the dark theme.
`web/src/charts/confusion_colours.ts` follows this rule cell for cell.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.palette import BLUE, RED, Rgb

# Opacities.
_MAX_BLUE = 0.5  # the blue of a class without mistakes
_MIN_RED, _MAX_RED = 0.1, 0.55  # a single mistake, and the largest count of mistakes


def confusion_hue(true: int, predicted: int) -> Rgb:
    """Choose the colour of a cell: blue on the diagonal, else red."""
    return BLUE if true == predicted else RED


def confusion_opacities(matrix: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Compute the opacity (K, K), 0 to 0.55, of each cell of a confusion matrix whose rows are the truth.

    Blue deepens with the fraction of the row. Red deepens with the logarithm of the count, up to the largest count of
    wrong predictions, so that a single mistake shows besides a thousand correct predictions.
    """
    wrong = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    depth = np.log1p(wrong) / np.log1p(max(wrong.max(), 1))
    opacities = np.where(wrong > 0, _MIN_RED + (_MAX_RED - _MIN_RED) * depth, 0.0)
    np.fill_diagonal(opacities, _MAX_BLUE * matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1))
    return opacities
