"""`convscope report`: the page of a run is written again, or its data are printed with `--payload`."""

import json
import shutil

import numpy as np
import pytest
from tests.shared import unpack

import convscope as cs

from .conftest import invoke, run_fails, succeed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("drawn_reports")]


def test_report_is_written_again_from_the_folder(run_folder):
    out, _ = run_folder
    page = (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert succeed("report", out, "--index", 7, "--json")["report"] == str(out / "report.html")
    assert (out / "report.html").read_text() != page  # another image, other maps
    assert json.loads((out / "explanation.json").read_text())["index"] == 7


def test_the_payload_holds_the_weights_of_every_epoch_of_both_networks(run_folder):
    out, _ = run_folder
    payload = json.loads(invoke("report", out, "--payload").stdout)
    network, baseline = payload["live"]["models"]
    for model in (network, baseline):  # epochs of eight steps
        assert [snapshot["epoch"] for snapshot in model["snapshots"]] == [0, 1 / 8, 3 / 8, 1, 10 / 8, 2]
    last = {name: unpack(block) for name, block in network["snapshots"][-1]["weights"].items()}
    for name, weight in cs.load_model(out).weights.items():  # snapshots are quantized, to a 50th of the largest weight
        assert np.abs(last[name] - weight).max() <= np.abs(weight).max() / 49.9
    assert (out / "report.html").stat().st_size <= 4_500_000


def test_a_report_names_a_damaged_checkpoint_and_has_no_replay_without_checkpoints(run_folder, tmp_path):
    out = shutil.copytree(run_folder[0], tmp_path / "run")
    checkpoint = out / "checkpoints" / "epoch-0001.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    assert run_fails("report", out).startswith(f"Error: {checkpoint}: ")
    for path in (out / "checkpoints").iterdir():
        path.unlink()
    payload = json.loads(invoke("report", out, "--payload").stdout)
    assert payload["live"]["models"][0]["snapshots"] == []
