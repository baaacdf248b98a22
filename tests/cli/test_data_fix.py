"""`convscope data fix` through its entry point, from the suspects of an audit to the comparison of both networks."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.base.tables import csv_line
from convscope.data.corrections.reading import COLUMNS

from .conftest import invoke, run_fails, succeed

SWAPPED = [f"{number}.png" for number in range(3)]  # pictures of a 7 among those of "=one"


@pytest.fixture(scope="module")
def pictures(mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred pictures of ones and a hundred of sevens, with three sevens among the ones."""
    folder = tmp_path_factory.mktemp("swapped") / "digits"
    for label, name in ((1, "=one"), (7, "seven")):
        (folder / name).mkdir(parents=True)
        for number, index in enumerate(np.flatnonzero(mnist.test.labels == label)[:100]):
            is_swapped = label == 7 and number < len(SWAPPED)
            path = folder / ("=one" if is_swapped else name) / f"{'swapped-' if is_swapped else ''}{number}.png"
            Image.fromarray(mnist.test.images[index, ..., 0]).save(path)
    return folder


def write_list(pictures: Path, path: Path, split: str, index: int) -> Path:
    dataset = getattr(cs.load_dataset(pictures), split)
    file, name = dataset.file_of(index), dataset.class_names[dataset.labels[index]]
    path.write_text(csv_line(COLUMNS) + csv_line([file, split, index, name, "drop", ""]), encoding="utf-8")
    return path


def test_the_counts_and_the_next_commands_are_printed(pictures: Path, tmp_path: Path):
    out = tmp_path / "my clean"
    printed = succeed("data", "fix", pictures, write_list(pictures, tmp_path / "l.csv", "train", 5), "--out", out)
    assert "train     0           0        1         159" in printed
    assert "No test label was changed, so accuracies before and after count the same labels." in printed
    assert f"convscope train --dataset '{out}'\n  convscope compare BEFORE AFTER" in printed
    out = tmp_path / "other"
    printed = succeed(
        "data", "fix", pictures, write_list(pictures, tmp_path / "l.csv", "test", 5), "--out", out,
        "--image-size", "20x20",
    )  # fmt: skip
    assert "1 test label was corrected, so accuracies before and after count other labels." in printed
    assert f"convscope train --dataset {out} --image-size 20x20\n" in printed
    assert f"convscope evaluate BEFORE --dataset {out} --split test\n" in printed


def test_counts_are_printed_as_json_and_errors_in_one_line(pictures: Path, tmp_path: Path):
    path, out = write_list(pictures, tmp_path / "list.csv", "test", 0), tmp_path / "clean"
    printed = succeed("data", "fix", pictures, path, "--out", out, "--json")
    assert printed["test"] == {"kept": 0, "relabelled": 0, "dropped": 1, "num_images": 39}
    assert (printed["dataset"], printed["image_size"]) == (str(out), None)
    assert "already exists" in run_fails("data", "fix", pictures, path, "--out", out)
    message = run_fails("data", "fix", out, path, "--out", tmp_path / "again")
    assert message.startswith(f"Error: {path}: line 2: the file is ")
    assert not (tmp_path / "again").exists()


@pytest.mark.slow
def test_the_way_from_suspects_to_a_comparison(pictures: Path, tmp_path: Path):
    before, after, clean = tmp_path / "before", tmp_path / "after", tmp_path / "clean"
    options = ("--architecture", "cnn", "--epochs", 8, "--batch-size", 32)
    succeed("train", "--dataset", pictures, *options, "--out", before)
    printed = invoke("report", before, "audit").stdout
    assert f"Keep, change or drop the suspect labels in {before / 'clean.html'}; suspects.csv lists them" in printed
    assert '<a href="clean.html">' in (before / "report.html").read_text(encoding="utf-8")
    page = (before / "clean.html").read_text(encoding="utf-8")
    assert "convscope data fix digits corrections.csv --out digits_clean" in page
    with (before / "suspects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    swapped = [row for row in rows if "swapped" in row["file"]]
    assert {(row["class"], row["suggested_class"]) for row in swapped} == {("'=one", "seven")}
    assert len(swapped) == len(SWAPPED)
    assert len(rows) < 12
    # Take all suggestions for training images, as a person would on the page.
    lines = [
        csv_line([row["file"].removeprefix("'"), row["split"], int(row["index"]), "=one", "relabel", "seven"])
        for row in swapped
        if row["split"] == "train"
    ]
    assert lines
    path = tmp_path / "corrections.csv"
    path.write_text("".join([csv_line(COLUMNS), *lines]), encoding="utf-8")
    succeed("data", "fix", pictures, path, "--out", clean)
    succeed("train", "--dataset", clean, *options, "--out", after)
    assert "On the 40 test images of digits" in " ".join(succeed("compare", before, after).split())
    assert succeed("evaluate", before, "--dataset", clean, "--split", "test", "--json")["num_images"] == 40


@pytest.mark.slow
def test_an_audit_of_an_earlier_version_has_a_page_without_neighbours(pictures: Path, tmp_path: Path):
    out = tmp_path / "run"
    succeed("train", "--dataset", pictures, "--architecture", "cnn", "--epochs", 2, "--out", out)
    succeed("report", out, "audit")
    record = (out / "audit.json").read_text()
    (out / "clean.html").unlink()
    value = json.loads(record)
    for suspects in value["label_suspects"].values():
        for suspect in suspects["suspects"]:
            del suspect["neighbours"]
    (out / "audit.json").write_text(json.dumps(value))
    succeed("report", out)
    assert '"neighbours":[]' in (out / "clean.html").read_text(encoding="utf-8")
    value["label_suspects"]["test"]["suspects"] = [value["label_suspects"]["train"]["suspects"][0] | {"index": 40}]
    (out / "audit.json").write_text(json.dumps(value))
    assert "names an image that the data do not have; measure again" in run_fails("report", out)
