"""One rule colours a confusion matrix; the page's script follows it cell for cell, held by a file that both test."""

import json
from pathlib import Path

import numpy as np
import pytest

from convscope.base.palette import BLUE, RED
from convscope.evidence.confusion_colours import confusion_hue, confusion_opacities

ROOT = Path(__file__).parents[2]
PAGE_CASES = json.loads((ROOT / "web/tests/fixtures/confusion.json").read_text())


@pytest.mark.parametrize("case", PAGE_CASES)
def test_the_opacities_are_those_that_the_page_is_tested_against(case):
    np.testing.assert_allclose(confusion_opacities(np.array(case["counts"])), case["opacities"], atol=1e-6)


def test_one_wrong_answer_shows_beside_a_thousand_and_an_empty_cell_is_clear():
    opacities = confusion_opacities(np.array([[5000, 1000, 1], [0, 0, 0], [0, 0, 9]]))
    assert 0.1 < opacities[0, 2] < opacities[0, 1] == pytest.approx(0.55)
    assert opacities[0, 0] == pytest.approx(0.5 * 5000 / 6001)
    assert opacities[2, 2] == 0.5
    assert not opacities[1].any()


def test_the_page_has_the_same_two_hues():
    assert (confusion_hue(1, 1), confusion_hue(1, 2)) == (BLUE, RED)
    css = (ROOT / "src/convscope/report/page.css").read_text()
    assert "--blue: {} {} {};".format(*BLUE) in css
    assert "--red: {} {} {};".format(*RED) in css


def _luminance(colour):
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize(
    ("ground", "ink"), [((251, 250, 247), (27, 32, 40)), ((20, 23, 28), (230, 232, 235))], ids=["light", "dark"]
)
def test_counts_keep_their_contrast_on_the_deepest_cells(ground, ink):
    opacities = confusion_opacities(np.array([[9, 1], [0, 9]]))
    deepest = [(BLUE, opacities[1, 1]), (RED, opacities[0, 1])]
    for hue, opacity in deepest:
        cell = [opacity * h + (1 - opacity) * g for h, g in zip(hue, ground, strict=True)]
        low, high = sorted((_luminance(cell), _luminance(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, AA
