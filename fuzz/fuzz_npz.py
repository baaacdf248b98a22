"""Fuzz the reader of NumPy archives, and what makes a data set of their arrays."""

import atheris

with atheris.instrument_imports(include=["convscope"]):
    from convscope.datasets import load_dataset
    from convscope.errors import DatasetError

from entry import fuzz

fuzz(load_dataset, DatasetError, "data.npz")
