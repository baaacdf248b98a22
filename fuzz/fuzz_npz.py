"""Fuzz the reader of NumPy archives, and the conversion of their arrays to a data set."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.base.errors import DatasetError
    from convscope.data.datasets import load_dataset

from entry import fuzz

fuzz(load_dataset, DatasetError, "data.npz")
