"""Fuzz the readers of tables of pixels and of tables of file names, with two pictures in the folder."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import DatasetError
    from convscope.data.datasets import load_dataset

from pathlib import Path

from entry import fuzz
from seeds import png


def read(path: Path) -> None:
    """Read a table with the pictures 0.png and 1.png beside it."""
    for number in range(2):
        picture = path.parent / f"{number}.png"
        if not picture.exists():
            picture.write_bytes(png(number))
    load_dataset(path)


fuzz(read, DatasetError, "data.csv")
