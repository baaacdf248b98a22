"""`convscope import` through its entry point: a network trained elsewhere becomes a run that every command reads."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.interchange.keras_files.keras_archives import archive, hdf5, image, layer, sequential, small
from tests.shared import bare_reports

import convscope as cs
from convscope.runs import topics
from convscope.runs.importing import ImportedRun

from .conftest import invoke, run_fails, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.fixture(scope="module")
def model_file(run_folder: tuple[Path, dict]) -> Path:
    return run_folder[0] / "model.safetensors"


@pytest.fixture(scope="module")
def imported(model_file: Path, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of an imported run, and what `convscope import --json` printed."""
    out = tmp_path_factory.mktemp("imports") / "run"
    with bare_reports():
        return out, succeed("import", model_file, "--dataset", small_folder, "--out", out, "--json")


def test_an_imported_run_has_all_but_a_training(imported: tuple[Path, dict], run_folder: tuple[Path, dict]):
    out, printed = imported
    assert printed["evaluation"]["accuracy"] == run_folder[1]["evaluation"]["accuracy"]
    assert printed["imported"]["file"] == "model.safetensors"
    assert (out / "DONE").exists()
    assert (out / "history.jsonl").read_text() == ""
    record = json.loads((out / "run.json").read_text())
    assert record["imported"] == printed["imported"]
    assert record["weights_sha256"] == cs.load_model(out).weights_sha256 == cs.load_model(run_folder[0]).weights_sha256
    assert record["epochs_trained"] == 0
    assert cs.load_model(out).handwriting == cs.load_model(run_folder[0]).handwriting
    assert record["command"].startswith("convscope import ")


def test_an_imported_run_is_compared_without_training_time(imported: tuple[Path, dict], run_folder: tuple[Path, dict]):
    compared = succeed("compare", run_folder[0], imported[0], "--json")
    trained, elsewhere = compared["groups"]
    assert trained["training_seconds"] > 0
    assert elsewhere["training_seconds"] is None
    assert compared["comparisons"][0]["accuracy_difference"] == 0


def test_an_imported_network_can_be_trained_further(imported: tuple[Path, dict], small_folder: Path, tmp_path: Path):
    completed = invoke("train", "--resume", imported[0])
    assert completed.exit_code == 1
    assert f"trained elsewhere; train it on as a new run, with --from {imported[0]}" in completed.stderr
    succeed(
        "train", "--from", imported[0], "--dataset", small_folder, "--epochs", 1, "--out", tmp_path / "on", "--json"
    )


