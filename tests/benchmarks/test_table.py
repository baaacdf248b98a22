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


def test_table_says_why_a_row_was_not_measured_and_marks_what_was_missed():
    missed = results.ratio("slow", results.Bound(2, 4), sample("ours", 1.0), [sample("peer", 1.5)])
    absent = results.Result("absent", results.Bound(0.4, 0.6, "%"), note="no peak | here")
    lines = results.table([missed, absent]).splitlines()
    assert "**1.50 x**, MISSED" in lines[2]
    assert "peer 1.50 s [1.50, 1.50] (1)" in lines[2]
    assert "not measured" in lines[3]
    assert "40 %" in lines[3]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {8}  # each line has seven columns


def test_the_residual_network_equals_the_preset():
    timed, preset = cs.Architecture.from_dict(architectures.architecture("residual")), cs.presets.residual()
    rows = [[(row.layer.kind, row.output_shape, row.parameters) for row in net.table] for net in (timed, preset)]
    assert rows[0] == rows[1]


def test_the_notebook_is_committed_without_results():
    notebook = json.loads((BENCHMARKS / "peers" / "keras_notebook.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
