"""Files that commands write: they follow the umask, and those for sharing contain no name of a user or folder."""

import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.shared import bare_reports

from .conftest import invoke, succeed

pytestmark = pytest.mark.slow

UMASK = 0o027  # unlike the usual 022: the group may not write, others may not read
USER = "some-user"
NOT_FOR_SHARING = {"run.json", "runs.db"}  # they keep absolute paths, because a resumed run reads its data from there


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all commands, inside a folder named after a user."""
    home = tmp_path_factory.mktemp("home") / USER
    data, out = home / "my data", home / "out"
    before = os.umask(UMASK)
    try:
        _write_pictures(data)
        run, second = out / "run", out / "other"
        fast = ("--dataset", data, "--recipe", "fast")
        commands = [
            ("run", *fast, "--epochs", 1, "--seeds", 2, "--out", run),
            ("log", run, "--to", f"tensorboard:{out / 'logs'}"),
            ("report", run, "calibration", "rejection", "ablation"),
            ("figures", run, "comparison", "image"),
            ("export", run, "--format", "card"),
            ("export", run, "--format", "c"),
            ("export", run, "--format", "onnx"),
            ("export", run, "--format", "safetensors"),
            ("train", *fast, "--seed", 5, "--from", run, "--out", second),
            ("ensemble", run, run / "baseline", "--out", out / "ensemble"),
            ("import", run / "exports" / "model.onnx", "--dataset", data, "--out", out / "imported"),
            ("experiment", *fast, "--architecture", "ann", "--seeds", 2, "--out", out / "experiment"),
            ("sweep", *fast, "--vary", "filters=4,8", "--search", "grid", "--out", out / "sweep"),
            ("predict", run, data / "test" / "a" / "0.png", "--explain", out / "predictions.html"),
            ("summary", "cnn", "--svg", out / "cnn.svg"),
        ]
        with bare_reports():
            completed = [invoke(*command) for command in commands]
    finally:
        os.umask(before)
    assert [result.output for result in completed if result.exit_code] == []
    return out


def _write_pictures(data: Path) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 20)):
        for label, name in enumerate("abc"):
            folder = data / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 90, (10, 10), np.uint8)
                pixels[3 * label : 3 * label + 3] += 120  # each class is bright in three other rows
                Image.fromarray(pixels).save(folder / f"{number}.png")


def test_every_file_and_folder_follows_the_umask(written: Path):
    for path in written.rglob("*"):
        mode = (0o777 if path.is_dir() else 0o666) & ~UMASK
        assert stat.S_IMODE(path.stat().st_mode) == mode, path


def test_nothing_for_sharing_names_a_folder_or_a_user(written: Path):
    paths = [path for path in written.rglob("*") if path.is_file() and path.name not in NOT_FOR_SHARING]
    assert {".html", ".md", ".h", ".onnx", ".safetensors", ".png", ".csv"} <= {path.suffix for path in paths}
    assert [path for path in paths if USER.encode() in _content(path)] == []


def _content(path: Path) -> bytes:
    """Read a file; of an archive the names and the uncompressed members."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join([*map(str.encode, archive.namelist()), *map(archive.read, archive.namelist())])


@pytest.mark.usefixtures("empty_reports")
def test_a_run_can_be_resumed_from_what_it_keeps(written: Path):
    succeed("run", "--resume", written / "run", "--json")
