"""Runs and models of earlier versions still open: the archives of tests/storage/corpus, see `write.py` there."""

import csv
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke, make_once, succeed

import convscope as cs
from convscope.evidence.comparison import weights_bytes
from convscope.runs.groups import count_stored_bytes
from convscope.runs.topics import TOPICS

CORPUS = Path(__file__).parent / "corpus"
ARCHIVES = sorted(path.stem for path in CORPUS.glob("*.zip"))
MEASURED = {
    "run": {"embedding", "ablation"},
    "measured": {*TOPICS} - {"exports"},
    "imported": {"embedding", "ablation"},
    "joined": {"embedding"},
    "low-bit": set(),
}
RUNS = tuple(MEASURED)


@pytest.fixture(scope="session", params=ARCHIVES)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of an archive, to be read only."""

    def make(folder: Path) -> None:
        with zipfile.ZipFile(CORPUS / f"{request.param}.zip") as archive:
            archive.extractall(folder)
        _replace_paths(folder, "/corpus")

    return make_once(tmp_path_factory, f"corpus-{request.param}", make)


def _replace_paths(folder: Path, before: str) -> None:
    """Replace the path `before` by `folder` in all JSON files, so that runs find each other and their data."""
    for path in folder.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(rf"{re.escape(before)}(?=[/\"])", str(folder), text), encoding="utf-8")


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(written, tmp_path / "corpus")
    _replace_paths(folder, str(written))
    return folder


def test_archives_exist_and_none_is_large():
    assert ARCHIVES
    assert all((CORPUS / f"{name}.zip").stat().st_size < 300_000 for name in ARCHIVES)


def test_models_of_earlier_versions_give_the_same_logits(written: Path):
    expected = json.loads((written / "expected.json").read_text())["logits"]
    assert {"model.safetensors", *(f"{name}/model.safetensors" for name in RUNS)} <= expected.keys()
    with np.load(written / "digits.npz") as arrays:
        images = arrays["x_test"][:5]
    for path, logits in expected.items():
        np.testing.assert_allclose(cs.load_model(written / path).logits(images), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", RUNS)
def test_runs_open_with_their_measured_topics(written: Path, name: str):
    run = cs.open_run(written / name)
    kept = json.loads((written / name / "evaluation.json").read_text())
    assert run.evaluation.accuracy == kept["accuracy"]
    assert run.evaluation.num_images == 50
    assert len(run.history) == run.folder.record.epochs_trained
    run.splits.train  # noqa: B018 (raises an error unless the data have the recorded digests)
    topics = [topic for topic in TOPICS if run.folder.has(f"{topic}.json")]
    assert set(topics) == MEASURED[name]
    for topic in topics:
        assert str(getattr(run, topic))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["measured", "imported", "joined"])
def test_reports_are_written(copied: Path, name: str):
    succeed("report", copied / name, "--json")
    assert (copied / name / "report.html").stat().st_size > 100_000


@pytest.mark.slow
def test_cards_are_written(copied: Path):
    for name in RUNS:
        succeed("export", copied / name, "--format", "card")


def test_an_experiment_is_compared_and_continued(copied: Path):
    compared = succeed("compare", copied / "experiment", copied / "low-bit", "--json")
    assert len(compared["groups"]) == 2
    lines = (copied / "experiment/runs.csv").read_text().splitlines()
    seconds = [float(row["seconds"]) for row in csv.DictReader(lines)]
    words = ("--dataset", copied / "digits.npz", "--architecture", "tiny697", "--recipe", "fast", "--seeds", "3")
    runs = succeed("experiment", *words, "--out", copied / "experiment", "--json")["runs"]
    assert len(runs) == 3
    assert [run["seconds"] for run in runs[:2]] == seconds  # another training would take other seconds


@pytest.mark.usefixtures("empty_reports")
def test_a_training_is_continued(copied: Path):
    (copied / "run/DONE").unlink()
    succeed("run", "--resume", copied / "run", "--json")
    assert (copied / "run/DONE").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("empty_reports")
def test_weights_of_few_bits_are_counted_as_stored_in_ensembles_too(copied: Path):
    low_bit, full = (cs.open_run(copied / name).folder for name in ("low-bit", "run"))
    sizes = [count_stored_bytes(folder) for folder in (low_bit, full)]
    assert sizes[0] < sizes[1] / 2
    for first, second in (("low-bit", "run"), ("run", "low-bit")):
        out = copied / f"{first}-first"
        # `a` is the ensemble, which stores both; `b` is the mean of its members.
        against = succeed("ensemble", copied / first, copied / second, "--out", out, "--json")["against_members"]
        assert (against["a"]["weights_bytes"], against["b"]["weights_bytes"]) == (sum(sizes), sum(sizes) // 2)
        assert count_stored_bytes(cs.open_run(out).folder) == sum(sizes)
    record = json.loads((copied / "imported/run.json").read_text())
    record["recipe"]["weight_bits"] = 4  # evidence trains further networks by this recipe
    (copied / "imported/run.json").write_text(json.dumps(record))
    imported = cs.open_run(copied / "imported").folder
    assert count_stored_bytes(imported) == weights_bytes(imported.architecture)


def _with_format(path: Path, **written: object) -> None:
    """Write format 2, and other fields, into a file."""
    if path.suffix == ".json":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2} | written))
        return
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    description = json.loads(header["__metadata__"]["convscope"]) | {"format": 2} | written
    header["__metadata__"]["convscope"] = json.dumps(description)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize("written", ARCHIVES[-1:], indirect=True)
@pytest.mark.parametrize(
    ("file", "version", "words"),
    [
        ("run/run.json", {"version": "0.7.1"}, ["report", "run"]),
        ("model.safetensors", {"version": "0.7.1"}, ["evaluate", "model.safetensors", "--dataset", "digits.npz"]),
        ("run/model.trained_on.safetensors", {"version": "0.7.1"},
         ["train", "--from", "run", "--dataset", "digits.npz"]),
    ],
)  # fmt: skip
def test_a_newer_format_is_refused_with_the_version_to_install(
    copied: Path, monkeypatch: pytest.MonkeyPatch, file: str, version: dict, words: list[str]
):
    monkeypatch.chdir(copied)
    _with_format(copied / file, **version)
    completed = invoke(*words)
    assert completed.exit_code == 1
    newer = f"format 2 is newer than convscope {cs.__version__}, which reads formats up to 1"
    assert completed.stderr.endswith(f"{file}: {newer}; install convscope 0.7.1 or newer\n")
    assert completed.stderr.count("\n") == 1


@pytest.mark.parametrize("written", ARCHIVES[-1:], indirect=True)
@pytest.mark.parametrize("version", [{}, {"version": 3}, {"version": "; rm -r"}])
def test_a_newer_format_without_a_known_version_names_none(copied: Path, version: dict):
    _with_format(copied / "model.safetensors", **{"version": None} | version)
    with pytest.raises(cs.ConvscopeError, match=r"which reads formats up to 1; install a newer version$"):
        cs.load_model(copied / "model.safetensors")
