"""An epoch of training at a constant rate, and arrays compared bit by bit, for the tests of all engines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Dataset
from convscope.engine import EpochOptions, EpochResult, Network, Progress


def train(
    network: Network,
    dataset: Dataset,
    batch_size: int = 32,
    order: NDArray[np.int64] | None = None,
    rate: float = 1e-3,
    progress: Progress | None = None,
    **options: Any,
) -> EpochResult:
    """Train an epoch at a constant learning rate, on all images in their own order unless `order` is given."""
    order = np.arange(len(dataset)) if order is None else order
    rates = np.full(-(-len(order) // batch_size), rate, np.float32)
    return network.train_epoch(
        dataset, order=order, batch_size=batch_size, learning_rates=rates, options=EpochOptions(**options),
        progress=progress,
    )  # fmt: skip


def assert_same_bits(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], err_msg=name, strict=True)
