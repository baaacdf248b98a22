"""Fuzz the reader of Parquet files; pyarrow itself is compiled, so only what is made of its answers is watched."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import DatasetError
    from convscope.data.datasets import load_dataset

from entry import fuzz

fuzz(load_dataset, DatasetError, "data.parquet")
