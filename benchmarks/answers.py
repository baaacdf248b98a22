"""Store which test images each published network misses, as packed bits in docs/answers, and read them.

Everything that is published about a group of networks follows from these bits, so anyone can compute it again.
measure.py and frontier/measure.py write them; the tests compare them with docs/results.json.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import engine_state
import numpy as np
from estimates import mean_interval
from numpy.typing import ArrayLike, NDArray
from variation import RunVariation

import convscope as cs

FOLDER = engine_state.PROJECT / "docs" / "answers"


def save(name: str, seeds: ArrayLike, wrong: NDArray[np.bool_]) -> str:
    """Write the errors (n, N), true where wrong, of n networks with their seeds (n,) or pairs of seeds (n, 2).

    The bits are packed image by image: most images are missed by no network, and zeros compress.

    Returns:
        The file's name.
    """
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / name, seeds=np.asarray(seeds, np.int64), wrong=np.packbits(wrong.T, axis=1))
    return f"{name}.npz"


def load(file: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read the seeds and the errors (n, N), true where wrong, of a file."""
    with np.load(FOLDER / file) as arrays:
        seeds = arrays["seeds"]
        return seeds, np.unpackbits(arrays["wrong"], axis=1, count=len(seeds)).T.astype(np.bool_)


def read_group(row: dict[str, Any]) -> cs.RunGroup:
    """Make the group that `cs.compare_groups` and `cs.plan` take, from the published errors of a row."""
    seeds, wrong = load(row["answers"])
    return make_group(row["name"], seeds.tolist(), wrong)


def make_group(name: str, seeds: Sequence[int], wrong: NDArray[np.bool_]) -> cs.RunGroup:
    """Make a group from errors alone: all labels are 0, and a wrong prediction is 1."""
    labels = np.zeros(wrong.shape[1], np.uint8)
    return cs.RunGroup(name, tuple(seeds), labels, wrong.astype(np.uint8), "", "test", 0, 0, 0)


def describe(wrong: NDArray[np.bool_]) -> dict[str, Any]:
    """Compute the published figures of n networks from their errors (n, N); some are None for a single network."""
    group, is_single = make_group("", range(len(wrong)), wrong), len(wrong) == 1
    return {
        "num_runs": len(wrong),
        "mean": group.accuracy,
        "sd": group.sd,
        "interval": mean_interval(group.accuracies),
        "interval_with_images": None if is_single else list(group.accuracy_interval),
        "minimum": min(group.accuracies),
        "maximum": max(group.accuracies),
        "variation": None if is_single else asdict(RunVariation.from_flags(wrong)),
    }
