"""The page on which a network is trained in the browser, without a run."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convscope.architecture import presets
from convscope.base.errors import ConvscopeError
from convscope.data.datasets import LoadOptions
from convscope.engine import initial_weights
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners
from convscope.training.model import Model

_DATASET, _SEED = "mnist", 0


@dataclass(frozen=True)
class Playground:
    """A page that was written, and how much is in it."""

    page: Path
    num_bytes: int
    num_training_images: int
    num_test_images: int

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "page": os.fsencode(self.page).decode(errors="replace")}


def make_playground(path: Path, listeners: Listeners, *, force: bool = False) -> Playground:
    """Write the page of the untrained preset `cnn` with the images of MNIST.

    Raises:
        ConvscopeError: if there is a file at `path` and not `force`, or MNIST cannot be loaded, or `path` written.
    """
    if os.path.lexists(path) and not force:
        raise ConvscopeError(f"{path}: already exists; choose another file, or add `force` to replace it")
    from convscope.report.playground import NUM_TEST_IMAGES, write_playground  # matplotlib takes its time to load

    _, splits = load_data(_DATASET, LoadOptions(), listeners.on_download)
    train = splits.train
    architecture = presets.cnn(train.images.shape[1:], train.num_classes)
    write_playground(path, splits, Model(architecture, initial_weights(architecture, _SEED), train.class_names))
    return Playground(path, path.stat().st_size, len(train), min(NUM_TEST_IMAGES, len(splits.test)))
