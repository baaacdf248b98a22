"""`convscope diff`: its text, JSON and page, the images that it takes, and what it refuses."""

import json
import shutil

import numpy as np
import onnx
import pytest
from tests.interchange.onnx_files.graphs import node, proto
from tests.onnx_models import make_model

import convscope as cs
from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input

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


@pytest.mark.parametrize("scaling", [cs.Scaling(), cs.Scaling(mean=0.1307, std=0.3081), cs.Scaling(1 / 127.5, mean=1)])
def test_a_file_without_a_scaling_gets_that_of_its_import_and_of_its_export(tmp_path, scaling):
    architecture = Architecture(Input(6, 5, scale=1.0), (Conv2D(3), Flatten(), Dense(3)), "numbers")
    cs.save_model(make_model(architecture), tmp_path / "bytes.safetensors")
    cs.export_model(cs.load_model(tmp_path / "bytes.safetensors"), tmp_path / "raw.onnx", "onnx")
    text = (tmp_path / "raw.onnx").read_bytes()
    (tmp_path / "numbers.onnx").write_bytes(as_floats(text))
    model = cs.import_model(tmp_path / "numbers.onnx", scaling=scaling)
    cs.export_model(model, tmp_path / "export.onnx", "onnx")
    assert cs.diff(tmp_path / "numbers.onnx", model).sentence.startswith("The networks are equal")
    difference = cs.diff(tmp_path / "export.onnx", tmp_path / "numbers.onnx")
    assert difference.sentence.startswith("They compute the same to")
    assert difference.notes[0].startswith("B: reads numbers, not bytes")


def as_floats(content: bytes) -> bytes:
    """Make a file of ours read numbers (N, C, H, W), as those of other programs do."""
    model = onnx.load_model_from_string(content)
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    while model.graph.node[0] is not first and model.graph.node[0].output[0] != first.output[0]:
        del model.graph.node[0]
    shape = [None, 1, 6, 5]
    del model.graph.input[:]
    model.graph.input.append(onnx.helper.make_tensor_value_info(first.input[0], onnx.TensorProto.FLOAT, shape))
    return model.SerializeToString()


def test_images_that_do_not_fit_and_missing_files_are_refused(shared_run, tmp_path, small_folder):
    model = make_model(Architecture(Input(5, 4), (Flatten(), Dense(3)), "other"))
    cs.save_model(model, tmp_path / "other.safetensors")
    message = run_fails(
        "diff", tmp_path / "other.safetensors", tmp_path / "other.safetensors", "--dataset", small_folder
    )
    assert "--dataset" in message
    assert "5 × 4 × 1" in message
    assert "nothing.onnx" in run_fails("diff", shared_run, tmp_path / "nothing.onnx")


def test_two_files_of_pixels_in_a_row_need_data_that_tell_the_size(tmp_path, small_folder):
    for name in ("a.onnx", "b.onnx"):
        onnx.save(
            proto([node("Gemm", "x k", "y")], {"k": np.eye(784, 10, dtype=np.float32)}, ("N", 784)), tmp_path / name
        )
    message = run_fails("diff", tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert "does not define the image size; name data with --dataset" in message
    assert "are equal" in succeed("diff", tmp_path / "a.onnx", tmp_path / "b.onnx", "--dataset", small_folder)


def test_a_run_whose_data_are_gone_is_compared_on_random_images(shared_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(shared_run, run)
    record = json.loads((run / "run.json").read_text())
    record["dataset"]["argument"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(record))
    text = succeed("diff", run, run / "model.safetensors")
    assert "could not be loaded" in text
    assert "The networks are equal" in text
