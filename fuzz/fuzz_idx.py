"""Fuzz the reader of IDX files, plain and packed."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import DatasetError
    from convscope.data.datasets.readers.idx import read_idx

from entry import fuzz

fuzz(lambda path: read_idx(path, whole_numbers=True), DatasetError, "images")
