"""Fuzz the reader of Parquet files; pyarrow itself is compiled, so only what is made of its answers is watched."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.datasets import load_dataset
    from convscope.errors import DatasetError

from entry import fuzz

fuzz(load_dataset, DatasetError, "data.parquet")
