"""`convscope predict` for pictures in files, in folders and from standard input, as text, JSON, CSV and a page."""

import csv
import json
import re
import shutil
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from convscope.architecture import presets
from convscope.base.metrics import wilson_interval
from convscope.cli import main
from convscope.data.handwriting import STEPS, Handwriting
from convscope.data.image_files import read_picture
from convscope.engine import initial_weights
from convscope.prediction import predict
from convscope.runs import predicting
from convscope.storage import save_model
from convscope.training.model import Model

from .conftest import invoke, run_fails, succeed

CLASSES = ("zero", "ein langer Name mit Umläuten, der nicht passt", "</script><b>two", "三", *"456789")
MNIST_LIKE = Handwriting("light", 20)  # light ink on dark, digits of 20 × 20 pixels


@pytest.fixture(scope="module")
def model():
    network = presets.ann((28, 28, 1), 10)
    return Model(network, initial_weights(network, 0), CLASSES, handwriting=MNIST_LIKE)


@pytest.fixture(scope="module")
def run(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_model(model, folder / "model.safetensors")
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Two drawings, one of them in a folder of its own, and a file that is no picture."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, left in (("a.png", 30), ("more/b.png", 50)):
        paper = np.full((90, 120), 250, np.uint8)
        paper[20:70, left : left + 8] = 10
        Image.fromarray(paper).save(folder / name)
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_each_picture_of_a_folder_has_a_row(run, pictures):
    lines = succeed("predict", run, pictures).splitlines()
    assert lines[0].split() == [
        "file", "prediction", "probability", "runner-up",
        *["none", "of", "these", "preparation", "(height", "×", "width)"],
    ]  # fmt: skip
    assert [line.split()[0].split("/")[-1] for line in lines[2:4]] == ["a.png", "b.png"]
    assert all("90 × 120 → 28 × 28, inverted, all steps" in line for line in lines[2:4])


def test_json_is_a_list_of_the_predictions_of_python(run, model, pictures):
    result = invoke("predict", run, pictures, "--json")
    paths = [pictures / "a.png", pictures / "more" / "b.png"]
    expected = predict(model, [read_picture(path) for path in paths], names=[str(path) for path in paths])
    assert json.loads(result.stdout) == [prediction.to_dict() for prediction in expected]
    assert result.stderr == ""


def test_csv_has_a_row_for_each_picture(run, pictures):
    result = invoke("predict", run, pictures, "--csv")
    values = succeed("predict", run, pictures, "--json")
    rows = list(csv.DictReader(StringIO(result.stdout)))
    for row, value in zip(rows, values, strict=True):
        assert row["file"] == value["file"]
        assert int(row["label"]) == value["label"]
        assert row["class_name"] == value["class_name"]
        assert float(row["probability"]) == value["probability"]
        assert row["runner_up_class_name"] == value["runner_up"]["class_name"]
        assert float(row["runner_up_probability"]) == value["runner_up"]["probability"]
        assert (row["none_of_these"], row["is_calibrated"]) == ("", "false")
        assert (row["height"], row["width"]) == ("90", "120")
        assert row["steps"].split() == list(MNIST_LIKE.steps)
        assert (row["hints"], row["error"]) == (" ".join(value["hints"]), "")


@pytest.fixture
def by_class(pictures):
    """The drawings in folders of three classes, beside a file that is no picture."""
    folder = pictures.parent / "by class"
    for name, picture in (("zero", "a.png"), ("三", "more/b.png"), ("三", "a.png"), ("9", "more/b.png")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"=1+1 {picture[-5:]}").write_bytes((pictures / picture).read_bytes())
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize("inside", [".", "photos", "photos/test"])
def test_pictures_in_folders_of_classes_are_scored(run, by_class, tmp_path, inside):
    folder = tmp_path / "mine"
    shutil.copytree(by_class, folder / inside, dirs_exist_ok=True)
    values = succeed("predict", run, folder, "--json")
    assert [value["true_class_name"] for value in values] == ["9", "zero", "三", "三"]
    assert [CLASSES[value["true_label"]] for value in values] == ["9", "zero", "三", "三"]
    num_correct = sum(value["label"] == value["true_label"] for value in values)
    printed = succeed("predict", run, folder)
    low, high = wilson_interval(num_correct, 4)
    assert f"{100 * num_correct / 4:.2f} % [{100 * low:.2f}, {100 * high:.2f}]" in printed
    assert f"{num_correct} of 4 images correct" in printed
    assert "Most confused pairs" in printed
    table = printed.split("Wrong predictions, most confident first\n")[1]
    for value in values:
        assert (value["file"][-24:] in table) == (value["label"] != value["true_label"])
    rows = list(csv.DictReader(StringIO(succeed("predict", run, folder, "--csv"))))
    assert [row["true_class_name"] for row in rows] == ["9", "zero", "三", "三"]
    assert list(rows[0])[-3:] == ["error", "true_label", "true_class_name"]


def test_other_folders_are_not_scored(run, by_class):
    (by_class / "holiday").mkdir()
    (by_class / "zero" / "=1+1 a.png").rename(by_class / "holiday" / "a.png")
    assert "Accuracy" not in succeed("predict", run, by_class)
    assert "true_label" not in succeed("predict", run, by_class, "--csv")
    assert "true_label" not in succeed("predict", run, by_class, "--json")[0]
    # The pictures of a class alone do not say that they are sorted by class.
    assert "Accuracy" not in succeed("predict", run, by_class / "三")


def test_a_bad_file_in_a_folder_of_a_class_is_not_scored(run, by_class):
    (by_class / "9" / "broken.png").write_bytes(b"no picture")
    result = invoke("predict", run, by_class)
    assert result.exit_code == 1
    assert "of 4 images correct" in result.stdout
    rows = csv.DictReader(StringIO(invoke("predict", run, by_class, "--csv").stdout))
    assert [(row["error"] != "", row["true_class_name"]) for row in rows if row["error"]] == [(True, "")]


def test_standard_input_is_a_picture(run, pictures):
    content = (pictures / "a.png").read_bytes()
    (value,) = json.loads(CliRunner().invoke(main, ["predict", str(run), "-", "--json"], input=content).stdout)
    (same,) = succeed("predict", run, pictures / "a.png", "--json")
    assert value == {**same, "file": "-"}
    assert "standard input can be read only once" in invoke("predict", run, "-", "-").stderr


def test_a_picture_of_the_data_set_is_classified_unchanged(run, model, mnist, tmp_path):
    image = mnist.test.images[3]
    Image.fromarray(image[..., 0]).save(tmp_path / "three.png")
    (value,) = succeed("predict", run, tmp_path / "three.png", "--json")
    assert value["is_as_made"]
    np.testing.assert_array_equal(value["probabilities"], model.probabilities(image[None])[0])


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_left_out_or_requested(run, pictures, step):
    (value,) = succeed("predict", run, pictures / "a.png", "--without", step, "--json")
    assert value["steps"] == [name for name in MNIST_LIKE.steps if name != step]
    (value,) = succeed("predict", run, pictures / "a.png", "--with", step, "--json")
    assert value["steps"] == [name for name in STEPS if name in MNIST_LIKE.steps or name == step]
    both = invoke("predict", run, pictures / "a.png", "--without", step, "--with", step)
    assert both.exit_code == 2
    assert "choose one" in both.stderr


def test_a_model_of_other_images_applies_only_the_requested_steps(model, pictures, tmp_path):
    plain = replace(model, handwriting=Handwriting("light", 20, centre=False))
    save_model(plain, tmp_path / "plain.safetensors")
    (value,) = succeed("predict", tmp_path / "plain.safetensors", pictures / "a.png", "--json")
    assert value["steps"] == []
    assert "--with polarity" in invoke("predict", tmp_path / "plain.safetensors", pictures / "a.png").stdout
    result = invoke("predict", tmp_path / "plain.safetensors", pictures / "a.png", "--with", "polarity", "--json")
    assert json.loads(result.stdout)[0]["steps"] == ["polarity"]


def test_a_bad_file_has_its_row_and_the_other_pictures_are_classified(run, pictures):
    (pictures / "broken.png").write_bytes((pictures / "a.png").read_bytes()[:60])
    arguments = (run, pictures, pictures / "none.png")
    result = invoke("predict", *arguments)
    assert result.exit_code == 1
    assert "2 of 4 pictures could not be read" in result.stderr
    rows = result.stdout.splitlines()[2:]  # a.png, broken.png, more/b.png, none.png
    assert "all steps" in rows[0]
    assert re.search(r"broken\.png +- .*not read: is damaged", rows[1])
    assert re.search(r"none\.png +- .*not read: no such file; check the path$", rows[3])

    result = invoke("predict", *arguments, "--json")
    assert result.exit_code == 1
    values = json.loads(result.stdout)
    assert [sorted(value) == ["error", "file"] for value in values] == [False, True, False, True]
    assert values[3] == {"file": str(pictures / "none.png"), "error": "no such file; check the path"}

    result = invoke("predict", *arguments, "--csv")
    assert result.exit_code == 1
    assert [bool(row["error"]) for row in csv.DictReader(StringIO(result.stdout))] == [False, True, False, True]


def test_one_bad_file_alone_is_one_error(run, pictures):
    message = run_fails("predict", run, pictures / "notes.txt")
    assert re.search(r"notes\.txt: is not a picture in a known format", message)
    assert invoke("predict", run, pictures / "notes.txt").stdout == ""
    assert json.loads(invoke("predict", run, pictures / "notes.txt", "--json").stdout)[0]["error"]


def test_bad_arguments_are_errors(run, pictures, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in run_fails("predict", run, tmp_path / "empty")
    assert "no such file" in run_fails("predict", tmp_path / "none", pictures)
    assert "not a safetensors file" in run_fails("predict", pictures / "a.png", pictures)
    assert invoke("predict", run).exit_code == 2
    both = invoke("predict", run, pictures, "--json", "--csv")
    assert both.exit_code == 2
    assert "choose one" in both.stderr


def test_many_pictures_are_classified_in_batches(run, pictures, monkeypatch):
    batch_sizes = []

    def count_and_predict(model, batch, **options):
        batch_sizes.append(len(batch))
        return predict(model, batch, **options)

    monkeypatch.setattr(predicting, "_BATCH", 2)
    monkeypatch.setattr(predicting, "predict", count_and_predict)
    assert len(succeed("predict", run, *[pictures / "a.png"] * 7, "--json")) == 7
    assert batch_sizes == [2, 2, 2, 1]


def test_explain_writes_one_page_that_asks_for_nothing(run, pictures, tmp_path):
    page = tmp_path / "page.html"
    (pictures / "a.png").rename(pictures / "<script>a.png")
    assert f"The page is {page}" in succeed("predict", run, pictures, "--explain", page)
    html = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert "&lt;script&gt;a.png" in html
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", html)
    assert html.count(f"<p>{MNIST_LIKE.steps[-1]}</p>") == 2


def test_explain_replaces_a_file_only_with_force(run, pictures, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert "already exists" in run_fails("predict", run, pictures, "--explain", page)
    assert page.read_text() == "mine"
    succeed("predict", run, pictures, "--explain", page, "--force", "--json")
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_page_is_written_despite_a_bad_file_if_any_picture_is_good(run, pictures, tmp_path):
    page = tmp_path / "page.html"
    assert invoke("predict", run, pictures / "notes.txt", "--explain", page).exit_code == 1
    assert not page.exists()
    assert invoke("predict", run, pictures / "notes.txt", pictures, "--explain", page).exit_code == 1
    assert "b.png" in page.read_text(encoding="utf-8")


def test_the_page_has_the_class_of_a_folder_and_marks_wrong_predictions(run, pictures, tmp_path):
    page = tmp_path / "page.html"
    names = [succeed("predict", run, pictures / "a.png", "--json")[0]["class_name"], CLASSES[1]]
    assert names[0] != names[1]
    for name in names:
        (tmp_path / "sorted" / name).mkdir(parents=True)
        shutil.copy(pictures / "a.png", tmp_path / "sorted" / name)
    text = succeed("predict", run, tmp_path / "sorted", "--explain", page)
    assert "add --explain" not in text
    html = page.read_text(encoding="utf-8")
    assert (html.count('<td class="name mistaken">'), html.count(f'<td class="name">{names[1]}</td>')) == (1, 1)
