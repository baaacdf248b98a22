"""Small data sets in folders, archives, tables and arrays, and lists of corrections."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.base.tables import csv_line
from convscope.data.corrections.reading import COLUMNS

NAMES = ("=1+1", "<b>ü", 'it\'s, "so"')
Write = Callable[..., Path]


def write_pictures(folder: Path, names: Sequence[str] = NAMES, count: int = 10) -> Path:
    """Write `count` different pictures of 6 × 5 pixels for each class, as CLASS/deep/NUMBER.png or CLASS/NUMBER.png."""
    stream = np.random.default_rng(0)
    for name in names:
        for number in range(count):
            path = folder / name / ("deep" if number % 2 else "") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(stream.integers(0, 256, (6, 5), np.uint8)).save(path)
    return folder


def pack(folder: Path, path: Path) -> Path:
    """Pack all files of a folder into a zip archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures of three classes with awkward names, without a test split."""
    return write_pictures(tmp_path_factory.mktemp("pictures") / "my pictures")


@pytest.fixture
def write_list(tmp_path: Path) -> Write:
    """Write a list of (split, index, action, new class) for a data set, as the page saves it."""

    def write(splits: cs.Splits, *decisions: tuple[str, int, str, str]) -> Path:
        lines = [csv_line(COLUMNS)]
        for split, index, action, new_class in decisions:
            part = splits.train if split == "train" else splits.test
            name = part.class_names[part.labels[index]]
            lines.append(csv_line([part.file_of(index) or "", split, index, name, action, new_class]))
        path = tmp_path / "corrections.csv"
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write
