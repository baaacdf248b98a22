"""Fuzz the reader of IDX files, plain and packed."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.datasets.readers.idx import read_idx
    from convscope.errors import DatasetError

from entry import fuzz

fuzz(lambda path: read_idx(path, whole_numbers=True), DatasetError, "images")
