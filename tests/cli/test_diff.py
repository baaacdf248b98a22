"""`convscope diff`: its text, JSON and page, the images that it takes, and what it refuses."""

import json
import shutil

import pytest
from tests.onnx_models import make_model

import convscope as cs
from convscope.architecture import Architecture, Dense, Flatten, Input

from .conftest import run_fails, succeed


@pytest.fixture(scope="module")
def exported(shared_run, tmp_path_factory):
    """The ONNX file of a run, and the same in 8 bits."""
    folder = tmp_path_factory.mktemp("exported")
    model, data = cs.load_model(shared_run), cs.open_run(shared_run).splits.train
    cs.export_model(model, folder / "float.onnx", "onnx")
    options = cs.ExportOptions(dtype="int8", calibration_images=data.images[:64])
    cs.export_model(model, folder / "bytes.onnx", "onnx", options)
    return folder


def test_a_run_and_its_export_compute_the_same_on_test_images(shared_run, exported):
    value = succeed("diff", shared_run, exported / "float.onnx", "--json")
    test = cs.open_run(shared_run).splits.test
    assert value["images"] == f"test images of {test.name}"
    assert (value["num_images"], value["num_changed"]) == (min(len(test), 1000), 0)
    assert value["logits"]["largest"] < 1e-4
    text = succeed("diff", shared_run, exported / "float.onnx")
    assert "They compute the same to" in text
    assert f"A  {shared_run}: convscope" in text


def test_eight_bits_are_noted_and_the_page_shows_layers_and_answers(shared_run, exported, tmp_path):
    page = tmp_path / "difference.html"
    text = succeed("diff", shared_run, exported / "bytes.onnx", "--out", page)
    assert "B: computes in whole numbers" in text
    assert f"The page is {page}" in text
    html = page.read_text(encoding="utf-8")
    assert "http" not in html.replace("http-equiv", "")
    value = succeed("diff", shared_run, exported / "bytes.onnx", "--json")
    for layer in value["layers"]:
        assert f">{layer['a']}<" in html
    assert html.count("A: ") >= len(value["changed"])


def test_two_files_that_read_numbers_get_random_images_and_one_scaling(tmp_path):
    model = make_model(Architecture(Input(5, 4, scale=1.0), (Flatten(), Dense(3)), "numbers"))
    path, copy = tmp_path / "<b>\n.onnx", tmp_path / "second.onnx"
    cs.export_model(model, path, "onnx")
    shutil.copy(path, copy)
    text = succeed("diff", path, copy)
    assert "The networks are equal" in text
    assert "\n.onnx" not in text.split("B  ")[0]  # a name stays on its line


def test_images_that_do_not_fit_and_missing_files_are_refused(shared_run, tmp_path, small_folder):
    model = make_model(Architecture(Input(5, 4), (Flatten(), Dense(3)), "other"))
    cs.save_model(model, tmp_path / "other.safetensors")
    message = run_fails(
        "diff", tmp_path / "other.safetensors", tmp_path / "other.safetensors", "--dataset", small_folder
    )
    assert "--dataset" in message
    assert "5 × 4 × 1" in message
    assert "nothing.onnx" in run_fails("diff", shared_run, tmp_path / "nothing.onnx")


def test_a_run_whose_data_are_gone_is_compared_on_random_images(shared_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(shared_run, run)
    record = json.loads((run / "run.json").read_text())
    record["dataset"]["argument"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(record))
    text = succeed("diff", run, run / "model.safetensors")
    assert "could not be loaded" in text
    assert "The networks are equal" in text
