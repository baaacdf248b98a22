"""What defines one run of an experiment, and the name that follows from it."""

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

_SEED = '"seed":null'  # within the text of a run, where the seed stands
_DIGITS = 16  # of a digest: 64 bits, so that two of a million runs share one with a chance of 3e-8


@dataclass(frozen=True)
class RunSpec:
    """One run: data, network, recipe and seed.

    Attributes:
        dataset: what `load_dataset` takes, so that another process can load the same; "" for data in memory alone.
        num_images: how many training images to use, drawn by the seed from each class alike; None is all of them.
        start: a model file or run folder whose weights training starts from, see `transfer`; "" is random weights.
        new_output: whether the weights of its outputs are random all the same.
        weights_seed: of the initial weights, where it is not that of everything else; the same number is None.
        held_out: the fraction of the training images that the run is measured on instead of the test images, see
            `judged_on_held_out`; None is the test images. It tells another process how to come to the same splits.
        name: what a table calls the variant; not part of the digest, no more than the names of network and recipe.

    Raises:
        ValueError: if a seed is below 0, `num_images` below 1, or there is a `weights_seed` beside a `start`.
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
        """Return 16 hexadecimal digits of the SHA-256 of all that decides the result of this run on `splits`.

        Raises:
            ValueError: if there are fewer training images than `num_images`.
            RunError: if there is no model at `start`.
            EngineError: if the engine is `keras` and no backend of Keras is here.
        """
        return _short_digest(self._defining(splits).replace(_SEED, f'"seed":{self.seed}'))

    def group_digest(self, splits: Splits) -> str:
        """Return 16 hexadecimal digits for all runs that differ from this one in the seed alone; raises as `digest`."""
        return _short_digest(self._defining(splits))

    def _defining(self, splits: Splits) -> str:
        """Return all that decides the result as JSON, with `_SEED` for the seed."""
        start = (load_start(self.start).weights_sha256, self.new_output) if self.start else None
        backend = backend_name() if self.engine == "keras" else None
        count = self._count(splits.train)
        more = {"backend": backend, "start": start, "weights_seed": self.weights_seed}
        known = tuple((name, value) for name, value in more.items() if value is not None)
        digests = splits.train.sha256, splits.test.sha256
        return _defining_text(self.architecture, self.recipe, *digests, count, self.engine, known)

    def state(self, splits: Splits) -> TrainingState | None:
        """The state that training starts from, if it does not start from the random weights of the seed.

        Raises:
            RunError: if there is no model at `start`.
            ArchitectureError: if its weights are not for this architecture and data.
        """
        if self.weights_seed is not None:
            return TrainingState(initial_weights(self.architecture, self.weights_seed))
        start = self.open_start(splits)
        return None if start is None else start.transfer.state

    def open_start(self, splits: Splits) -> Start | None:
        """Load the network that training starts from; None stands for random weights. Raises as `state`."""
        if not self.start:
            return None
        start = open_start(Path(self.start), splits, self.seed, new_output=self.new_output)
        if start.transfer.architecture != self.architecture:
            raise ArchitectureError(f"{self.start} does not have the requested architecture {self.architecture.name}")
        return start

    def unseen(self, train: Dataset) -> NDArray[np.bool_] | None:
        """Return (N,), which images of `train` may be held out: those that the network at `start` did not see.

        None stands for all: nothing is held out, or training starts from random weights.

        Raises:
            RunError: if there is no model at `start`.
        """
        if not self.start or self.recipe.validation_fraction == 0:
            return None
        known = load_trained_on(Path(self.start), load_start(self.start))
        return np.zeros(len(train), np.bool_) if known is None else ~known.may_include(train)

    def draw(self, splits: Splits) -> Splits:
        """Return `splits` with the training images that this run uses, in their order; the test images are all there.

        Raises:
            ValueError: if there are fewer training images than `num_images`.
        """
        count = self._count(splits.train)
        if count == len(splits.train):
            return splits
        return replace(splits, train=splits.train.take(_draw_images(splits.train, count, self.seed)))

    def _count(self, train: Dataset) -> int:
        if self.num_images is not None and self.num_images > len(train):
            raise ValueError(
                f"num_images is {self.num_images:,}, but {train.name} has {len(train):,} training images; give fewer"
            )
        return self.num_images or len(train)


def judged_on_held_out(splits: Splits, fraction: float) -> Splits:
    """Return splits whose test images are this fraction of the training images, of each class alike.

    Raises:
        ValueError: as `Dataset.divide`.
    """
    rest, held = splits.train.divide(fraction)
    return replace(splits, train=rest, test=replace(held, split="test"))


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


@lru_cache(maxsize=64)  # the runs of an experiment differ in the seed most often
def _defining_text(
    architecture: Architecture,
    recipe: Recipe,
    train: str,
    test: str,
    num_images: int,
    engine: str,
    more: tuple[tuple[str, Any], ...],
) -> str:
    network, training = architecture.to_dict(), recipe.to_dict()
    for names in (network, training):
        del names["name"]
    defining = {
        "train": train,
        "test": test,
        "num_images": num_images,
        "architecture": network,
        "recipe": training,
        "seed": None,
        "engine": engine,
        **dict(more),
    }
    return canonical_json(defining)


def _draw_images(train: Dataset, count: int, seed: int) -> NDArray[np.int64]:
    """Return (count,) places of images, rising: of each class as large a part, to within one image.

    Each class is shuffled by the stream "subset", and its images stand at (rank + 1/2) / size; the first `count` of all
    are taken, so that a smaller draw by the same seed is part of a larger one. Ties fall by chance.
    """
    stream = random_stream(seed, "subset")
    order, positions = stream.permutation(len(train)), np.empty(len(train))
    labels = train.labels[order]
    for label, size in enumerate(train.class_counts):
        positions[labels == label] = (np.arange(size) + 0.5) / size
    return np.sort(order[np.argsort(positions, kind="stable")[:count]])
