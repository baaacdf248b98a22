"""How fast the native engine is on this machine: a peak, an epoch, a prediction, and what share of the peak they are.

Numbers only; `convscope bench` prints them. Times are wall-clock and hold for this machine as busy as it was.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    Branch,
    Concatenate,
    Dropout,
    LayerRow,
    MaxPooling2D,
    PReLU,
    ZeroPadding2D,
)
from convscope.architecture.layers import padding_before
from convscope.architecture.table import earlier
from convscope.base.plain import PlainFields
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, evenly
from convscope.data.datasets.disk.images import PART_BYTES, is_on_disk
from convscope.engine import EpochOptions, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets, measure_peak
from convscope.recipes import Precision, Recipe
from convscope.training.memory import Memory, measure_memory

_LATENCIES = 200  # single images timed


@dataclass(frozen=True)
class Spread:
    """Times in seconds: the median, the smallest and the largest of n."""

    median: float
    minimum: float
    maximum: float
    n: int


@dataclass(frozen=True)
class Benchmark(PlainFields):
    """What `measure_speed` measured: seconds, operations, shares (0 to 1), and the memory when the epochs were done."""

    instruction_set: str
    threads: int
    peak_gflops: float
    bfloat16_peak_gflops: float | None  # where the processor has instructions for it
    precision: Precision
    num_images: int
    training_macs: int
    epoch_seconds: Spread
    forward_seconds: Spread
    peak_share: float
    num_predicted: int
    prediction_seconds: Spread
    latency_seconds: Spread
    memory: Memory

    @property
    def epoch_gflop(self) -> float:
        """The work of an epoch that cannot be left out, see `training_macs`; a multiply-add is two operations."""
        return 2e-9 * self.training_macs * self.num_images

    @property
    def trained_per_second(self) -> float:
        """Images, by the median epoch."""
        return self.num_images / self.epoch_seconds.median

    @property
    def predicted_per_second(self) -> float:
        """Images, by the median prediction."""
        return self.num_predicted / self.prediction_seconds.median


def training_macs(architecture: Architecture) -> int:
    """Return the multiply-adds that training needs for one image, as if every convolution were computed directly.

    Counted is what cannot be left out. On the way there these are the places that a later layer reads. On the way back
    they count once for the gradient by the kernel and, except in the first layer with weights, once for the gradient by
    the input; before a max pooling only one place a pooled value, because only the largest carries a gradient. Values
    that relu shut count too, since how many they are depends on the images. A batch normalisation reads every place for
    its statistics, and each carries a gradient through them. Elementwise work and the optimizer's step are left out. An
    engine that computes a convolution by fewer multiplications than the direct way is counted as if it did not.
    """
    table, read = architecture.table, _places_read(architecture)
    again = architecture.read_again
    first = next((i for i, row in enumerate(table) if row.parameters), len(table))
    total = 0
    for i, row in enumerate(table):
        kernel = row.layer.weight_shapes(row.input_shape).get("kernel")
        if kernel is None:
            continue
        inputs = prod(kernel)  # multiply-adds a place
        places = prod(read[i])
        pooling = _pooling_behind(table, i, again)
        carrying = places if pooling is None else min(places, prod(read[pooling]))
        total += inputs * (places + carrying * (1 if i == first else 2))
    return total


def measure_speed(
    architecture: Architecture,
    recipe: Recipe,
    train: Dataset,
    test: Dataset,
    threads: int | None = None,
    epochs: int = 7,
) -> Benchmark:
    """Measure an epoch of `recipe` on `architecture` over `train`, and prediction over `test`.

    One epoch and one prediction before the counted ones warm up caches.

    Args:
        threads: as the native engine takes it.
        epochs: how many are timed, at least one.
        train: of images on disk, evenly sampled ones are read before: this measures the processor and no disk.

    Raises:
        ValueError: if `epochs` or `threads` is below 1, or the data does not fit the architecture.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; it must be at least 1")
    if is_on_disk(train.images):
        most = max(1, PART_BYTES // train.images.image_bytes)
        train = train.take(evenly(len(train), most))
    network = NativeNetwork(architecture, initial_weights(architecture, 0), threads, precision=recipe.precision)
    peaks = _measure_peaks(network)
    batches = -(-len(train) // recipe.batch_size)
    rates = np.full(batches, recipe.optimizer.learning_rate, np.float32)
    orders = iter([random_stream(0, "shuffle", epoch).permutation(len(train)) for epoch in range(epochs + 1)])
    epoch = _spread(
        lambda: network.train_epoch(
            train,
            order=next(orders),
            batch_size=recipe.batch_size,
            learning_rates=rates,
            options=EpochOptions(optimizer=recipe.optimizer),
        ),
        epochs,
    )
    memory = measure_memory(architecture, recipe, train, test, threads=threads)
    peaks = {precision: max(peak, peaks[precision]) for precision, peak in _measure_peaks(network).items()}
    macs = training_macs(architecture)
    return Benchmark(
        instruction_set=network.instruction_set,
        threads=network.threads,
        peak_gflops=peaks["float32"],
        bfloat16_peak_gflops=peaks.get("bfloat16"),
        precision=recipe.precision,
        num_images=len(train),
        training_macs=macs,
        epoch_seconds=epoch,
        forward_seconds=_spread(lambda: network.logits(train.images), epochs),
        peak_share=2e-9 * macs * len(train) / epoch.median / peaks[recipe.precision],
        num_predicted=len(test),
        prediction_seconds=_spread(lambda: network.logits(test.images), epochs),
        latency_seconds=_spread(lambda: network.logits(test.images[:1]), _LATENCIES),
        memory=memory,
    )


class Answering(Protocol):
    """Whatever answers images: a network of an engine, or an exported file in the program that runs it."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K) for images (N, H, W, C)."""


def measure_latency(network: Answering, images: NDArray[np.uint8]) -> tuple[float, float | None]:
    """Return the median seconds that the answer to one of `images` (N, H, W, C) takes, and to a thousand at once.

    The second is None where there are fewer. Both are measured long enough to tell, at most for about a second each.
    """
    one = _median_seconds(lambda: network.logits(images[:1]), 200)
    many = _median_seconds(lambda: network.logits(images[:1000]), 20) if len(images) >= 1000 else None
    return one, many


def _median_seconds(work: Callable[[], object], most: int) -> float:
    first = _spread(work, 1).median
    return _spread(work, max(1, min(most, int(1 / max(first, 1e-9))))).median


def _measure_peaks(network: NativeNetwork) -> dict[Precision, float]:
    peaks: dict[Precision, float] = {"float32": measure_peak(network.threads, network.instruction_set)}
    for name in instruction_sets("bfloat16")[:1]:  # named, for the variable may ask for one without such products
        peaks["bfloat16"] = measure_peak(network.threads, name, precision="bfloat16")
    return peaks


def _spread(work: Callable[[], object], n: int) -> Spread:
    seconds = []
    for _ in range(n + 1):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    counted = seconds[1:]
    return Spread(statistics.median(counted), min(counted), max(counted), n)


def _pooling_behind(table: tuple[LayerRow, ...], number: int, again: frozenset[str]) -> int | None:
    """Return the number of the max pooling that alone reads a layer, if only behind activations; None without one."""
    while table[number].layer.name not in again and number + 1 < len(table):
        number += 1
        if isinstance(table[number].layer, MaxPooling2D):
            return number
        if not isinstance(table[number].layer, Activation):
            break
    return None


def _places_read(architecture: Architecture) -> list[tuple[int, ...]]:
    """Return for each layer how many (rows, columns) of its output later layers read; () where that is a vector."""
    table = architecture.table
    numbers = {row.layer.name: number for number, row in enumerate(table)}
    read = [(0,) * (len(row.output_shape) - 1) for row in table]
    read[-1] = table[-1].output_shape[:-1]
    for number in reversed(range(len(table))):
        layer, given = table[number].layer, table[number].input_shape[:-1]
        wanted = given
        if (window := getattr(layer, "window", None)) is not None:
            axes = zip(given, read[number], window.reach, window.strides, strict=True)
            wanted = tuple((n - 1) * s + k - padding_before(size, k, s, window.padding) for size, n, k, s in axes)
        elif isinstance(layer, ZeroPadding2D):
            wanted = tuple(max(n - before, 0) for n, (before, _) in zip(read[number], layer.padding, strict=True))
        elif isinstance(layer, Dropout | Activation | PReLU | Add | Branch | Concatenate):
            wanted = read[number]
        sources = {numbers.get(earlier(layer), -1), -1 if isinstance(layer, Branch) else number - 1} - {-1}  # the image
        for source in sources:
            read[source] = tuple(max(n, min(pair)) for n, *pair in zip(read[source], wanted, given, strict=True))
    return read
