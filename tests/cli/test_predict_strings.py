"""`convscope predict --strings`: the lines, boxes and pages that it prints and writes."""

import csv
import json
import re
from functools import partialmethod
from io import StringIO

import numpy as np
import pytest
from PIL import Image

from convscope.architecture import presets
from convscope.data.handwriting import Handwriting
from convscope.engine import initial_weights
from convscope.prediction import ReadCharacter, StringReading, predict
from convscope.report.prediction_page import PredictionPage
from convscope.runs import predicting
from convscope.storage import save_model
from convscope.training.model import Model

from .conftest import invoke, succeed

BOXES = ((10, 5, 31, 45), (40, 6, 60, 44), (12, 60, 30, 95))  # left, top, right, bottom: two characters, then one below


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    network = presets.ann((28, 28, 1), 10)
    model = Model(network, initial_weights(network, 0), tuple("0123456789"), handwriting=Handwriting("light", 20))
    save_model(model, folder / "model.safetensors")
    return folder


@pytest.fixture
def scan(tmp_path):
    """A white page with a dark bar in each box of `BOXES`."""
    paper = np.full((100, 80), 250, np.uint8)
    for left, top, right, bottom in BOXES:
        paper[top + 2 : bottom - 2, left + 4 : right - 4] = 10
    Image.fromarray(paper).save(tmp_path / "scan <1>.png")
    return tmp_path / "scan <1>.png"


@pytest.fixture(autouse=True)
def known_boxes(monkeypatch):
    """Replace the search for characters by the known boxes, so that these tests check only the output."""

    def read(model, picture, *, name=None):
        characters = [picture[top:bottom, left:right] for left, top, right, bottom in BOXES]
        predictions = predict(model, characters) if picture.min() < 100 else ()  # none on an empty page
        digits = tuple(map(ReadCharacter, BOXES, (0, 0, 1), predictions))  # (0, 0, 1): the line of each box
        names = [prediction.class_name for prediction in predictions]
        lines = (names[0] + names[1], names[2]) if names else ()
        return StringReading(name, lines, digits, picture.shape[:2], notices=("not cut",) if names else ("no ink",))

    monkeypatch.setattr(predicting, "read_strings", read)


def test_lines_are_printed_as_read_with_a_table_of_boxes(run, scan):
    printed = succeed("predict", run, scan, "--strings")
    (value,) = succeed("predict", run, scan, "--strings", "--json")
    lines = printed.splitlines()
    assert lines[0] == str(scan)[-120:]  # a longer path is cut at its start
    assert lines[1:3] == [f"  {line}" for line in value["lines"]]
    assert lines[3] == "  (touching characters were not separated)"
    assert lines[5].split()[-4:] == ["left", "top", "right", "bottom"]
    assert [line.split()[0] for line in lines[7:10]] == ["1", "1", "2"]
    assert lines[7].split()[-4:] == ["10", "5", "31", "45"]
    assert "not calibrated" in printed


def test_csv_has_a_row_for_each_digit(run, scan):
    rows = list(csv.DictReader(StringIO(invoke("predict", run, scan, "--strings", "--csv").stdout)))
    assert [row["line"] for row in rows] == ["1", "1", "2"]
    assert [tuple(int(row[edge]) for edge in ("left", "top", "right", "bottom")) for row in rows] == list(BOXES)
    assert {row["file"] for row in rows} == {str(scan)}
    assert all(0 < float(row["probability"]) <= 1 for row in rows)


def test_bad_and_empty_files_keep_their_position(run, scan):
    scan.with_name("a.png").write_bytes(b"no")
    Image.new("L", (40, 40), "white").save(scan.with_name("b.png"))
    result = invoke("predict", run, scan.parent, "--strings")
    assert result.exit_code == 1
    assert re.search(r"a\.png\n  not read: is not a picture", result.stdout)
    assert re.search(r"b\.png\n  no writing found", result.stdout)
    page = scan.parent / "page.html"
    succeed("predict", run, scan.with_name("b.png"), "--strings", "--explain", page)
    assert page.read_text(encoding="utf-8").count("No writing was found") == 2
    values = json.loads(invoke("predict", run, scan.parent, "--strings", "--json").stdout)
    assert ["error" in value for value in values] == [True, False, False]
    alone = invoke("predict", run, scan.with_name("a.png"), "--strings")
    assert (alone.exit_code, alone.stdout) == (1, "")


def test_steps_cannot_be_named(run, scan):
    result = invoke("predict", run, scan, "--strings", "--without", "crop")
    assert result.exit_code == 2
    assert "uses its own steps" in result.stderr


def test_the_page_draws_the_boxes_over_the_picture(run, scan, monkeypatch):
    page = scan.with_name("page.html")
    succeed("predict", run, scan, "--strings", "--explain", page)
    html = page.read_text(encoding="utf-8")
    assert html.count("<rect ") == 3
    assert '<rect x="10" y="5" width="21" height="40"/>' in html  # BOXES[0]
    assert html.count("the attribution of each pixel") == 3
    assert "3 characters found" in html
    assert "scan &lt;1&gt;.png" in html
    assert "--strings" in html
    monkeypatch.setattr(PredictionPage, "__init__", partialmethod(PredictionPage.__init__, num_digits_left=4))
    succeed("predict", run, scan, scan, "--strings", "--explain", page, "--force")
    html = page.read_text(encoding="utf-8")
    assert html.count("<rect ") == 6
    assert html.count("the attribution of each pixel") == 4
    assert "2 more characters are not shown individually" in html
