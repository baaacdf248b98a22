"""A person's path along docs/howto/use_my_own_images.md: from a folder with faults to a network at work."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.documentation.test_commands import ROOT, blocks
from tests.shared import invoke, succeed

import convscope as cs
from convscope.runs import jobs

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "howto" / "use_my_own_images.md"
CLASSES = {0: "zero", 1: "one", 7: "seven"}
NUM_SWAPPED = 60  # of 600 pictures


@pytest.fixture
def truth(mnist: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make the person's folders, and return the true class of each picture by the name of its file.

    my_images has 600 digits of 14 × 14 pixels, 60 in folders of other classes, three copies and two damaged files;
    new_by_class has 60 photos of sizes from 60 to 79 pixels.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, "BUDGET", 2e10)  # multiply-adds; by default half a minute
    classes, digits = dict[str, str](), mnist.test
    for label, name in CLASSES.items():
        indices = np.flatnonzero(digits.labels == label)[:220]
        for number, index in enumerate(indices.tolist()):
            paper = Image.fromarray(np.pad(255 - digits.images[index, ..., 0], 2, constant_values=255))
            if number < 200:
                file = f"{name}-{number:03}.png"
                classes[file] = name
                _save(
                    paper.resize((14, 14)), Path("my_images", _swap(name) if number < NUM_SWAPPED / 3 else name, file)
                )
            else:
                _save(paper.resize((number - 140, number - 140)), Path("new_by_class", name, f"{number}.jpg"))
    for name in CLASSES.values():
        shutil.copyfile(Path("my_images", name, f"{name}-199.png"), Path("my_images", name, f"{name}-copy.png"))
        classes[f"{name}-copy.png"] = name
    Path("my_images/one/broken.png").write_bytes(Path("my_images/one/one-199.png").read_bytes()[:60])
    Path("my_images/zero/notes.jpg").write_text("no picture")
    return classes


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def _swap(name: str) -> str:
    names = list(CLASSES.values())
    return names[(names.index(name) + 1) % len(names)]


def test_a_folder_with_faults_becomes_a_network_at_work(truth: dict[str, str]):
    on_page = [words for block in blocks(PAGE) for words in block]

    def follow(*words: str) -> str:
        """Run a command of the page; damaged pictures are left out, as the first command says."""
        assert [word for word in words if word != "--skip-damaged"] in on_page
        return succeed(*words)

    # Named: damaged files, then copies in both splits, each by its file.
    refused = invoke("data", "info", "my_images")
    assert refused.exit_code == 1
    for name in ("one/broken.png", "zero/notes.jpg", "--skip-damaged"):
        assert name in refused.stderr
    info = follow("data", "info", "my_images", "--skip-damaged")
    assert "such as " in info
    listed = succeed("data", "info", "my_images", "--skip-damaged", "--csv")
    assert all(f"/{name}-copy.png" in listed for name in CLASSES.values())
    assert info.endswith("run: convscope run --dataset my_images --skip-damaged\n")

    # Trained by default.
    run = follow("run", "--dataset", "my_images", "--skip-damaged", "--seeds", "1", "--out", "runs/mine")
    assert run.startswith("Recipe auto: loss of ")
    assert "look for wrong labels: convscope report runs/mine audit\n" in run

    # Cleaned: a person opens clean.html and decides by what the pictures show.
    assert "runs/mine/clean.html" in follow("report", "runs/mine", "audit")
    page = Path("runs/mine/clean.html").read_text()
    assert "convscope data fix my_images corrections.csv --skip-damaged --out my_images_clean" in page
    num_found = _decide(truth)
    assert num_found >= 0.8 * NUM_SWAPPED
    fixed = follow("data", "fix", "my_images", "corrections.csv", "--skip-damaged", "--out", "my_images_clean")
    assert "convscope evaluate BEFORE --dataset my_images_clean --split test" in fixed
    wrong = [file for file in Path("my_images_clean").rglob("*.png") if truth[file.name] != file.parent.name]
    assert len(wrong) == NUM_SWAPPED - num_found
    assert len(list(Path("my_images").rglob("*.png"))) == 604  # the originals are as they were

    # Trained again, and compared on the corrected test images.
    follow("run", "--dataset", "my_images_clean", "--seeds", "1", "--out", "runs/clean")
    before = succeed("evaluate", "runs/mine", "--dataset", "my_images_clean", "--split", "test", "--json")
    after = succeed("evaluate", "runs/clean", "--json")
    assert after["num_images"] == before["num_images"]
    assert after["accuracy_interval"][1] > before["accuracy_interval"][0]

    # Evaluated on photos of other sizes, with the wrong ones by file, and put to work.
    scored = follow("predict", "runs/clean", "new_by_class")
    evaluated = follow("evaluate", "runs/clean", "--dataset", "new_by_class")
    assert "60 pictures were prepared as by convscope predict" in evaluated
    accuracy = re.search(r"(\d+) of 60 ", scored)
    assert accuracy is not None
    assert f"{accuracy[1]} of 60 " in evaluated
    assert int(accuracy[1]) >= 50
    assert "convscope predict runs/clean new_by_class" in evaluated or int(accuracy[1]) == 60
    for step in ("convscope serve runs/clean", "convscope export runs/clean --format c"):
        assert step in scored
        assert shlex.split(step)[1:] in [["serve", "runs/clean"], *on_page]
    assert "runs/clean/exports/model.h" in follow("export", "runs/clean", "--format", "c")
    picture = next(Path("new_by_class/seven").glob("*.jpg"))
    predicted = succeed("predict", "runs/clean", picture, "--json")
    assert _ask_service(picture) == predicted[0]["class_name"]


def _decide(truth: dict[str, str]) -> int:
    """Write corrections.csv from suspects.csv by the true classes; return how many swapped labels it corrects."""
    with Path("runs/mine/suspects.csv").open(newline="") as file:
        suspects = list(csv.DictReader(file))
    rows = []
    for suspect in suspects:
        true_class = truth[Path(suspect["file"]).name]
        decision = ("keep", "") if true_class == suspect["class"] else ("relabel", true_class)
        rows.append([suspect[column] for column in ("file", "split", "index", "class")] + list(decision))
    with Path("corrections.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "split", "index", "class", "action", "new_class"), *rows])
    return sum(row[4] == "relabel" for row in rows)


def _ask_service(picture: Path) -> str:
    """Start the service of runs/clean, ask it for the class of a picture, and end it."""
    command = [sys.executable, "-m", "convscope", "serve", "runs/clean", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):  # the end of the JSON
            text += process.stdout.readline()
        address = json.loads(text)["address"]
        headers = {"Content-Type": "image/jpeg"}
        answer = httpx.post(f"{address}/v1/predict", content=picture.read_bytes(), headers=headers, timeout=600).json()
        process.terminate()
    name: str = answer["class_name"]
    return name
