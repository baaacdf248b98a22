import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from convscope.cli import main
from convscope.engine import processor
from convscope.engine.processor import instruction_sets


def bench(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["bench", "--dataset", str(folder), "--epochs", "2", "--threads", "1", *arguments])


@pytest.mark.slow
def test_bench_prints_what_was_measured(small_folder: Path):
    done = bench(small_folder, "--architecture", "ann")
    assert done.exit_code == 0, done.output
    assert "classic on ann, 1,000 images" in done.output
    for name in (
        "processor",
        "instruction set",
        "precision",
        "peak, float32",
        "peak, bfloat16",
        "share of the peak",
        "a prediction",
        "one image",
        "memory",
    ):
        assert any(line.startswith(name) for line in done.output.splitlines()), name


@pytest.mark.slow
def test_bench_as_json_holds_the_same(small_folder: Path):
    value = json.loads(bench(small_folder, "--json").stdout)
    assert value["instruction_set"] in instruction_sets()
    assert value["threads"] == 1
    assert value["precision"] == "float32"
    assert (value["bfloat16_peak_gflops"] is None) == (not instruction_sets("bfloat16"))
    assert value["num_images"] == 1000
    assert value["training_macs"] == 1_105_920
    assert value["epoch_seconds"]["n"] == 2
    assert value["cpu"]
    assert value["memory"]["peak_memory_bytes"] > value["memory"]["training_bytes"] > value["memory"]["data_bytes"] > 0


def test_bench_refuses_data_that_is_not_there(tmp_path: Path):
    done = bench(tmp_path / "nowhere")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")


@pytest.mark.slow
@pytest.mark.skipif(not instruction_sets("bfloat16"), reason="the processor has no such instructions")
def test_bench_in_bfloat16_takes_the_share_of_that_peak(small_folder: Path):
    value = json.loads(bench(small_folder, "--precision", "bfloat16", "--json").stdout)
    assert value["precision"] == "bfloat16"
    assert value["instruction_set"] in instruction_sets("bfloat16")
    operations = 2e-9 * value["training_macs"] * value["num_images"] / value["epoch_seconds"]["median"]
    assert value["peak_share"] == pytest.approx(operations / value["bfloat16_peak_gflops"])


def test_bench_in_bfloat16_on_another_processor_says_what_to_take(small_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processor, "instruction_sets", lambda *_: ())
    done = bench(small_folder, "--precision", "bfloat16")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: precision is bfloat16, but this processor has no instructions for it")


def test_an_instruction_set_in_the_environment_that_is_not_there_is_one_line(
    small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CONVSCOPE_ISA", "vax")
    done = bench(small_folder)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: CONVSCOPE_ISA is 'vax'; on this processor, float32 can use ")


@pytest.mark.slow
def test_the_peak_of_bfloat16_is_measured_whatever_instruction_set_trains(
    small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CONVSCOPE_ISA", instruction_sets()[-1])
    value = json.loads(bench(small_folder, "--json").stdout)
    assert value["instruction_set"] == instruction_sets()[-1]
    assert (value["bfloat16_peak_gflops"] is None) == (not instruction_sets("bfloat16"))
