"""Names from files of other people: no terminal obeys their control characters, no spreadsheet their formulas."""

import csv
import json
from io import StringIO
from pathlib import Path
from unicodedata import category

import numpy as np
import pytest
from PIL import Image

from .conftest import invoke, succeed

# ESC [ and U+009B begin an escape sequence, U+202E and U+2066 turn the writing direction, "=" begins a formula.
CLASSES = ("=a\x1b[31m\x1b]0;owned\x07", "b\u202e\x9b2J\x85b")
NAME = "\x1b[2Jnet\u2066"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set `data`, an architecture `net.json` and a run `run`, with control characters in names."""
    folder = tmp_path_factory.mktemp("hostile\x1b[7m")
    stream = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(10):
            pixels = stream.integers(0, 90, (8, 8), np.uint8) + np.uint8(160 * label)
            Image.fromarray(pixels).save(folder / "data" / name / f"={number}.png")
    layers = [{"kind": "Flatten"}, {"kind": "Dense", "units": 2, "activation": "softmax"}]
    value = {"name": NAME, "input": {"height": 8, "width": 8}, "layers": layers}
    (folder / "net.json").write_text(json.dumps(value))
    trained = ("--dataset", folder / "data", "--architecture", folder / "net.json", "--epochs", 1)
    assert_control_characters_replaced(succeed("train", *trained, "--out", folder / "run"))
    return folder


def assert_control_characters_replaced(text: str) -> None:
    # Unicode's categories: control, format, surrogate, line separator, paragraph separator.
    controls = {char for char in text if char != "\n" and category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not controls, ascii(text)
    assert "\N{REPLACEMENT CHARACTER}" in text or "\\x1b" in text


COMMANDS = {
    "summary": ("summary", "net.json"),
    "evaluate": ("evaluate", "run"),
    "data info": ("data", "info", "data"),
    "predict": ("predict", "run", "data"),
    "predict as CSV": ("predict", "run", "data", "--csv"),
    "compare": ("compare", "run", "run"),
    "no such run": ("evaluate", "run\x1b[31m"),
    "no such data": ("data", "info", "data\x1b[31m"),
    "no such command": ("\x1b[31m",),
    "no such option": ("summary", "net.json", "--\x1b[31m"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_control_characters(hostile: Path, command: str, monkeypatch):
    monkeypatch.chdir(hostile)
    assert_control_characters_replaced(invoke(*COMMANDS[command]).output)


def test_json_keeps_the_names_unchanged(hostile: Path, monkeypatch):
    monkeypatch.chdir(hostile)
    completed = invoke("evaluate", "run", "--json")
    assert completed.stdout.isascii()
    assert set(json.loads(completed.stdout)["class_names"]) == set(CLASSES)


def test_no_cell_of_predictions_is_a_formula(hostile: Path, monkeypatch):
    monkeypatch.chdir(hostile / "data" / CLASSES[0])
    rows = list(csv.DictReader(StringIO(invoke("predict", hostile / "run", "=0.png", "--csv").stdout)))
    assert rows[0]["file"] == "'=0.png"
    cells = [cell for row in rows for cell in row.values() if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]
    names = {rows[0]["class_name"], rows[0]["runner_up_class_name"]}
    assert any(name.startswith("'=a") for name in names)
