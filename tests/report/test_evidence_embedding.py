"""The map of test images in the page."""

from typing import Any

import numpy as np
from msgspec.structs import replace
from tests.noise import init_model

from convscope.architecture import presets
from convscope.base.packing import Packed
from convscope.base.palette import BLUE, RED
from convscope.evidence.explanation.embedding import Embedding, embed
from convscope.report.evidence import Chart, render_section
from convscope.report.evidence.embedding import embedding_section

from .conftest import HOSTILE_NAMES, make_split


def embed_noise(names: tuple[str, ...], number: int, **options: Any) -> Embedding:
    dataset = make_split("test", (8, 8, 1), names, number)
    return embed(init_model(presets.ann((8, 8, 1), len(names)), names), dataset, **options)


def charts(value: Embedding) -> list[Chart]:
    return [part for part in embedding_section(value).parts if isinstance(part, Chart)]


def texts(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.drawing.axes[0].texts]


def clouds(chart: Chart) -> Any:
    return np.asarray(chart.drawing.axes[0].images[0].get_array())


def test_every_class_has_a_cloud_of_its_own_images_and_the_wrong_ones_stand_out() -> None:
    value = embed_noise(("a", "b"), 6)
    points = np.array([[0, 0], [0, 1], [1, 0], [0.3, 1], [0.5, 0.4], [1, 1]], np.float32)
    labels = {"labels": (0, 0, 0, 1, 1, 1), "predicted": (0, 1, 0, 1, 1, 1)}
    value = replace(value, points=Packed.from_array(points), **labels)
    chart = charts(value)[0]
    pixels = clouds(chart)
    width = (pixels.shape[1] - 16) // 2  # two panels with a gap of 16 pixels
    # Class "a" has two images predicted correctly and a wrong one, class "b" three correct ones.
    for panel, blue, red in ((pixels[:, :width], 2, 1), (pixels[:, -width:], 3, 0)):
        dots = [(panel == (*colour, 255)).all(axis=2).sum() / 16 for colour in (BLUE, RED)]
        assert dots == [blue, red]  # dots of so few points have 4 · 4 pixels
    left = pixels[:, :width]
    rows, columns = np.nonzero((left == (*RED, 255)).all(axis=2))
    assert rows.max() < left.shape[0] / 2  # the wrong one, (0, 1), lies at the upper left
    assert columns.max() < width / 2


def test_the_title_of_each_cloud_states_the_agreement_of_neighbours() -> None:
    value = embed_noise(("a", "b"), 12)
    value = replace(value, agreement_by_class=(0.987, 0.5), agreement_in_picture_by_class=(0.64, 0.25))
    assert texts(charts(value)[0]) == ["a", "99 → 64\xa0%", "b", "50 → 25\xa0%"]


def test_titles_and_numbers_are_those_measured() -> None:
    value = embed_noise(tuple("abcd"), 40)
    value = replace(value, agreement=0.9901, agreement_in_picture=0.872, explained_variance=(0.25, 0.15, 0.1))
    (chart,) = charts(value)
    title = chart.title.replace("\N{NO-BREAK SPACE}", " ")
    assert title == "99.0 % of an image's nearest neighbours share its class; in the plot, 87.2 %"
    assert chart.numbers is not None
    assert [row[:2] for row in chart.numbers.rows] == [[name, "10"] for name in "abcd"] + [["all", "40"]]
    assert chart.numbers.look.startswith("The two plotted dimensions hold 40.0\N{NO-BREAK SPACE}% of the variance.")


def test_of_a_hundred_classes_the_26_with_the_fewest_neighbours_of_their_own_are_shown() -> None:
    value = embed_noise(tuple(f"a class with a long name {number}" for number in range(100)), 300)
    value = replace(value, agreement_by_class=tuple(None if n == 3 else n / 100 for n in range(100)))
    chart = charts(value)[0]
    shown = texts(chart)
    assert len(shown) == 2 * 26
    assert "The 26 classes with the fewest neighbours of their own class are shown." in chart.look
    # Each class has two texts; the second is its agreement "(label 7)". Class 3 has none.
    assert [text.rpartition("(label ")[2] for text in shown[1::2]] == [f"{n})" for n in range(27) if n != 3]
    assert chart.drawing.get_size_inches()[0] * 72 <= 896
    assert chart.numbers is not None
    assert len(chart.numbers.rows) == 100  # all with images, and the sum


def test_names_are_data_whatever_their_characters() -> None:
    html = str(render_section(embedding_section(embed_noise(HOSTILE_NAMES, 40))))
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "\x1b" not in html


def test_points_that_coincide_are_drawn() -> None:
    value = embed_noise(("a", "b"), 8)
    value = replace(value, points=Packed.from_array(np.ones((8, 2), np.float32)))
    assert clouds(charts(value)[0]).any()
