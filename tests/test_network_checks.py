"""Random networks on the compiled engine against the reference; a wrong engine and a crash are reported as such."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.random_networks import kind_sequences

from convscope.engine import processor
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets

FUZZ = Path(__file__).parent.parent / "fuzz"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of fuzz/."""
    monkeypatch.syspath_prepend(str(FUZZ))
    return importlib.import_module


def failures(load: Any, numbers: range, precision: str = "float32", num_sets: int | None = None) -> list[str]:
    """Check the cases of these numbers on the first instruction sets, by default on all."""
    cases, checks = load("network_cases"), load("network_checks")
    oracles = [checks.Oracle(cases.draw_case(cases.targets(5)[number], 5, number)) for number in numbers]
    return [
        text
        for oracle in oracles
        for isa in processor.instruction_sets(precision)[:num_sets]
        for text in checks.check_case(oracle, isa, precision).failures
    ]


def test_the_first_targets_hold_every_ordered_pair(load: Any) -> None:
    targets = load("network_cases").targets(3)
    assert sorted(targets) == sorted(kind_sequences(3))
    assert {pair for one in targets[:257] for pair in (one[:2], one[1:])} == set(kind_sequences(2))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 264, 24))
def test_native_agrees_with_the_reference_about_networks_with_every_pair_of_kinds(load: Any, first: int) -> None:
    assert failures(load, range(first, first + 24)) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 72, 24))
def test_native_agrees_in_bfloat16_within_its_rounding(load: Any, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    if not instruction_sets("bfloat16"):  # the engine then computes these products number by number, on any set
        monkeypatch.setattr(processor, "instruction_sets", lambda *_: instruction_sets()[:1])
    assert failures(load, range(first, first + 24), "bfloat16") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "named"), [("logits", "logits"), ("layer_gradients", "by layer/"), ("ablation_logits", "ablations/")]
)
def test_numbers_that_are_off_by_a_thousandth_are_reported(
    load: Any, monkeypatch: pytest.MonkeyPatch, method: str, named: str
) -> None:
    right = getattr(NativeNetwork, method)

    def wrong(self: NativeNetwork, *arguments: Any) -> Any:
        result = right(self, *arguments)
        for array in result.values() if isinstance(result, dict) else [result]:
            array *= np.float32(1.001)
        return result

    monkeypatch.setattr(NativeNetwork, method, wrong)
    assert any(text.startswith(named) for text in failures(load, range(3), num_sets=1))


@pytest.mark.slow
def test_a_process_that_dies_is_reported_with_its_case(
    load: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks: ModuleType = load("networks")
    monkeypatch.setattr(networks, "BUILD", tmp_path)
    tallies = {name: networks.Tally(name) for name in ("avx2", "sse2")}
    networks.run_chunk(tmp_path / "missing.so", tallies, 4, 17, 2)
    assert [tally.failed for tally in tallies.values()] == [[17, 18], [17, 18]]
    printed = capsys.readouterr().out
    assert 'make fuzz ARGS="networks --seed 4 --first 18 --count 1 --sets sse2"' in printed
    assert "missing.so" in printed
