"""The memory of a training: an upper bound computed in advance, and the peak that the process reached.

The peak is at most the sum of Python with its libraries, the data set, and `training_bytes`.
"""

import sys
from ctypes import CDLL
from pathlib import Path

from convscope.architecture import Architecture
from convscope.base.records import Count, Record, Seconds
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import count_memory_bytes
from convscope.data.datasets.disk.pools import epoch_bytes
from convscope.engine import EngineName, native
from convscope.recipes import Recipe
from convscope.training.loop import epoch_options


class Memory(Record):
    """The memory of a process that trained, in bytes; None where it is unknown.

    Attributes:
        peak_memory_bytes: the largest resident size, with Python and its libraries.
        data_bytes: images and labels in memory, without images that are read from disk as needed.
        training_bytes: the bound on the memory of training without the data, see `training_bytes`.
    """

    peak_memory_bytes: Count | None
    data_bytes: Count
    training_bytes: Count | None

    def __str__(self) -> str:
        peak = "unknown" if self.peak_memory_bytes is None else f"{_mebibytes(self.peak_memory_bytes)} at most"
        training = "" if self.training_bytes is None else f", up to {_mebibytes(self.training_bytes)} for training"
        return f"{peak}: {_mebibytes(self.data_bytes)} of data{training}, the rest for Python and its libraries"


Timings = dict[str, Seconds | Memory]
"""Seconds by step, and under `memory` a `Memory`."""


def measure_memory(
    architecture: Architecture,
    recipe: Recipe,
    train: Dataset,
    test: Dataset,
    engine: EngineName = "native",
    threads: int | None = None,
) -> Memory:
    """Measure the memory of this process, which has just trained; its parts are known for engine `native` alone.

    Raises:
        ValueError: if threads < 1.
    """
    peak = peak_memory_bytes()  # first, since computing the bound allocates what training does
    training = training_bytes(architecture, recipe, train, test, threads) if engine == "native" else None
    return Memory(peak, sum(count_memory_bytes(part.images) + part.labels.nbytes for part in (train, test)), training)


def peak_memory_bytes() -> int | None:
    """Get the largest resident size of this process so far, or None where the system does not tell it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        # "VmHWM:   123456 kB": the peak of this program alone; getrusage may count the one that forked it.
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    # macOS gives bytes, other systems kibibytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def give_back_memory() -> None:
    """Give freed memory back to the system: glibc keeps it, often in pieces too small to be used again."""
    if sys.platform == "linux" and (trim := getattr(CDLL(None), "malloc_trim", None)) is not None:  # musl has none
        trim(0)


def training_bytes(
    architecture: Architecture, recipe: Recipe, train: Dataset, test: Dataset, threads: int | None = None
) -> int:
    """Compute the largest memory of a training by the native engine without its data, in bytes.

    It is the sum of the engine's buffers for the architecture and one batch (most of it), copies of the weights and of
    the optimizer's state, an epoch's order and labels, its images if they are read from disk, and the logits of the
    test images.

    Raises:
        ValueError: if threads < 1.
    """
    engine = native.training_bytes(
        architecture,
        min(recipe.batch_size, len(train)),
        epoch_options(recipe, train),
        threads,
        precision=recipe.precision,
    )
    weights = 4 * (architecture.parameters + architecture.non_trainable_parameters)  # float32
    # The weights and Adam's two moments; the averages and the unrounded weights, if the recipe has them.
    state = weights * (3 + bool(recipe.averaging) + bool(recipe.weight_bits))
    # The weights before and after the epoch; the state three times while it is stored: as arrays, bytes and a file.
    copies = 2 * weights + 3 * state
    epoch = epoch_bytes(train, recipe.batch_size)
    measuring = len(test) * architecture.num_classes * (4 + 2 * 8)  # logits: float32, and float64 twice
    return engine + copies + epoch + measuring


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
