"""Write a page that trains a network in the browser, without a run."""

from pathlib import Path

from convscope.architecture import presets
from convscope.base.files import check_free, write_text
from convscope.data.datasets import LoadOptions
from convscope.engine import initial_weights
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners
from convscope.training.model import Model

_DATASET, _SEED = "mnist", 0  # the seed of the initial weights


def make_playground(path: Path, listeners: Listeners, *, force: bool = False) -> int:
    """Write the page of the untrained preset `cnn` with the images of MNIST; return the number of training images.

    Raises:
        ConvscopeError: if there is a file at `path` and not `force`, or MNIST cannot be loaded, or `path` written.
    """
    check_free(path, force=force)
    from convscope.report.playground import render_playground  # matplotlib takes its time to load

    _, splits = load_data(_DATASET, LoadOptions(), listeners.on_download)
    train = splits.train
    architecture = presets.cnn(train.images.shape[1:], train.num_classes)
    model = Model(architecture, initial_weights(architecture, _SEED), train.class_names)
    write_text(path, render_playground(splits, model))
    return len(train)
