"""The section of the page about corruptions and attacks."""

import re

import numpy as np
import pytest
from msgspec.structs import replace

import convscope as cs
from convscope.engine import initial_weights
from convscope.evidence.robustness import measure_attacks, measure_robustness
from convscope.report.evidence import Chart, Gallery
from convscope.report.evidence.attacks import attacks_finding, attacks_section
from convscope.report.evidence.robustness import robustness_section
from convscope.report.style import svg_text

STEPS = 3


def measure(shape, num_classes, count=24, names=None):
    """Measure the robustness of a network whose weights are the mean images of the classes."""
    stream = np.random.default_rng(0)
    patterns = stream.integers(60, 196, (num_classes, *shape))
    labels = np.arange(count) % num_classes
    images = np.clip(patterns[labels] + stream.normal(0, 20, (count, *shape)), 0, 255).astype(np.uint8)
    dataset = cs.Dataset(images, labels, names or tuple(map(str, range(num_classes))), "patterns", "test")
    architecture = cs.Architecture(cs.Input(*shape, scale=1 / 255, offset=-0.5), (cs.Flatten(), cs.Dense(num_classes)))
    weights = initial_weights(architecture, 0)
    weights["dense/kernel"] = ((patterns - 128) / 255).reshape(num_classes, -1).T.astype(np.float32)
    model = cs.Model(architecture, weights, dataset.class_names)
    return measure_robustness(model, dataset), measure_attacks(model, dataset, steps=STEPS)


@pytest.fixture(scope="module")
def small():
    return measure((10, 10, 1), 5)


def list_texts(section):
    parts = [section.name, section.shows, section.does_not_show]
    for part in section.parts:
        parts += [part.title, part.look]
        if isinstance(part, Chart):
            parts += [cell for row in part.numbers.rows for cell in row]
        if isinstance(part, Gallery):
            parts += [line for card in part.cards for line in card.lines]
    return parts


def test_the_heat_table_shows_the_accuracy_under_each_corruption(small):
    value = small[0]
    heat = robustness_section(value).parts[0]
    rows = heat.numbers.rows
    assert len(rows) == 15 * 5  # corruptions, strengths
    first = value.corruptions[0]
    assert rows[0][0] == "shot noise"
    assert rows[0][2].startswith(f"{100 * first.accuracy:.2f}")
    assert [row[1] for row in rows[:5]] == ["1", "2", "3", "4", "5*"]  # * as in MNIST-C
    means = {}
    for corruption in value.corruptions:
        means.setdefault(corruption.name, []).append(corruption.accuracy)
    worst = min(means, key=lambda name: np.mean(means[name])).replace("_", " ")
    assert heat.title.startswith(f"Largest loss of accuracy: {worst}")
    assert f"{100 * value.mean_accuracy:.2f}" in heat.title
    written = re.findall(r">([^<>]+)</text>", svg_text(heat.drawing))
    for corruption in value.corruptions:
        assert f"{100 * corruption.accuracy:.1f}" in written


def test_the_attacks_finding_names_the_epsilon_that_fools_half_or_the_remaining_accuracy(small):
    value = small[1]
    expected = "PGD needs about 16 [15, \N{INFINITY}] of 255 grey levels to fool the network on half of the images"
    assert attacks_finding(replace(value, median_epsilon=16.4, median_epsilon_interval=(14.6, None))) == expected
    left = value.attacks[-1]
    assert left.method == "pgd"
    assert f"{100 * left.accuracy:.2f}" in attacks_finding(replace(value, median_epsilon=None))


def test_the_attacks_chart_holds_its_lines_and_their_numbers(small):
    value = small[1]
    chart = attacks_section(value).parts[0]
    assert [row[0] for row in chart.numbers.rows] == ["0", "2", "4", "8", "16", "25", "38", "51", "76"]
    pgd = [attack for attack in value.attacks if attack.method == "pgd"]
    assert chart.numbers.rows[4][5].startswith(f"{100 * pgd[4].accuracy:.2f}")
    written = svg_text(chart.drawing)
    assert all(name in written for name in ("random signs", "PGD"))


def test_the_gallery_has_a_row_an_image_and_a_difference_beside_each_attack(small):
    value = small[1]
    gallery = attacks_section(value).parts[1]
    examples = len(value.examples.indices)
    # A row: the image, then for each of three epsilons the attacked image and its difference. 76 is the largest.
    assert (gallery.columns, len(gallery.cards)) == (7, 7 * examples)
    for row in range(examples):
        cards = gallery.cards[7 * row : 7 * row + 7]
        assert (cards[0].split, cards[0].index) == ("test", value.examples.indices[row])
        assert all(card.split is None for card in cards[1:])  # no image of the data set
        for attacked, difference in ((1, 2), (3, 4), (5, 6)):
            moved = cards[attacked].picture[..., 0].astype(int) - cards[0].picture[..., 0]
            alpha = cards[difference].picture[..., 3]
            np.testing.assert_array_equal(alpha > 1, np.abs(moved) * 255 / 76 > 1.5)  # opaque (255) at 76
            orange = cards[difference].picture[..., 0] > cards[difference].picture[..., 2]
            assert (orange[moved > 0]).all()
            assert not (orange[moved < 0]).any()


def test_without_a_correctly_classified_image_there_is_no_gallery(small):
    nothing = dict.fromkeys(("indices", "labels", "predictions", "probabilities"), ())
    value = replace(small[1], examples=replace(small[1].examples, **nothing))
    assert len(attacks_section(value).parts) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "num_classes"), [((8, 8, 1), 2), ((12, 20, 3), 100)])
def test_sections_are_made_for_any_size_and_number_of_classes(shape, num_classes):
    names = tuple(f"<b>a class with a long name {label}</b>" for label in range(num_classes))
    robustness, attacks = measure(shape, num_classes, max(20, num_classes), names)
    for part in robustness_section(robustness).parts + attacks_section(attacks).parts:
        if isinstance(part, Chart):
            assert part.drawing.get_size_inches()[0] * 72 <= 896  # points: the width of the page
        if isinstance(part, Gallery):
            assert all(len(line) <= 16 for card in part.cards for line in card.lines)


def test_the_charts_have_names_of_their_own_and_are_small(small):
    parts = robustness_section(small[0]).parts + attacks_section(small[1]).parts
    charts = [part for part in parts if isinstance(part, Chart)]
    assert len({chart.name for chart in charts}) == len(charts) == 2
    for chart in charts:
        # Without the raster image that each chart contains.
        svg = re.sub(r'xlink:href="data:image[^"]*"', "", svg_text(chart.drawing))
        assert len(svg) < 45_000


def test_the_sections_say_how_many_images_were_left_out(small):
    value = replace(small[0], num_images=2000, num_images_left_out=8000)
    assert "2,000 test images, sampled evenly (8,000 left out)" in robustness_section(value).shows
    assert "left out" not in robustness_section(small[0]).shows
    assert f"takes up to {STEPS} steps" in attacks_section(small[1]).shows


def test_no_text_holds_pythons_form_of_a_value(small):
    for text in list_texts(robustness_section(small[0])) + list_texts(attacks_section(small[1])):
        assert "np." not in text
        assert "nan" not in text
        assert "None" not in text