@pytest.mark.slow
def test_topics_that_need_unseen_images_are_refused_or_left_out(
    imported: tuple[Path, dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    embedding = topics.TOPICS["embedding"].measure  # faster than these topics, whose values do not matter here
    for topic in ("filters", "ablation", "robustness", "attacks"):
        monkeypatch.setitem(topics.TOPICS, topic, replace(topics.TOPICS[topic], measure=embedding))
    out = shutil.copytree(imported[0], tmp_path / "run")
    why = "calibration: the file of an imported network does not say which images"
    assert why in run_fails("report", out, "calibration")
    completed = invoke("report", out, "all")
    assert completed.exit_code == 0, completed.output
    assert "Left out: calibration, rejection: the file of an imported network" in completed.stderr
    assert not (out / "calibration.json").exists()
    assert (out / "robustness.json").exists()


def test_a_model_alone_needs_no_data(model_file: Path, tmp_path: Path):
    out = tmp_path / "alone.safetensors"
    succeed("import", model_file, "--out", out)
    assert cs.load_model(out).provenance["imported"]["program"] == "convscope"
    assert "already exists" in run_fails("import", model_file, "--out", out)


@pytest.mark.parametrize(
    ("num_classes", "lowest_accuracy", "is_guessing"),
    [(2, 0.7, False), (2, 0.55, True), (10, 0.21, False), (10, 0.19, True), (100, 0.03, False)],
)
def test_guessing_depends_on_the_number_of_classes(num_classes: int, lowest_accuracy: float, is_guessing: bool):
    evaluation = SimpleNamespace(accuracy_interval=(lowest_accuracy, 1.0))
    model = SimpleNamespace(architecture=SimpleNamespace(num_classes=num_classes))
    advice = ImportedRun(None, SimpleNamespace(evaluation=evaluation, model=model), {}, Path()).advice  # type: ignore[arg-type]
    assert ("little better than guessing" in advice) == is_guessing


@pytest.fixture(scope="module")
def foreign(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras file without a Rescaling layer, whose network was trained on pixels scaled to -1 to 1."""
    network = cs.Architecture(cs.Input(28, 28, 1, 1 / 127.5, -1.0), (cs.Flatten(), cs.Dense(16, "relu"), cs.Dense(10)))
    model, _ = cs.train(network, small_mnist.train, cs.Recipe(epochs=8, optimizer=cs.Adam(0.003)))
    layers = [layer("Flatten", "flatten"), layer("Dense", "dense", units=16, activation="relu")]
    config = sequential(image(28, 28, 1), *layers, layer("Dense", "dense_1", units=10, activation="softmax"))
    arrays = {
        f"layers/{name}/vars/{number}": model.weights[f"{name}/{weight}"]
        for name in ("dense", "dense_1")
        for number, weight in enumerate(("kernel", "bias"))
    }
    path = tmp_path_factory.mktemp("foreign") / "net.keras"
    path.write_bytes(archive(config, hdf5(arrays)))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_the_scaling_is_found_printed_and_recorded(foreign: Path, small_folder: Path, tmp_path: Path):
    printed = succeed("import", foreign, "--dataset", small_folder, "--out", tmp_path / "run")
    assert "A byte becomes" in printed
    assert "its scaling is -1 to 1, of 10 that were tried" in printed
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["imported"]["scaling"] == cs.Scaling(mean=0.5, std=0.5).to_dict()
    assert record["imported"]["scalings"][0]["name"] == "-1 to 1"
    input_layer = cs.load_model(tmp_path / "run").architecture.input
    assert (input_layer.scale, input_layer.offset) == (pytest.approx(1 / 127.5), -1.0)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "its scaling is -1 to 1" in page


@pytest.mark.slow
def test_a_stated_scaling_is_not_tried_and_stands_in_the_command(foreign: Path, small_folder: Path, tmp_path: Path):
    options = ("--scale", "1/255/0.5", "--mean", "1", "--inverted", "--std", "-1")
    printed = succeed("import", foreign, "--dataset", small_folder, "--out", tmp_path / "run", *options, "--json")
    stated = cs.Scaling(1 / 255 / 0.5, 1.0, -1.0, inverted=True)
    imported = printed["imported"]
    assert imported["scaling"] == stated.to_dict()
    assert "scalings" not in imported
    words = shlex.split(json.loads((tmp_path / "run" / "run.json").read_text())["command"])
    again = invoke(*words[1:], "--out", tmp_path / "again", "--json")
    assert json.loads(again.stdout)["imported"]["scaling"] == stated.to_dict()


@pytest.mark.parametrize(
    ("shape", "units", "step"), [((20, 20, 1), 10, "--image-size 20x20"), ((28, 28, 3), 4, "--out")]
)
def test_data_that_do_not_fit_are_compared_with_the_network(small_folder: Path, tmp_path: Path, shape, units, step):
    config, arrays = small(*shape, units=units)
    (tmp_path / "new.keras").write_bytes(archive(config, hdf5(arrays)))
    message = run_fails("import", tmp_path / "new.keras", "--dataset", small_folder)
    assert (
        f"reads images of {' × '.join(map(str, shape))} (height × width × channels) and has {units} outputs" in message
    )
    assert "name its own data with --dataset" in message
    assert step in message
    assert ("--image-size" in message) == (units == 10)


def test_a_network_for_other_images_that_reads_bytes_is_refused_before_the_report(small_folder: Path, tmp_path: Path):
    config, arrays = small(28, 28, units=10)
    config["config"]["layers"].insert(1, layer("Rescaling", "rescaling", scale=1 / 255))
    (tmp_path / "new.keras").write_bytes(archive(config, hdf5(arrays)))
    arguments = ("import", tmp_path / "new.keras", "--dataset", small_folder, "--out", tmp_path / "run")
    assert "little better than guessing" in run_fails(*arguments)
    assert not (tmp_path / "run").exists()
    assert invoke(*arguments, "--scale", "1").exit_code == 0


def test_an_unclear_scaling_is_refused_with_its_table(small_folder: Path, tmp_path: Path):
    config, arrays = small(28, 28, units=10)
    (tmp_path / "new.keras").write_bytes(archive(config, hdf5(arrays)))
    completed = invoke("import", tmp_path / "new.keras", "--dataset", small_folder, "--out", tmp_path / "run")
    assert completed.exit_code == 1
    assert completed.stdout == ""
    assert "A byte becomes" in completed.stderr
    assert "new.keras: with no scaling does it know these classes" in completed.stderr
    assert completed.stderr.endswith("name its own data with --dataset, or state its --scale\n")
    assert not (tmp_path / "run").exists()


def test_without_data_a_scaling_is_stated_or_refused(foreign: Path, tmp_path: Path):
    error = run_fails("import", foreign, "--out", tmp_path / "m.safetensors")
    assert "does not say how a byte becomes the number that it reads; state it with --scale" in error
    succeed("import", foreign, "--mean", "0.5", "--std", "0.5", "--out", tmp_path / "m.safetensors")
    assert cs.load_model(tmp_path / "m.safetensors").architecture.input.offset == -1.0


def write_flat_network(folder: Path, pixels: int) -> Path:
    """Write a Keras file of a network that reads `pixels` values in a row and has two outputs, `kinds` and `sizes`."""
    heads = [layer("Dense", "kinds", units=10, activation="softmax"), layer("Dense", "sizes", units=3)]
    layers = [image(pixels), *heads]
    for entry in layers:
        inputs = [] if entry is layers[0] else [[["image", 0, 0, {}]]]
        entry |= {"name": entry["config"]["name"], "inbound_nodes": inputs}
    graph = {"layers": layers, "input_layers": [["image", 0, 0]], "output_layers": [["kinds", 0, 0], ["sizes", 0, 0]]}
    arrays = {}
    for name, units in (("dense", 10), ("dense_1", 3)):
        arrays[f"layers/{name}/vars/0"] = np.ones((pixels, units), np.float32)  # the kernel
        arrays[f"layers/{name}/vars/1"] = np.ones(units, np.float32)  # the bias
    path = folder / "flat.keras"
    path.write_bytes(archive({"class_name": "Functional", "config": {"name": "flat", **graph}}, hdf5(arrays)))
    return path


def test_the_shape_of_images_and_the_output_are_stated(tmp_path: Path):
    words = ("import", write_flat_network(tmp_path, 600), "--scale", "1/255", "--out", tmp_path / "m.safetensors")
    why = "600 flat pixels as input, which are not a square; give --image-shape: height x width"
    assert why in run_fails(*words, "--output", "sizes")
    words += ("--image-shape", "20x30x1")
    assert "outputs are kinds, sizes; name the one with a number for each class with --output" in run_fails(*words)
    why = "has no output 'kind', but 'kinds', 'sizes'; did you mean 'kinds'?"
    assert why in run_fails(*words, "--output", "kind")
    succeed(*words, "--output", "sizes")
    model = cs.load_model(tmp_path / "m.safetensors")
    assert (model.architecture.input.shape, model.class_names) == ((20, 30, 1), ("0", "1", "2"))
    assert model.provenance["imported"]["output"] == "sizes"
    assert model.provenance["imported"]["image_shape"] == [20, 30, 1]


@pytest.mark.parametrize(
    ("option", "values", "message"),
    [
        ("--scale", ["0"], "finite numbers other than 0"),
        ("--std", ["1,0"], "finite numbers other than 0"),
        ("--scale", ["1/0", "x", "1//3", ""], "a fraction such as 1/255"),
        ("--image-shape", ["28x28", "28x28x0", "28x28x1x1", "x", ""], "height, width and channels, such as 28x28x1"),
    ],
)
def test_invalid_scalings_and_shapes_are_usage_errors(model_file: Path, option: str, values: list[str], message: str):
    for value in values:
        completed = invoke("import", model_file, option, value)
        assert (completed.exit_code, message in completed.stderr) == (2, True)


def test_classes_of_other_data_are_refused(model_file: Path, small_folder: Path, tmp_path: Path):
    model = cs.load_model(model_file)
    cs.save_model(replace(model, class_names=tuple("abcdefghij")), tmp_path / "letters.safetensors")
    error = run_fails("import", tmp_path / "letters.safetensors", "--dataset", small_folder, "--out", tmp_path / "run")
    assert "label 0 is '0'" in error
    assert "--dataset" in error
    assert not (tmp_path / "run").exists()
