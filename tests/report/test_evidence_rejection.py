"""The section of the page about what the model refuses."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.noise import init_model

from convscope.architecture import presets
from convscope.base.packing import Packed
from convscope.base.records import encode
from convscope.data.datasets import Dataset
from convscope.evidence.rejection import fit_rejection, measure_rejection
from convscope.evidence.rejection.result import Rejection
from convscope.report.evidence import Gallery, Table, render_section
from convscope.report.evidence.rejection import rejection_section

from .conftest import make_split

pytestmark = pytest.mark.slow

DIGITS = tuple("0123456789")


def make_rejection(
    names: tuple[str, ...] = DIGITS, shape: tuple[int, int, int] = (12, 11, 1), kind: str = "others", **change: Any
) -> Rejection:
    return replace(_make_rejection(names, shape, kind), **change)


def with_shares(value: Rejection, share: Callable[[int, int], float]) -> Rejection:
    """Replace the refused shares: `share` maps the indices of a set and of a rule to a share."""
    outside = tuple(
        replace(
            images,
            rules=tuple(
                replace(result, refused=replace(result.refused, value=share(number, index)))
                for index, result in enumerate(images.rules)
            ),
        )
        for number, images in enumerate(value.out_of_distribution)
    )
    return replace(value, out_of_distribution=outside)


@cache
def _make_rejection(names: tuple[str, ...], shape: tuple[int, int, int], kind: str) -> Rejection:
    known = make_split("test", shape, names, 40)
    model = init_model(presets.ann(shape, len(names)), names)
    rule = fit_rejection(model, [(model, known, known)], keep=0.8)
    outside = Dataset(255 - known.images, known.labels, names, kind, "test")
    return measure_rejection(rule, model, known, outside, max_images=30)


def test_a_section_shows_examples_shares_scores_and_refused_test_images() -> None:
    value = make_rejection()
    outside, shares, scores, costs = rejection_section(value).parts
    assert isinstance(outside, Gallery)
    assert isinstance(shares, Table)
    assert isinstance(scores, Table)
    assert isinstance(costs, Gallery)
    num_sets = len(value.out_of_distribution)
    assert (len(outside.cards), outside.columns) == (4 * num_sets, 8)  # four examples of a set, two sets in a row
    assert len(shares.rows) == 6 + num_sets  # first test images: correct, wrong, and four alterations
    assert len(scores.rows) == num_sets
    for table in (shares, scores):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_cards_of_refused_test_images_open_their_image() -> None:
    value = make_rejection()
    costs = rejection_section(value).parts[-1]
    assert isinstance(costs, Gallery)
    shown = value.known.refused
    assert [(card.split, card.index) for card in costs.cards] == [("test", index) for index in shown.indices]
    known = make_split("test", (12, 11, 1), DIGITS, 40)
    np.testing.assert_array_equal(costs.cards[0].picture[..., 0], known.images[shown.indices[0]][..., 0])


def test_the_title_names_the_most_confident_image_that_is_not_refused() -> None:
    value = make_rejection()
    outside = [replace(x, examples=replace(x.examples, refused=(True,) * 4)) for x in value.out_of_distribution]
    value = replace(value, out_of_distribution=tuple(outside))
    title = rejection_section(value).parts[0].title  # type: ignore[union-attr]
    assert title == "All of these out-of-distribution images are refused"
    shown = {"refused": (True, True, False, True), "predictions": (0, 0, 3, 0)}
    shown["probabilities"] = (0.9, 0.9, 0.99999, 0.9)
    outside[1] = replace(outside[1], examples=replace(outside[1].examples, **shown))
    value = replace(value, out_of_distribution=tuple(outside))
    title = rejection_section(value).parts[0].title.replace("\N{NO-BREAK SPACE}", " ")  # type: ignore[union-attr]
    assert title == "Confident and wrong: an image of the set letters is predicted as 3 (confidence > 99.9 %)"


def test_the_table_names_the_least_refused_set_and_what_is_left_out() -> None:
    value = make_rejection(left_out={"letters": "no font is installed"})
    names = [result.name for result in value.out_of_distribution]
    value = with_shares(value, lambda number, _: 0.25 if names[number] == "inverted" else 0.5)
    table = rejection_section(value).parts[1]
    assert isinstance(table, Table)
    title = table.title.replace("\N{NO-BREAK SPACE}", " ")
    assert title.startswith("Hardest to refuse: inverted, 25.0 % refused")
    assert table.look.endswith("Left out: letters; no font is installed.")


def test_the_section_shows_altered_images_temperature_and_groups() -> None:
    value = make_rejection(temperature=0.62)
    name = value.rules[0].name
    altered = tuple(
        replace(part, correct=part.correct | {name: replace(part.correct[name], value=0.75 if index == 3 else 0.5)})
        for index, part in enumerate(value.altered)
    )
    value = replace(value, altered=altered)
    look = rejection_section(value).parts[1].look.replace("\N{NO-BREAK SPACE}", " ")  # type: ignore[union-attr]
    assert "Of correctly classified test images rotated by 30°, 75.0 % are refused" in look
    assert "Probabilities are calibrated with temperature 0.62, as in convscope predict." in look
    letters = next(result for result in value.out_of_distribution if result.name == "letters")
    assert f"letters in {letters.num_clusters} characters" in look
    assert "no temperature" in rejection_section(make_rejection()).parts[1].look  # type: ignore[union-attr]


def test_no_refused_image_leaves_the_costs_out() -> None:
    value = make_rejection()
    nothing = dict.fromkeys(("predictions", "probabilities", "refused", "indices", "labels"), ())
    empty = Packed.from_array(np.empty((0, 12, 11, 1), np.uint8))
    refused = replace(value.known.refused, images=empty, **nothing)
    value = replace(value, known=replace(value.known, refused=refused))
    assert [type(part) for part in rejection_section(value).parts] == [Gallery, Table, Table]


@pytest.mark.parametrize("shape", [(8, 8, 3), (64, 48, 3), (100, 20, 1)])
@pytest.mark.parametrize("number", [2, 100])
def test_other_sizes_and_numbers_of_classes_are_shown_too(shape: tuple[int, int, int], number: int) -> None:
    value = make_rejection(tuple(f"class {label}" for label in range(number)), shape)
    assert len(render_section(rejection_section(value))) < 1_000_000
    assert len(encode(value)) < 200_000
