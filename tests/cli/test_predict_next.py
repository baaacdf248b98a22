"""`convscope predict --next` and `--sort-into`: which pictures are chosen, and copies sorted by predicted class."""

import csv
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.base.files import PARTIAL
from convscope.engine import initial_weights
from convscope.prediction import rank_by_learning
from convscope.storage import save_model

from .conftest import invoke, run_fails, succeed


def save_network(folder: Path, names: tuple[str, ...], handwriting: object) -> Path:
    network = cs.presets.ann((28, 28, 1), 10)
    model = cs.Model(network, initial_weights(network, 0), names, handwriting=handwriting)
    save_model(model, folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.fixture(scope="module")
def run(mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = tuple(f"class {label} ü" for label in range(10))
    return save_network(tmp_path_factory.mktemp("run"), names, mnist.train.handwriting)


@pytest.fixture
def pictures(mnist: cs.Splits, tmp_path: Path) -> Path:
    """Twenty digits in two folders with the same names of files, some of them hostile."""
    for number, image in enumerate(mnist.test.images[:20]):
        path = tmp_path / "new" / "ab"[number % 2] / f"=1+1 <b>'{number // 2}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(path)
    return tmp_path / "new"


def test_the_most_useful_pictures_are_shown_in_their_order(run, pictures):
    everything = succeed("predict", run, pictures, "--json")
    model = cs.load_model(run)
    images = np.stack([np.asarray(Image.open(value["file"])) for value in everything])[..., None]
    (hidden,) = model.activations(images, [model.architecture.layers[-2].name]).values()
    expected = [everything[i] for i in rank_by_learning(model.probabilities(images), hidden, 5)]
    assert succeed("predict", run, pictures, "--next", 5, "--json") == expected
    rows = list(csv.DictReader(StringIO(succeed("predict", run, pictures, "--next", 5, "--csv"))))
    assert [row["probability"] for row in rows] == [repr(value["probability"]) for value in expected]
    printed = succeed("predict", run, pictures, "--next", 5)
    assert "What to label next, of 20 pictures" in printed
    assert "add --sort-into FOLDER" in printed
    assert len(succeed("predict", run, pictures, "--next", 500, "--json")) == 20


def test_copies_are_sorted_by_predicted_class(run, pictures, tmp_path):
    before = {path: path.read_bytes() for path in pictures.rglob("*.png")}
    chosen = succeed("predict", run, pictures, "--next", 12, "--json")
    out = tmp_path / "sorted"
    out.mkdir()
    printed = succeed("predict", run, pictures, "--next", 12, "--sort-into", out)
    assert "Copied 12 pictures" in printed
    assert "convscope run --dataset TRAINING_FOLDER" in printed
    copies = [(path.parent.name, path.read_bytes()) for path in out.rglob("*.png")]
    assert sorted(copies) == sorted((value["class_name"], before[Path(value["file"])]) for value in chosen)
    assert {path: path.read_bytes() for path in pictures.rglob("*.png")} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(PARTIAL)] == []
    # A folder of copies is not written into again.
    assert "already exists and is not empty" in run_fails("predict", run, pictures, "--sort-into", out)


def test_a_page_beside_the_copies_labels_them_and_its_table_is_a_data_set(run, pictures, tmp_path):
    output = succeed("predict", run, pictures, "--next", 5, "--sort-into", tmp_path / "to_check")
    assert "or label them in " in output
    page = (tmp_path / "to_check" / "label.html").read_text()
    items = json.loads(page.partition('id="data">')[2].partition("</script>")[0])["items"]
    assert [item["given_label"] for item in items] == [None] * 5
    names = [item["file"] for item in items]
    assert all((tmp_path / "to_check" / name).exists() for name in names)
    # As the page saves it, with an apostrophe before what a spreadsheet would compute.
    rows = [(name, f"class {number % 2} ü") for number, name in enumerate(names)]
    with (tmp_path / "to_check" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *rows])
    data = cs.load_dataset(tmp_path / "to_check" / "labels.csv")
    assert len(data.train) + len(data.test) == 5
    assert data.class_names == ("class 0 ü", "class 1 ü")


def test_all_pictures_can_be_sorted_and_a_bad_file_is_left_out(run, pictures, tmp_path):
    (pictures / "broken.png").write_bytes(b"no picture")
    result = invoke("predict", run, pictures, "--next", 3, "--sort-into", tmp_path / "few", "--csv")
    assert result.exit_code == 1
    assert [bool(row["error"]) for row in csv.DictReader(StringIO(result.stdout))] == [False] * 3 + [True]
    assert len(list((tmp_path / "few").rglob("*.png"))) == 3
    assert invoke("predict", run, pictures, "--sort-into", tmp_path / "all" / "of" / "them").exit_code == 1
    assert len(list((tmp_path / "all" / "of" / "them").rglob("*.png"))) == 20


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "x\0", " blank", "a:b"])
def test_a_class_that_is_no_folder_is_an_error_and_nothing_is_written(mnist, pictures, tmp_path, name):
    names = tuple(name + "." * label if name == ".." else f"{name}{label}" for label in range(10))
    model = save_network(tmp_path, names, mnist.train.handwriting)
    before = sorted(tmp_path.rglob("*"))
    result = invoke("predict", model, pictures, "--sort-into", tmp_path / "sorted")
    assert result.exit_code == 1
    assert "cannot be the name of a folder" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_copies_do_not_go_where_the_pictures_are(run, pictures):
    message = run_fails("predict", run, pictures, "--sort-into", pictures / "sorted")
    assert "its copies would count as new pictures" in message
    assert not (pictures / "sorted").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--next", 0), "0 is not in the range"),
        (("--next", 5, "--strings"), "remove --strings"),
        (("--next", 5, "--submission", "mine.csv"), "remove --strings and --submission"),
    ],
)
def test_options_that_do_not_fit_are_errors(run, pictures, arguments, message):
    result = invoke("predict", run, pictures, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_standard_input_cannot_be_labelled_next(run):
    assert "must be files" in run_fails("predict", run, "-", "--next", 5)
