"""The network that a run starts from: its weights, and the images that it was trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ArchitectureError, DatasetError, RecipeError
from convscope.base.records import from_attributes
from convscope.data.datasets import Dataset, Splits
from convscope.storage import NOTHING, TrainedOn, load_start, load_trained_on, save_model, save_trained_on
from convscope.storage.records import StartRecord
from convscope.training.model import Model
from convscope.training.transfer import Transfer, transfer


@dataclass(frozen=True, eq=False)
class Start:
    """A trained network that a training starts from, and the initial state made of it.

    Attributes:
        transfer: the initial state, and the architecture that it belongs to.
        known: the images that the network and its ancestors were trained on; None if unknown.
        new_output: True if the weights of the outputs are random nevertheless.
    """

    path: Path
    model: Model
    transfer: Transfer
    known: TrainedOn | None
    new_output: bool

    def unseen(self, dataset: Dataset) -> NDArray[np.bool_]:
        """Mark the images of `dataset` that are known to be new to the network, (N,)."""
        # If the training images are unknown, none is known to be new.
        return np.zeros(len(dataset), np.bool_) if self.known is None else ~self.known.may_include(dataset)

    def check(self, splits: Splits, validation_fraction: float) -> None:
        """Check, before training, that claims about unseen images will be true.

        Raises:
            DatasetError: if the network was trained on test images of `splits`.
            RecipeError: if images are held out, and it is unknown which are new to the network.
        """
        if self.known is None:
            # Its test images cannot be checked either, but most models of other programs come without such a record.
            if validation_fraction > 0:
                raise RecipeError(
                    f"`start` {self.path}: its training images are unknown, so none can be held out; remove "
                    "`validation_fraction` and `patience`, or start from a run of convscope run or train"
                )
            return
        is_seen = self.known.includes(splits.test)
        # Images that the data set itself has in both parts are not this network's fault.
        is_in_both = NOTHING.union(splits.train).includes(splits.test)
        if count := int((is_seen & ~is_in_both).sum()):
            raise DatasetError(
                f"`start` {self.path}: it was trained on {count:,} of the {len(splits.test):,} test images of "
                f"{splits.name}, so they cannot be used for testing; divide the data as that run did "
                "(`test_fraction`), or use data with other test images"
            )

    def to_record(self, splits: Splits) -> StartRecord:
        """Describe the network for `run.json`."""
        return from_attributes(
            StartRecord,
            self.transfer,
            argument=str(self.path.resolve()),
            weights_sha256=self.model.weights_sha256,
            num_seen_images=None if self.known is None else int((~self.unseen(splits.train)).sum()),
            new_output=self.new_output,
        )

    def save(self, path: Path) -> None:
        """Write the network, and the record of its training images, next to the runs that start from it."""
        # The record first: if the process is killed between the two, there is no model yet without its record.
        if self.known is not None:
            save_trained_on(path, self.known, self.model)
        save_model(self.model, path)


def open_start(path: Path, splits: Splits, seed: int, *, new_output: bool) -> Start:
    """Load the network in the file or run folder at `path`, for training on `splits`.

    Raises:
        RunError: if there is none, or it is damaged.
        ArchitectureError: if it does not fit the images or classes.
    """
    model = load_start(path)
    try:
        initial = transfer(model, splits.image_shape, splits.class_names, seed, new_output=new_output)
    except ArchitectureError as error:
        raise ArchitectureError(f"`start` {path}: {error}") from error
    return Start(path, model, initial, load_trained_on(path, model), new_output)
