"""The settings of a run in an experiment, and the digest that identifies it.

The digest is that of the run's definition, a text with everything that decides the result:

    {"architecture":{...},"engine":"native","num_images":60000,"recipe":{...},"seed":7,"test":"...","train":"..."}
"""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.arguments import Seed, check_fields
from convscope.base.errors import ArchitectureError
from convscope.base.plain import canonical_json
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, Splits
from convscope.engine import EngineName, initial_weights
from convscope.engine.keras import backend_name
from convscope.experiment.start import Start, open_start
from convscope.recipes import Recipe
from convscope.storage import load_start, load_trained_on
from convscope.training import TrainingState

_SEED = '"seed":null'  # in the definition of a group; with the seed in place of null, it is the definition of a run
_DIGITS = 16  # hexadecimal, 64 bits: among a million runs, two share a digest with probability 1e12 / 2 / 2^64 = 3e-8


@dataclass(frozen=True)
class RunSpec:
    """One run: data, network, recipe and seed.

    Attributes:
        dataset: the argument of `load_dataset` by which another process loads the data; "" for data in memory.
        num_images: the number of training images, drawn by the seed from each class alike; None for all.
        start: a model file or run folder whose weights training starts from, see `transfer`; "" for random weights.
        new_output: True if the weights of the outputs are random nevertheless.
        weights_seed: the seed of the initial weights, if it differs from `seed`; None if it does not.
        held_out: the fraction of the training images on which the run is measured instead of the test images, see
            `hold_out_as_test`; None for the test images. By it, another process makes the same splits.
        name: the name of the variant in a table; like the names of network and recipe, not part of the digest.

    Raises:
        ValueError: if a seed is below 0, `num_images` below 1, or `weights_seed` and `start` are both set.
    """

    dataset: str
    architecture: Architecture
    recipe: Recipe
    seed: Seed
    engine: EngineName = "native"
    num_images: int | None = None
    name: str = ""
    start: str = ""
    new_output: bool = False
    weights_seed: Seed | None = None
    held_out: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.weights_seed == self.seed:
            # The same run as without it, so it must have the same digest.
            object.__setattr__(self, "weights_seed", None)
        if self.weights_seed is not None and self.start:
            raise ValueError("weights_seed is for random weights; leave it out for a run that starts from a model")
        if self.num_images is not None and self.num_images < 1:
            raise ValueError(f"num_images is {self.num_images}; it must be at least 1, or None for all")

    @property
    def title(self) -> str:
        """The run in words, for a line of progress or an error."""
        words = [self.name, self.architecture.name, self.recipe.name, f"seed {self.seed}"]
        if self.weights_seed is not None:
            words.append(f"weights of seed {self.weights_seed}")
        if self.num_images is not None:
            words.append(f"{self.num_images:,} images")
        return ", ".join(filter(None, words))

    def digest(self, splits: Splits) -> str:
        """Compute 16 hexadecimal digits of the SHA-256 of everything that decides the result of this run."""
        return _compute_digest(self._define_group(splits).replace(_SEED, f'"seed":{self.seed}'))

    def group_digest(self, splits: Splits) -> str:
        """Compute the digest of all runs that differ from this one only in the seed."""
        return _compute_digest(self._define_group(splits))

    def _define_group(self, splits: Splits) -> str:
        """Define the runs that differ from this one only in the seed: collect what decides their results, as JSON."""
        # The start is given by its weights and not by its path, which may hold another model tomorrow.
        start = (load_start(self.start).weights_sha256, self.new_output) if self.start else None
        backend = backend_name() if self.engine == "keras" else None
        count = self._count_images(splits.train)
        optional = {"backend": backend, "start": start, "weights_seed": self.weights_seed}
        # Options that are None are left out, so that a new option leaves the digests of runs without it as they are.
        # A tuple, because the arguments of `lru_cache` must be hashable.
        settings = tuple((name, value) for name, value in optional.items() if value is not None)
        digests = splits.train.sha256, splits.test.sha256
        return _write_definition(self.architecture, self.recipe, *digests, count, self.engine, settings)

    def state(self, splits: Splits) -> TrainingState | None:
        """Make the initial training state; None for the random weights of `seed`. Raises as `open_start`."""
        if self.weights_seed is not None:
            return TrainingState(initial_weights(self.architecture, self.weights_seed))
        start = self.open_start(splits)
        return None if start is None else start.transfer.state

    def open_start(self, splits: Splits) -> Start | None:
        """Load the network that training starts from; None for random weights.

        Raises:
            RunError: if there is no model at `start`.
            ArchitectureError: if its weights do not fit this architecture and data.
        """
        if not self.start:
            return None
        start = open_start(Path(self.start), splits, self.seed, new_output=self.new_output)
        if start.transfer.architecture != self.architecture:
            raise ArchitectureError(f"{self.start} does not have the requested architecture {self.architecture.name}")
        return start

    def unseen(self, train: Dataset) -> NDArray[np.bool_] | None:
        """Mark the images of `train` that may be held out, (N,): those that the network at `start` did not see.

        None stands for all images: nothing is held out, or training starts from random weights.
        """
        if not self.start or self.recipe.validation_fraction == 0:
            return None
        trained_on = load_trained_on(Path(self.start), load_start(self.start))
        # If the training images of that network are unknown, none is known to be new to it.
        return np.zeros(len(train), np.bool_) if trained_on is None else ~trained_on.may_include(train)

    def draw(self, splits: Splits) -> Splits:
        """Draw the training images that this run uses, in their order; raises `ValueError` if there are too few."""
        count = self._count_images(splits.train)
        if count == len(splits.train):
            return splits
        return replace(splits, train=splits.train.take(_draw_images(splits.train, count, self.seed)))

    def _count_images(self, train: Dataset) -> int:
        if self.num_images is not None and self.num_images > len(train):
            raise ValueError(
                f"num_images is {self.num_images:,}, but {train.name} has {len(train):,} training images; give fewer"
            )
        return self.num_images or len(train)


