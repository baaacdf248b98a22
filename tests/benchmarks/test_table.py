"""The table that the benchmark prints: ratios, bounds and units. Also the networks and the notebook that it times."""

import json
from pathlib import Path

import architectures
import pytest
import results

import convscope as cs

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def sample(name, *values, unit="s"):
    return results.Sample(name, values, unit)


def test_ratio_is_the_median_of_the_best_peer_over_ours():
    slow, fast = sample("slow", 9.0, 8.0, 30.0), sample("fast", 4.0, 6.0, 5.0)
    result = results.ratio("row", results.Bound(2, 4), sample("ours", 2.0, 3.0, 2.0), [slow, fast])
    assert result.value == 5.0 / 2.0
    assert [side.name for side in result.samples] == ["ours", "fast", "slow"]
    assert (result.met, result.aim_met) == (True, False)


def test_median_of_an_even_number_of_values_is_between_the_middle_two():
    assert sample("a", 1.0, 2.0, 4.0, 100.0).median == 3.0


def test_sample_refuses_to_be_empty():
    with pytest.raises(ValueError, match="a: no value"):
        sample("a")


@pytest.mark.parametrize(
    ("unit", "value", "met", "aim_met"),
    [
        ("x", 6.0, True, False),
        ("x", 5.99, False, False),
        ("x", 10.0, True, True),
        ("s", 6.0, True, True),
        ("s", 10.01, False, False),
    ],
)
def test_a_ratio_must_reach_its_bound_and_seconds_must_stay_below(unit, value, met, aim_met):
    at_least, aim = (6, 10) if unit == "x" else (10, 6)
    result = results.Result("row", results.Bound(at_least, aim, unit), value)
    assert (result.met, result.aim_met) == (met, aim_met)


def test_a_row_whose_condition_fails_is_missed_however_fast():
    result = results.Result("row", results.Bound(0.5, 0.25, "s"), 0.1, condition=False)
    assert (result.met, result.aim_met) == (False, False)


@pytest.mark.parametrize(
    ("values", "unit", "text"),
    [
        ((1.234, 1.2, 1.3), "s", "1.23 s [1.20, 1.30] (3)"),
        ((52.04,), "s", "52.0 s [52.0, 52.0] (1)"),
        ((0.017, 0.0161, 0.02), "s", "17.0 ms [16.1, 20.0] (3)"),
        ((1.2e-5,), "s", "12.0 us [12.0, 12.0] (1)"),
        ((1.7 * 2**30,), "bytes", "1741 MiB [1741, 1741] (1)"),
    ],
)
def test_span_is_in_the_unit_that_is_easiest_to_read(values, unit, text):
    assert results.span(sample("a", *values, unit=unit)) == text


def test_table_says_why_a_row_was_not_measured_and_marks_what_was_missed():
    missed = results.ratio("slow", results.Bound(2, 4), sample("ours", 1.0), [sample("peer", 1.5)])
    absent = results.Result("absent", results.Bound(0.4, 0.6, "%"), note="no peak | here")
    lines = results.table([missed, absent]).splitlines()
    assert "**1.50 x**, MISSED" in lines[2]
    assert "peer 1.50 s [1.50, 1.50] (1)" in lines[2]
    assert "not measured" in lines[3]
    assert "40 %" in lines[3]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {8}  # each line has seven columns


def test_results_are_finite_plain_json():
    result = results.ratio("row", results.Bound(2, 4), sample("ours", 1.0), [sample("peer", 3.0)])
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["met"] is True
    assert plain["samples"][1] == {"name": "peer", "values": [3.0], "unit": "s", "median": 3.0, "spread": [3.0, 3.0]}


@pytest.mark.parametrize(
    ("name", "shapes"), [("vgg", [28, 28, 14, 14, 7]), ("m3", list(range(26, 6, -2))), ("m5", list(range(24, 4, -4)))]
)
def test_deep_networks_have_the_heights_of_their_source(name, shapes):
    plain = architectures.architecture(name)
    without_normalization = [layer for layer in plain["layers"] if layer["kind"] != "BatchNormalization"]
    network = cs.Architecture.from_dict({**plain, "layers": without_normalization})
    convolutions = [row for row in network.table if row.layer.kind == "Conv2D"]
    assert [row.output_shape[0] for row in convolutions] == shapes
    assert len(plain["layers"]) - len(without_normalization) == len(convolutions) + (name != "vgg")


def test_the_residual_network_equals_the_preset():
    timed, preset = cs.Architecture.from_dict(architectures.architecture("residual")), cs.presets.residual()
    rows = [[(row.layer.kind, row.output_shape, row.parameters) for row in net.table] for net in (timed, preset)]
    assert rows[0] == rows[1]


def test_the_notebook_is_committed_without_results():
    notebook = json.loads((BENCHMARKS / "peers" / "keras_notebook.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
