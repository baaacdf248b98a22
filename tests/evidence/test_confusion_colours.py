"""The colours of a confusion matrix. The page's script computes the same colours; one file of cases tests both."""

import json
from pathlib import Path

import numpy as np
import pytest

from convscope.base.palette import BLUE, RED
from convscope.evidence.confusion_colours import confusion_hue, confusion_opacities

ROOT = Path(__file__).parents[2]
PAGE_CASES = json.loads((ROOT / "web/tests/fixtures/confusion.json").read_text())


@pytest.mark.parametrize("case", PAGE_CASES)
def test_opacities_equal_the_cases_that_also_test_the_page(case):
    np.testing.assert_allclose(confusion_opacities(np.array(case["counts"])), case["opacities"], atol=1e-6)


def test_one_wrong_prediction_shows_beside_a_thousand_and_an_empty_cell_is_clear():
    opacities = confusion_opacities(np.array([[5000, 1000, 1], [0, 0, 0], [0, 0, 9]]))
    assert 0.1 < opacities[0, 2] < opacities[0, 1] == pytest.approx(0.55)  # the limits of red; blue goes up to 0.5
    assert opacities[0, 0] == pytest.approx(0.5 * 5000 / 6001)
    assert opacities[2, 2] == 0.5
    assert not opacities[1].any()


def test_the_page_has_the_same_two_hues():
    assert (confusion_hue(1, 1), confusion_hue(1, 2)) == (BLUE, RED)
    css = (ROOT / "src/convscope/report/page.css").read_text()
    assert "--blue: {} {} {};".format(*BLUE) in css
    assert "--red: {} {} {};".format(*RED) in css


def relative_luminance(colour):
    """Compute the relative luminance of an sRGB colour as WCAG 2.2 defines it."""
    values = np.array(colour) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize(  # the page's colours of background and text
    ("background", "text"), [((251, 250, 247), (27, 32, 40)), ((20, 23, 28), (230, 232, 235))], ids=["light", "dark"]
)
def test_counts_keep_their_contrast_on_the_deepest_cells(background, text):
    opacities = confusion_opacities(np.array([[9, 1], [0, 9]]))
    for hue, opacity in ((BLUE, opacities[1, 1]), (RED, opacities[0, 1])):
        cell = opacity * np.array(hue) + (1 - opacity) * np.array(background)
        low, high = sorted((relative_luminance(cell), relative_luminance(text)))
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, AA