def hold_out_as_test(splits: Splits, fraction: float) -> Splits:
    """Replace the test images by a fraction of the training images, of each class alike; raises as `divide`."""
    rest, held_out = splits.train.divide(fraction)
    return replace(splits, train=rest, test=replace(held_out, split="test"))


def _compute_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@lru_cache(maxsize=64)  # most runs of an experiment differ only in the seed, and share this text
def _write_definition(
    architecture: Architecture,
    recipe: Recipe,
    train: str,
    test: str,
    num_images: int,
    engine: str,
    settings: tuple[tuple[str, Any], ...],  # pairs of a name and a value
) -> str:
    """Write the definition of a group as JSON in a fixed order, with null for the seed."""
    network, training = architecture.to_dict(), recipe.to_dict()
    # Names decide nothing: a renamed network or recipe keeps its finished runs.
    del network["name"], training["name"]
    definition = {
        "train": train,
        "test": test,
        "num_images": num_images,
        "architecture": network,
        "recipe": training,
        "seed": None,  # written as `_SEED`
        "engine": engine,
        **dict(settings),
    }
    return canonical_json(definition)


def _draw_images(train: Dataset, count: int, seed: int) -> NDArray[np.int64]:
    """Draw the ascending indices (count,) of images, an equal share of each class to within one image.

    Each class is shuffled by the stream "subset", and its images get the positions (rank + 1/2) / size, which are
    spread evenly from 0 to 1. The `count` images with the smallest positions are taken:

        class of 2 images        1/4           3/4
        class of 4 images   1/8       3/8  5/8      7/8

    With a `count` of 3 these are one image of the first class and two of the second, in proportion to their sizes.
    A smaller draw by the same seed is part of a larger one. Equal positions are ordered at random.
    """
    stream = random_stream(seed, "subset")
    order, positions = stream.permutation(len(train)), np.empty(len(train))
    labels = train.labels[order]
    for label, size in enumerate(train.class_counts):
        positions[labels == label] = (np.arange(size) + 0.5) / size
    # A stable sort leaves equal positions in the random order; the outer sort gives the order of the data set.
    return np.sort(order[np.argsort(positions, kind="stable")[:count]])
