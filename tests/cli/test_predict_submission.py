"""`convscope predict --submission`: the file that a competition wants, from a table of pixels or from pictures."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.storage import save_model

from .conftest import invoke, run_fails, succeed


@pytest.fixture(scope="module")
def model(mnist: cs.Splits) -> cs.Model:
    """A model whose classes have names of their own, so that a label is not an index."""
    from convscope.engine import initial_weights

    network = cs.presets.ann((28, 28, 1), 10)
    names = ("=", "-", "=1+1", *"3456789")
    return cs.Model(network, initial_weights(network, 0), names, handwriting=mnist.train.handwriting)


@pytest.fixture(scope="module")
def run(model: cs.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save_model(model, folder / "model.safetensors")
    return folder


def write_table(path: Path, images: np.ndarray, names: str = "", ids: list[str] | None = None) -> Path:
    """Write a row of pixels for each image, behind its id if there is one."""
    rows = images.reshape(len(images), -1).tolist()
    head = [names] if names else []
    lines = [[*head, *(f"pixel{index}" for index in range(len(rows[0])))]]
    lines += [[*(ids[i : i + 1] if ids else []), *row] for i, row in enumerate(rows)]
    text = "".join(",".join(map(str, line)) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", ["test.csv", "test.csv.gz"])
def test_a_table_without_labels_becomes_a_submission(run, model, mnist, tmp_path, name):
    images = mnist.test.images[:600]  # more than are classified together; not all are centred exactly
    table = write_table(tmp_path / name, images)
    printed = succeed("predict", run, table, "--submission", tmp_path / "mine.csv")
    assert "Wrote 600 predictions" in printed
    rows = read_rows(tmp_path / "mine.csv")
    assert rows[0] == ["ImageId", "Label"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(1, 601)]
    # A lone sign is a class as it is; text that a spreadsheet would compute has an apostrophe.
    written = [
        {"=1+1": "'=1+1"}.get(model.class_names[label], model.class_names[label]) for label in model.predict(images)
    ]
    assert [row[1] for row in rows[1:]] == written
    assert {"=", "-"} & set(written)


def test_a_table_can_be_classified_without_a_submission(run, model, mnist, tmp_path):
    table = write_table(tmp_path / "test.csv", mnist.test.images[:3])
    values = succeed("predict", run, table, "--json")
    assert [value["label"] for value in values] == model.predict(mnist.test.images[:3]).tolist()
    assert [value["file"] for value in values] == [f"{table}, image {number}" for number in (1, 2, 3)]


def test_the_ids_of_a_table_are_kept(run, mnist, tmp_path):
    table = write_table(tmp_path / "test.csv", mnist.test.images[:2], "id", ["a7", "a9"])
    succeed("predict", run, table, "--submission", tmp_path / "mine.csv", "--columns", "id,label")
    rows = read_rows(tmp_path / "mine.csv")
    assert [row[0] for row in rows] == ["id", "a7", "a9"]
    assert rows[0][1] == "label"


def test_images_of_another_size_are_prepared(run, mnist, tmp_path):
    table = write_table(tmp_path / "test.csv", 255 - mnist.test.images[:2].repeat(2, axis=1).repeat(2, axis=2))
    value = succeed("predict", run, table, "--json")[0]
    assert (value["size"], value["hints"]) == ([56, 56], ["inverted"])


@pytest.fixture
def pictures(mnist: cs.Splits, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, image in zip(("10.png", "2.png", "=1+1.png"), mnist.test.images, strict=False):
        Image.fromarray(image[..., 0]).save(folder / name)
    return folder


def test_pictures_are_numbered_in_natural_order_or_named(run, pictures, tmp_path):
    classes = [value["class_name"] for value in succeed("predict", run, pictures, "--json")]
    succeed("predict", run, pictures, "--submission", tmp_path / "numbers.csv")
    rows = read_rows(tmp_path / "numbers.csv")
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    assert [row[1].removeprefix("'") for row in rows[1:]] == classes
    printed = succeed("predict", run, pictures, "--submission", tmp_path / "names.csv", "--columns", "file, class")
    assert "the names of the files" in printed
    assert [row[0] for row in read_rows(tmp_path / "names.csv")] == ["file", "2", "10", "'=1+1"]


def test_nothing_is_written_if_a_row_would_be_missing_or_wrong(run, pictures, tmp_path):
    out = tmp_path / "mine.csv"
    (pictures / "sub").mkdir()
    (pictures / "sub" / "2.png").write_bytes((pictures / "2.png").read_bytes())
    message = run_fails("predict", run, pictures, "--submission", out, "--columns", "id,label")
    assert "would have the same id '2'" in message
    (pictures / "broken.png").write_bytes(b"no picture")
    message = run_fails("predict", run, pictures, "--submission", out)
    assert "broken.png: is not a picture" in message
    assert "was not written" in message
    assert not out.exists()
    out.write_text("mine")
    assert "already exists" in run_fails("predict", run, pictures / "2.png", "--submission", out)
    assert out.read_text() == "mine"
    succeed("predict", run, pictures / "2.png", "--submission", out, "--force")
    assert read_rows(out)[0] == ["ImageId", "Label"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("label,pixel0,pixel1,pixel2,pixel3", "has the labels of its images, in the column 'label'"),
        ("usage,pixel0,pixel1,pixel2,pixel3", "has a column that is no pixel ('usage')"),
        ("pixel0,pixel1,pixel2,pixel3,pixel4", "has 5 pixels per image, which is neither 28 × 28"),
        ("file,a,b,c,d", "lists names of files"),
    ],
)
def test_tables_that_are_no_images_are_errors(run, tmp_path, header, message):
    (tmp_path / "test.csv").write_text(f"{header}\n1,2,3,4,5\n")
    error = run_fails("predict", run, tmp_path / "test.csv", "--submission", tmp_path / "mine.csv")
    assert f"test.csv: {message}" in error
    assert not (tmp_path / "mine.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--columns", "id,label"), "--columns: needs --submission"),
        (("--submission", "mine.csv", "--columns", "id"), "give two names, such as id,label"),
        (("--submission", "mine.csv", "--json"), "--submission: remove"),
        (("--submission", "mine.csv", "--strings"), "--submission: remove"),
    ],
)
def test_options_that_do_not_fit_are_errors(run, pictures, arguments, message):
    result = invoke("predict", run, pictures, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_table_is_classified_alone(run, pictures, mnist, tmp_path):
    table = write_table(tmp_path / "test.csv", mnist.test.images[:1])
    assert "classify it without other files" in run_fails("predict", run, table, pictures)
    assert "not tables" in invoke("predict", run, table, "--strings").stderr
    assert "no such file" in run_fails("predict", run, tmp_path / "none.csv")
