"""How much memory training takes: a bound that follows from what is trained, and what the process really reached.

A process takes at most what Python and its libraries do, the data set, and `training_bytes`.
"""

import sys
from ctypes import CDLL
from pathlib import Path

from convscope.architecture import Architecture
from convscope.base.records import Count, Record, Seconds
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import held_bytes
from convscope.data.datasets.disk.pools import epoch_bytes
from convscope.engine import EngineName, EpochOptions, native
from convscope.recipes import Recipe


class Memory(Record):
    """What a process that trained has taken, in bytes; None is what nobody knows.

    Attributes:
        peak_memory_bytes: the most that it had resident, with Python and its libraries.
        data_bytes: the images and labels as they are held; images that are read from disk as needed are not.
        training_bytes: the most that training takes beside the data, see `training_bytes`.
    """

    peak_memory_bytes: Count | None
    data_bytes: Count
    training_bytes: Count | None

    def __str__(self) -> str:
        most = "unknown" if self.peak_memory_bytes is None else f"{_mebibytes(self.peak_memory_bytes)} at most"
        training = "" if self.training_bytes is None else f", up to {_mebibytes(self.training_bytes)} for training"
        return f"{most}: {_mebibytes(self.data_bytes)} of data{training}, the rest for Python and its libraries"


Timings = dict[str, Seconds | Memory]
"""Seconds by step, and under `memory` what training took."""


def measure_memory(
    architecture: Architecture,
    recipe: Recipe,
    train: Dataset,
    test: Dataset,
    engine: EngineName = "native",
    threads: int | None = None,
) -> Memory:
    """Return what this process, which has just trained, has taken so far; of `native` alone is it known for what.

    Raises:
        ValueError: if threads < 1.
    """
    peak = peak_memory_bytes()  # first, since the bound is computed by making what it is the size of
    training = training_bytes(architecture, recipe, train, test, threads) if engine == "native" else None
    return Memory(peak, sum(held_bytes(part.images) + part.labels.nbytes for part in (train, test)), training)


def peak_memory_bytes() -> int | None:
    """Return the most memory that this process has had resident so far, or None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):  # of this program alone: what getrusage says may be its parent's
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def give_back_memory() -> None:
    """Give memory that was freed back to the system: glibc keeps it, often in pieces that fit nothing later."""
    if sys.platform == "linux" and (trim := getattr(CDLL(None), "malloc_trim", None)) is not None:  # musl has none
        trim(0)


def training_bytes(
    architecture: Architecture, recipe: Recipe, train: Dataset, test: Dataset, threads: int | None = None
) -> int:
    """Return the most that training by the native engine takes beside the data, with its checkpoints and measuring.

    It is what the engine holds for the architecture and one batch (most of it), copies of the weights and of what the
    optimizer remembers, an epoch's order and labels, the images read for it where they are on
    disk, and the logits of the test images.

    Raises:
        ValueError: if threads < 1.
    """
    options = EpochOptions(
        optimizer=recipe.optimizer,
        class_weights=recipe.class_weights_for(train.class_counts),
        augmentation=recipe.augmentation,
        clip_norm=recipe.clip_norm,
        averaging=recipe.averaging,
        weight_bits=recipe.weight_bits,
    )
    engine = native.training_bytes(
        architecture, min(recipe.batch_size, len(train)), options, threads, precision=recipe.precision
    )
    weights = 4 * (architecture.parameters + architecture.non_trainable_parameters)
    state = weights * (3 + bool(recipe.averaging) + bool(recipe.weight_bits))
    copies = 2 * weights + 3 * state  # the epoch's first and last weights; the state as arrays, as bytes and as a file
    epoch = epoch_bytes(train, recipe.batch_size)
    measuring = len(test) * architecture.num_classes * (4 + 2 * 8)  # in float32, and twice in float64 for the loss
    return engine + copies + epoch + measuring


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
