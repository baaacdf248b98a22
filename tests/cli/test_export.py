"""`convscope export` through its entry point: files, proofs and the run that keeps them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec import UNSET, convert

import convscope as cs
from convscope.export import Parity, ParityTable
from convscope.report.evidence import render_evidence
from convscope.report.evidence.exports import exports_section
from convscope.report.evidence.section import Table
from convscope.runs import page

from .conftest import invoke, run_fails, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.fixture
def run(run_folder: tuple[Path, dict], tmp_path: Path) -> Path:
    return shutil.copytree(run_folder[0], tmp_path / "run")


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_a_file_is_proved_and_the_run_keeps_it(run: Path, monkeypatch: pytest.MonkeyPatch):
    (row,) = succeed("export", run, "--format", "safetensors", "--json")["exports"]
    assert (row["file"], row["num_images"], row["largest_difference"], row["num_changed"]) == (
        "model.safetensors", 300, 0.0, 0,
    )  # fmt: skip
    assert (run / "exports" / "model.safetensors").stat().st_size == row["num_bytes"]
    kept = json.loads((run / "exports.json").read_text())
    assert kept["exports"] == [row]
    assert kept["weights_sha256"] == cs.load_model(run).weights_sha256
    monkeypatch.setattr(page, "TOPICS", {"exports": None})  # `bare_reports` takes out all topics
    monkeypatch.setattr(page, "render_evidence", render_evidence)
    succeed("report", run)
    assert ' id="exports"' in (run / "report.html").read_text()


@pytest.mark.slow
def test_each_run_of_an_experiment_is_proved_in_a_folder_of_its_own(small_folder: Path, tmp_path: Path):
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--recipe", "fast", "--seeds", 2)
    for record in succeed("experiment", *arguments, "--out", tmp_path, "--json")["runs"]:
        run = tmp_path / "runs" / record["digest"]
        assert succeed("export", run, "--format", "safetensors", "--json")["exports"][0]["num_images"] == 300
        assert cs.load_model(run / "exports" / "model.safetensors").weights_sha256 == record["weights_sha256"]


def test_a_model_file_alone_is_written_without_a_proof(run: Path, small_folder: Path, tmp_path: Path):
    model, out = run / "model.safetensors", tmp_path / "copy.safetensors"
    assert succeed("export", model, "--format", "safetensors", "--out", out, "--json")["exports"] == []
    assert cs.load_model(out).weights_sha256 == cs.load_model(run).weights_sha256
    again = ("--out", out, "--dataset", small_folder, "--force", "--json")
    assert succeed("export", model, "--format", "safetensors", *again)["exports"][0]["file"] == "copy.safetensors"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--format", "keras", "--dtype", "int8"), "has no int8; it has float32"),
        (("--format", "pickle"), "'pickle' is not one of"),
        ((), "Missing option '--format'"),
    ],
)
def test_unknown_export_options_are_refused_before_writing(run: Path, arguments: tuple, expected: str):
    completed = invoke("export", run, *arguments)
    assert completed.exit_code == 2
    assert expected in completed.stderr
    assert not (run / "exports").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "c", "--prefix", "3 best"), "prefix is '3 best'; it must be"),
        (("--format", "c", "--format", "safetensors", "--prefix", "net"), "--prefix is for c only; export safetensors"),
        (("--format", "c", "--float-layers", " dense"), "--float-layers is for int8; in float32 no layer is in 8 bits"),
        (
            ("--format", "c", "--dtype", "int8", "--float-layers", "a"),
            "'a' is no layer with weights; those are conv2d, ",
        ),
        (
            ("--format", "c", "--format", "tflite", "--dtype", "int8", "--float-layers", "dense"),
            "--float-layers is for onnx and c only; export tflite without it",
        ),
    ],
)
def test_options_of_another_format_are_refused_before_a_file_is_written(run: Path, arguments: tuple, message: str):
    assert message in run_fails("export", run, *arguments)
    assert not (run / "exports").exists()


def test_an_int8_header_has_prefix_and_self_test_and_its_proof_memory_and_layers(run: Path):
    printed = succeed("export", run, "--format", "c", "--dtype", "int8", "--prefix", "net", "--json")
    assert "#define NET_SELF_TEST_IMAGES 10\n" in (run / "exports" / "model-int8.h").read_text()
    table = ParityTable(rows=(convert(printed["exports"][0], Parity),))
    (row,) = table.rows
    assert row.memory is not UNSET
    assert row.quantization is not UNSET
    assert {loss.layer for loss in row.quantization.layers} == {"conv2d", "conv2d_1", "dense", "dense_1"}
    parts = exports_section(table).parts
    assert [len(part.rows) for part in parts if isinstance(part, Table)] == [1, 1, 4]
    assert f"{row.memory.arena_bytes:,}" in str(table)
    assert row.quantization.layers[0].layer in str(table)


def test_int8_of_a_model_file_needs_data(run: Path):
    error = run_fails("export", run / "model.safetensors", "--format", "c", "--dtype", "int8")
    assert "name some with --dataset" in error


def test_other_data_prove_it_but_are_not_kept_with_the_run(run: Path, small_folder: Path):
    printed = succeed("export", run, "--format", "safetensors", "--dataset", small_folder, "--json")
    assert printed["exports"][0]["num_images"] == 300
    assert not (run / "exports.json").exists()


def test_data_of_another_kind_are_refused_before_anything_is_written(run: Path, tmp_path: Path):
    images, labels = np.zeros((40, 9, 8), np.uint8), np.arange(40) % 10
    np.savez(tmp_path / "small.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    error = run_fails("export", run, "--format", "safetensors", "--dataset", tmp_path / "small.npz")
    assert "9 × 8 × 1" in error
    assert not (run / "exports").exists()


def test_a_folder_with_the_name_of_an_export_is_an_error(run: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "name a folder" in run_fails("export", run, "--format", "safetensors", "--out", tmp_path / "file")
