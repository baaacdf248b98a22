"""Random networks on the compiled engine agree with the reference, and fuzz/ reports wrong numbers and crashes.

`make network-test` tries more of them, with every ordered pair of kinds.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.random_networks import kind_sequences

import convscope as cs
from convscope.engine import processor
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets

FUZZ = Path(__file__).parent.parent / "fuzz"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of fuzz/."""
    monkeypatch.syspath_prepend(str(FUZZ))
    return importlib.import_module


def failures(load: Any, drawn: Iterable[Any], precision: str = "float32", num_sets: int | None = None) -> list[str]:
    """Check cases on the first instruction sets, by default on all."""
    checks = load("network_checks")
    return [
        text
        for oracle in map(checks.Oracle, drawn)
        for isa in processor.instruction_sets(precision)[:num_sets]
        for text in checks.check_case(oracle, isa, precision).failures
    ]


def cases(load: Any, numbers: range) -> list[Any]:
    network_cases = load("network_cases")
    return [network_cases.draw_case(network_cases.targets(5)[number], 5, number) for number in numbers]


def test_the_targets_of_make_network_test_hold_every_ordered_pair(load: Any) -> None:
    targets = load("network_cases").targets(0)
    assert sorted(targets) == sorted(kind_sequences(3))
    assert {pair for target in targets[:400] for pair in (target[:2], target[1:])} == set(kind_sequences(2))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 48, 24))
def test_native_agrees_with_the_reference_about_random_networks(load: Any, first: int) -> None:
    assert failures(load, cases(load, range(first, first + 24))) == []


@pytest.mark.slow
def test_native_agrees_in_bfloat16_within_its_rounding(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not instruction_sets("bfloat16"):  # the engine then computes these products number by number, on any set
        monkeypatch.setattr(processor, "instruction_sets", lambda *_: instruction_sets()[:1])
    assert failures(load, cases(load, range(24)), "bfloat16") == []


POOLINGS = (cs.MaxPooling2D(2), cs.MaxPooling2D(2, 1), cs.MaxPooling2D((1, 4)), cs.MaxPooling2D((4, 1), (2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("precision", [name for name in ("float32", "bfloat16") if instruction_sets(name)])
@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (5, 1), (5, 2), (8, 5), (17, 3)])
def test_native_agrees_about_convolutions_that_it_computes_with_their_pooling(
    load: Any, channels: int, kernel: int, precision: str
) -> None:
    rng, drawn = np.random.default_rng([channels, kernel]), []
    for pooling in POOLINGS:
        layers = (
            cs.Conv2D(channels, kernel, activation="relu"), pooling,
            cs.Conv2D(channels + 2, min(kernel, 3), padding="same", activation="leaky_relu"),
            cs.MaxPooling2D(2), cs.Flatten(), cs.Dense(5, "softmax"),
        )  # fmt: skip
        network = cs.Architecture(cs.Input(*(int(n) for n in rng.integers(17, 25, 2)), 3), layers)
        drawn.append(load("network_cases").draw_work(network, rng))
    assert failures(load, drawn, precision) == []


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
    assert any(text.startswith(named) for text in failures(load, cases(load, range(1)), num_sets=1))


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
