"""Fuzz the reader of Parquet files; pyarrow is compiled, so only the branches of our reader after it are observed."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import DatasetError
    from convscope.data.datasets import load_dataset

from entry import fuzz

fuzz(load_dataset, DatasetError, "data.parquet")
