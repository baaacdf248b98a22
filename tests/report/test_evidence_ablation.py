"""The section of what a run loses without its parts, for runs of every kind and whatever was measured of them."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, presets
from convscope.base.packing import Packed
from convscope.base.records import Record
from convscope.data.datasets import Dataset, Splits
from convscope.engine import initial_weights
from convscope.evidence.ablation import FilterAblation, LeftOut, Marking, ablate, ablate_inputs
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ArchitectureAblation, ArchitectureRuns, VariantResult
from convscope.report.ablation_chart import draw_class_changes
from convscope.report.evidence import Chart, Section, Table
from convscope.report.evidence.ablation import ablation_section
from convscope.report.evidence.ablation_charts import draw_architectures, draw_inputs
from convscope.report.style import AGAINST, INK, MUTED, POINTS, WARM
from convscope.training.model import Model


def measure(
    shape: tuple[int, int, int],
    names: tuple[str, ...],
    make: Callable[[tuple[int, int, int], int], Architecture],
    **options: Any,
) -> AblationRecord:
    """Ablate an untrained network on noise."""
    stream = np.random.default_rng(0)
    parts = (
        Dataset(
            stream.integers(0, 256, (3 * len(names), *shape), np.uint8),
            (np.arange(3 * len(names)) % len(names)).astype(np.int64), names, "noise", split,
        )
        for split in ("train", "test")
    )  # fmt: skip
    splits, network = Splits(*parts), make(shape, len(names))
    model = Model(network, initial_weights(network, 0), names)
    value = AblationRecord().updated(ablate(model, splits.test, **options))
    return value.updated(ablate_inputs(model, splits))


def variant(name: str, change: float, verdict: Any = "no difference shown", mean: float = 0.99) -> VariantResult:
    accuracies, interval = (
        (mean + change - 0.001, mean + change, mean + change + 0.001),
        (change - 0.001, change + 0.001),
    )
    return VariantResult(
        name=name, change=f"{name}, in words", accuracies=accuracies, mean=mean + change, interval=interval,
        parameters=1000, macs=2000, num_images=60_000, seconds=1.5, difference=change, difference_interval=interval,
        p_value=0.01, verdict=verdict,
    )  # fmt: skip


def retrained(variants: tuple[VariantResult, ...], mean: float = 0.99) -> ArchitectureAblation:
    whole = variant("whole network", 0.0, mean=mean)
    runs = ArchitectureRuns(
        dataset_name="noise",
        split="test",
        architecture="cnn",
        recipe="fast",
        seeds=(0, 1, 2),
        num_images=10_000,
        num_training_images=60_000,
        false_discovery_rate=0.05,
        marking=Marking(num_tests=len(variants), num_expected_by_luck=0.1, num_below=1, num_significant=1),
        left_out=(LeftOut(name="no dropout", reason="there is no dropout"),),
    )
    return ArchitectureAblation(architectures=(whole, *variants), architecture_runs=runs)


def section_of(*parts: Record) -> Section:
    """Return the section of some measurements."""
    return ablation_section(reduce(AblationRecord.updated, parts, AblationRecord()))


VARIANTS = (
    variant("linear model", -0.08, "worse"),
    variant("no pooling", -0.0004),
    variant("double width", 0.002, "better"),
)


def one_layer(shape: tuple[int, int, int], num_classes: int) -> Architecture:
    return Architecture(Input(*shape), (Flatten(), Dense(num_classes)), "linear")


def wide(shape: tuple[int, int, int], num_classes: int) -> Architecture:
    layers = (Conv2D(60, (5, 3), strides=2, activation="relu"), Conv2D(70, 1), Flatten(), Dense(num_classes))
    return Architecture(Input(*shape), layers, "wide")


RUNS: dict[str, Callable[[], AblationRecord]] = {
    "cnn": lambda: measure((12, 12, 1), tuple("0123456789"), presets.cnn).updated(retrained(VARIANTS)),
    "two": lambda: measure((8, 8, 1), ("no", "yes"), presets.ann),
    "units": lambda: measure((12, 12, 3), ("a", "b", "c"), presets.cnn, units=True),
    "linear": lambda: measure((8, 8, 1), ("no", "yes"), one_layer).updated(retrained(VARIANTS)),
    "hostile": lambda: measure((12, 12, 1), ("</script><b>", "a name that is too long for any axis"), presets.cnn),
    "hundred": lambda: measure((9, 15, 2), tuple(f"class {i}" for i in range(120)), wide),
}  # fmt: skip


@pytest.fixture(scope="module", params=list(RUNS))
def value(request: pytest.FixtureRequest) -> AblationRecord:
    return RUNS[request.param]()


def charts(section: Section) -> dict[str, Chart]:
    return {part.name: part for part in section.parts if isinstance(part, Chart)}


@pytest.mark.slow
def test_every_part_that_was_measured_is_there_with_its_numbers(value: AblationRecord) -> None:
    section = ablation_section(value)
    expected = ["ablation-inputs"]
    if value.filters:
        expected = ["ablation", "ablation-classes", "ablation-inputs"]
    if value.retrained:
        expected.append("ablation-architectures")
    assert list(charts(section)) == expected
    for chart in charts(section).values():
        assert chart.title
        assert chart.look
        assert chart.drawing.get_figwidth() * POINTS <= 900
    for table in [part.numbers for part in charts(section).values()] + [
        p for p in section.parts if isinstance(p, Table)
    ]:
        if table is not None:
            assert {len(row) for row in table.rows} <= {len(table.header)}
            assert all(isinstance(cell, str) for row in table.rows for cell in row)


@pytest.mark.parametrize("part", ["inputs", "architectures"])
def test_a_part_stands_alone(part: str) -> None:
    whole = RUNS["cnn"]()
    names = {part} | ({"architecture_runs"} if part == "architectures" else set())
    section = ablation_section(AblationRecord(**{name: getattr(whole, name) for name in names}))
    assert list(charts(section)) == [f"ablation-{part}"]


def test_nothing_measured_is_a_section_without_parts() -> None:
    assert ablation_section(AblationRecord()).parts == []


def lesion(number: int, change: float, by_class: tuple[float, ...], **more: Any) -> FilterAblation:
    values = {
        "layer": "conv2d", "filter": number, "replacement": "zero", "accuracy_change": change,
        "accuracy_change_by_class": by_class, "interval": (change - 0.01, change + 0.01), "p_value": 0.5,
        "is_significant": False,
    }  # fmt: skip
    return FilterAblation(**values | more)


@pytest.mark.slow
def test_the_class_that_loses_most_by_more_than_luck_is_named() -> None:
    single = RUNS["cnn"]().single
    names, changes = single.class_names, list(single.filters[4].accuracy_change_by_class)
    changes[7] = -0.5
    filters = list(single.filters)
    filters[4] = one = replace(filters[4], accuracy_change_by_class=tuple(changes))
    marked = np.zeros(single.is_significant_by_class.shape, np.uint8)

    def classes() -> Chart:
        packed = Packed.from_array(marked)
        return charts(section_of(replace(single, filters=tuple(filters), is_significant_by_class=packed)))[
            "ablation-classes"
        ]

    assert classes().title == "Removing a single filter lowers the recall of no class significantly"
    marked[4, 7] = 1
    chart = classes()
    assert chart.title == f"Class {names[7]} loses 50.0 points without filter {one.filter} of {one.layer}"
    assert chart.numbers is not None
    assert [row[:5] for row in chart.numbers.rows] == [
        [names[7], one.layer, "by zero", str(one.filter), "\N{MINUS SIGN}50.00"]
    ]


def test_the_map_is_blue_where_a_class_loses_and_dotted_where_that_is_more_than_luck() -> None:
    filters = [lesion(0, -0.1, (0.0, -0.4)), lesion(1, -0.2, (0.2, 0.0))]
    marked = np.array([[False, True], [False, False]])
    drawing = draw_class_changes(filters, marked, ("a", "b"))
    (axes,) = drawing.axes
    (picture,) = axes.images
    pixels = picture.get_array()
    assert pixels.shape == (2, 2, 4)  # rows are classes; the costliest filter, 1, comes first
    assert pixels[0, 0, 0] > pixels[0, 0, 2]  # orange: class a gains
    assert pixels[0, 0, 3] == 128
    assert pixels[1, 1, 2] > pixels[1, 1, 0]  # blue: class b loses with filter 0
    assert pixels[1, 1, 3] == 255
    assert pixels[0, 1, 3] == pixels[1, 0, 3] == 0
    (dots,) = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    assert dots.tolist() == [[24.0, 1.5]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_of_many_classes_those_that_change_most_are_drawn() -> None:
    by_class = [0.0] * 300
    by_class[250], by_class[299] = -0.3, 0.1
    drawing = draw_class_changes(
        [lesion(0, 0.0, tuple(by_class))], np.zeros((1, 300), bool), [f"{i}" for i in range(300)]
    )
    pixels = drawing.axes[0].images[0].get_array()
    assert pixels.shape == (100, 1, 4)
    assert (pixels[-2:, 0, 3] > 0).all()  # labels 250 and 299, in their order after 98 that change nothing


def test_the_map_of_windows_has_the_costs_in_their_places() -> None:
    value = RUNS["cnn"]().inputs
    windows = [one for one in value.ablations if one.kind == "window"]
    ablations = [
        replace(one, accuracy_change=-0.25 if one is windows[3 * 7 + 5] else 0.0) if one in windows else one
        for one in value.ablations
    ]
    axes = draw_inputs(replace(value, ablations=tuple(ablations))).axes[0]
    pixels = axes.images[0].get_array()
    assert np.argwhere(pixels[..., 3] > 0).tolist() == [[3, 5]]
    texts = {text.get_text(): text.get_position() for text in axes.texts}
    assert texts["\N{MINUS SIGN}25"] == (5.5 * 12 / 7, 3.5 * 12 / 7)


@pytest.mark.slow
def test_the_window_that_costs_most_is_the_title_where_it_is_more_than_luck() -> None:
    value = RUNS["cnn"]().inputs
    ablations = [replace(one, is_significant=False) for one in value.ablations]
    first = next(row for row, one in enumerate(ablations) if one.kind == "window")
    silent = charts(section_of(replace(value, ablations=tuple(ablations))))["ablation-inputs"].title
    ablations[first] = replace(ablations[first], accuracy_change=-0.9, is_significant=True)
    title = charts(section_of(replace(value, ablations=tuple(ablations))))["ablation-inputs"].title
    assert (
        title
        == "The largest measured loss is 90.0\xa0points of accuracy, without the window of 3 × 3 at row 0, column 0"
    )
    assert silent == "None of the 49 windows has a significant effect on accuracy"


def test_variants_stand_by_their_errors_in_the_colours_of_their_verdicts() -> None:
    values = retrained(VARIANTS)
    drawing = draw_architectures(values.architectures, 10_000)
    (axes,) = drawing.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["double width", "whole network", "no pooling", "linear model"]
    dots = [(line.get_xdata()[0], line.get_color()) for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([place for place, _ in dots], [0.008, 0.01, 0.0104, 0.09])
    assert [colour for _, colour in dots] == [AGAINST, INK, MUTED, WARM]
    chart = charts(section_of(values))["ablation-architectures"]
    assert chart.title == "1 of 3 variants is significantly worse than the whole network, 1 better"


def test_variants_that_lie_close_together_have_a_tick() -> None:
    values = retrained((variant("no pooling", 0.0, mean=0.993),), mean=0.993)
    variants = [replace(one, interval=None) for one in values.architectures]
    labels = [label.get_text() for label in draw_architectures(variants, 10_000).axes[0].get_xticklabels()]
    assert labels == ["0.7\xa0%"]


def test_variants_without_an_error_or_an_interval_are_drawn_too() -> None:
    values = retrained(VARIANTS[:1], mean=0.9995)
    variants = [replace(one, mean=1.0, interval=None) for one in values.architectures]
    left, right = draw_architectures(variants, 50).axes[0].get_xlim()
    assert left > 0.01 > right > 0


def test_the_table_of_variants_says_what_was_left_out() -> None:
    *_, table = section_of(retrained(VARIANTS)).parts
    assert isinstance(table, Table)
    assert "Left out: no dropout (there is no dropout)." in table.look
    assert [row[0] for row in table.rows] == ["whole network", "linear model", "no pooling", "double width"]
    assert table.rows[1][4:7] == ["\N{MINUS SIGN}8.00", "\N{MINUS SIGN}8.10 to \N{MINUS SIGN}7.90", "worse"]
    assert table.rows[0][4:7] == ["", "", ""]
