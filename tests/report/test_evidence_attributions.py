from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from convscope.architecture import presets
from convscope.engine import initial_weights
from convscope.evidence.explanation.attribution_checks import AttributionChecks, check_attributions
from convscope.report.evidence import Chart, Gallery, render_section
from convscope.report.evidence.attributions import attributions_section
from convscope.training.model import Model

from .conftest import HOSTILE_NAMES, make_split

pytestmark = pytest.mark.slow


def checks(
    preset: Any = presets.cnn, names: tuple[str, ...] = tuple("0123456789"), number: int = 30
) -> AttributionChecks:
    dataset = make_split("test", (28, 28, 1), names, number)
    network = preset((28, 28, 1), len(names))
    model = Model(network, initial_weights(network, 0), names)
    return check_attributions(model, dataset, most_images=8)


@pytest.mark.parametrize("preset", [presets.cnn, presets.ann])
def test_every_method_has_a_map_of_each_image_and_a_row(preset: Any) -> None:
    value = checks(preset)
    gallery, chart = attributions_section(value).parts
    assert isinstance(gallery, Gallery)
    assert isinstance(chart, Chart)
    methods = len(value.methods)
    assert gallery.columns == methods + 1
    assert len(gallery.cards) == len(value.example_indices) * (methods + 1)
    assert chart.numbers is not None
    assert len(chart.numbers.rows) == methods


def test_names_are_data_and_no_markup() -> None:
    html = render_section(attributions_section(checks(names=HOSTILE_NAMES)))
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("gains", "finding"),
    [
        (
            [((-0.3, -0.1), (0.1, 0.3)), ((-0.2, -0.1), (0.1, 0.2))],
            "All 2 methods order the pixels significantly better than chance",
        ),
        (
            [((-0.3, -0.1), (0.1, 0.3)), ((-0.2, 0.1), (0.1, 0.2))],
            "1 of 2 methods order the pixels significantly better than chance; not occlusion",
        ),
        (
            [(None, None), ((-0.2, 0.1), (0.1, 0.2))],
            "None of 2 methods orders the pixels significantly better than chance",
        ),
    ],
)
def test_the_title_says_which_methods_beat_chance(gains: Any, finding: str) -> None:
    value = checks()
    methods = tuple(
        replace(
            value.methods[0], method=name, deletion_gain=0.0 if deletion is None else float(np.mean(deletion)),
            insertion_gain=0.0 if insertion is None else float(np.mean(insertion)), deletion_gain_interval=deletion,
            insertion_gain_interval=insertion,
        )
        for name, (deletion, insertion) in zip(("gradient", "occlusion"), gains, strict=True)
    )  # fmt: skip
    examples = {name: value.examples[name] for name in ("gradient", "occlusion")}
    chart = attributions_section(replace(value, methods=methods, examples=examples)).parts[1]
    assert chart.title.startswith(finding)
