"""The section of the report on ablations, for networks of every kind and for each of their measurements."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.noise import init_model

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, presets
from convscope.base.packing import Packed
from convscope.base.records import Record
from convscope.evidence.ablation import LeftOut, Marking, ablate
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.architectures import ArchitectureAblation, ArchitectureRuns, VariantResult
from convscope.report.ablation_chart import draw_architectures
from convscope.report.evidence import Chart, Section, Table
from convscope.report.evidence.ablation import ablation_section
from convscope.report.style import AGAINST, INK, MUTED, POINTS, WARM

from .conftest import make_split, one_layer


def measure(
    shape: tuple[int, int, int],
    names: tuple[str, ...],
    make: Callable[[tuple[int, int, int], int], Architecture],
    **options: Any,
) -> AblationRecord:
    """Ablate an untrained network on noise."""
    dataset = make_split("test", shape, names, 3 * len(names))
    return AblationRecord().merge(ablate(init_model(make(shape, len(names)), names), dataset, **options))


def make_variant(name: str, change: float, verdict: Any = "no difference shown", mean: float = 0.99) -> VariantResult:
    """Make the result of a variant whose accuracy differs by `change` from `mean`, that of the whole network."""
    accuracies = (mean + change - 0.001, mean + change, mean + change + 0.001)
    interval = (change - 0.001, change + 0.001)
    return VariantResult(
        name=name, change=f"{name}, in words", accuracies=accuracies, mean=mean + change, interval=interval,
        parameters=1000, macs=2000, num_images=60_000, seconds=1.5, difference=change, difference_interval=interval,
        p_value=0.01, verdict=verdict,
    )  # fmt: skip


def make_retrained(variants: tuple[VariantResult, ...], mean: float = 0.99) -> ArchitectureAblation:
    whole = make_variant("whole network", 0.0, mean=mean)
    runs = ArchitectureRuns(
        dataset_name="noise", split="test", architecture="cnn", recipe="fast", seeds=(0, 1, 2), num_images=10_000,
        num_training_images=60_000, false_discovery_rate=0.05,
        marking=Marking(num_tests=len(variants), num_expected_by_luck=0.1, num_below=1, num_significant=1),
        left_out=(LeftOut(name="no dropout", reason="there is no dropout"),),
    )  # fmt: skip
    return ArchitectureAblation(architectures=(whole, *variants), architecture_runs=runs)


def make_section(*parts: Record) -> Section:
    """Make the section of several measurements."""
    return ablation_section(reduce(AblationRecord.merge, parts, AblationRecord()))


VARIANTS = (
    make_variant("linear model", -0.08, "worse"),
    make_variant("no pooling", -0.0004),
    make_variant("double width", 0.002, "better"),
)


def wide(shape: tuple[int, int, int], num_classes: int) -> Architecture:
    layers = (Conv2D(60, (5, 3), strides=2, activation="relu"), Conv2D(70, 1), Flatten(), Dense(num_classes))
    return Architecture(Input(*shape), layers, "wide")


RUNS: dict[str, Callable[[], AblationRecord]] = {
    "cnn": lambda: measure((12, 12, 1), tuple("0123456789"), presets.cnn).merge(make_retrained(VARIANTS)),
    "two": lambda: measure((8, 8, 1), ("no", "yes"), presets.ann),
    "units": lambda: measure((12, 12, 3), ("a", "b", "c"), presets.cnn, units=True),
    "linear": lambda: measure((8, 8, 1), ("no", "yes"), one_layer).merge(make_retrained(VARIANTS)),
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
    expected = ["ablation"] if value.filters else []
    if value.retrained:
        expected.append("ablation-architectures")
    assert list(charts(section)) == expected
    for chart in charts(section).values():
        assert chart.title
        assert chart.look
        assert chart.drawing.get_figwidth() * POINTS <= 900
    tables = [part.numbers if isinstance(part, Chart) else part for part in section.parts]
    for table in tables:
        if isinstance(table, Table):
            assert {len(row) for row in table.rows} <= {len(table.header)}
            assert all(isinstance(cell, str) for row in table.rows for cell in row)


def test_variants_are_plotted_without_a_whole_network() -> None:
    assert list(charts(make_section(make_retrained(VARIANTS)))) == ["ablation-architectures"]


def test_a_section_without_measurements_has_no_parts() -> None:
    assert ablation_section(AblationRecord()).parts == []


def test_the_class_with_the_largest_significant_loss_is_named() -> None:
    # Row 4 is filter 2 replaced by zero: of each filter, a row by zero is followed by one by its mean.
    single = RUNS["cnn"]().single
    names, changes = single.class_names, list(single.filters[4].accuracy_change_by_class)
    changes[7] = -0.5
    filters = list(single.filters)
    filters[4] = top = replace(filters[4], accuracy_change_by_class=tuple(changes))
    marked = np.zeros(single.is_significant_by_class.shape, np.uint8)

    def classes() -> Table:
        packed = Packed.from_array(marked)
        _, table = make_section(replace(single, filters=tuple(filters), is_significant_by_class=packed)).parts
        assert isinstance(table, Table)
        return table

    assert classes().title == "Removing a single filter lowers the recall of no class significantly"
    marked[4, 7] = 1
    table, layer = classes(), {"conv2d": "Convolution 1", "conv2d_1": "Convolution 2"}[top.layer]
    assert table.title == f"Class {names[7]} loses 50.0 points without filter {top.filter} of {layer}"
    assert [row[:5] for row in table.rows] == [[names[7], layer, "by zero", str(top.filter), "\N{MINUS SIGN}50.00"]]


def test_variants_are_plotted_by_error_and_coloured_by_verdict() -> None:
    values = make_retrained(VARIANTS)
    drawing = draw_architectures(values.architectures, 10_000)
    (axes,) = drawing.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["double width", "whole network", "no pooling", "linear model"]
    dots = [(line.get_xdata()[0], line.get_color()) for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([error for error, _ in dots], [0.008, 0.01, 0.0104, 0.09])
    assert [colour for _, colour in dots] == [AGAINST, INK, MUTED, WARM]
    chart = charts(make_section(values))["ablation-architectures"]
    assert chart.title == "1 of 3 variants is significantly worse than the whole network, 1 better"


def test_variants_that_lie_close_together_have_a_tick() -> None:
    values = make_retrained((make_variant("no pooling", 0.0, mean=0.993),), mean=0.993)
    variants = [replace(architecture, interval=None) for architecture in values.architectures]
    labels = [label.get_text() for label in draw_architectures(variants, 10_000).axes[0].get_xticklabels()]
    assert labels == ["0.7\xa0%"]


def test_variants_without_an_error_or_an_interval_are_drawn_too() -> None:
    values = make_retrained(VARIANTS[:1], mean=0.9995)
    variants = [replace(architecture, mean=1.0, interval=None) for architecture in values.architectures]
    left, right = draw_architectures(variants, 50).axes[0].get_xlim()  # from many errors to few
    assert left > 0.5 / 50 > right > 0  # no error is drawn as half of one among 50 images


def test_the_table_of_variants_lists_omitted_variants() -> None:
    *_, table = make_section(make_retrained(VARIANTS)).parts
    assert isinstance(table, Table)
    assert "Left out: no dropout (there is no dropout)." in table.look
    assert [row[0] for row in table.rows] == ["whole network", "linear model", "no pooling", "double width"]
    assert table.rows[1][4:7] == ["\N{MINUS SIGN}8.00", "\N{MINUS SIGN}8.10 to \N{MINUS SIGN}7.90", "worse"]
    assert table.rows[0][4:7] == ["", "", ""]
