"""The page on which a network is trained in the browser, without a run."""

from pathlib import Path

from convscope.architecture import presets
from convscope.base.files import check_free
from convscope.base.records import Count, Record
from convscope.data.datasets import LoadOptions
from convscope.engine import initial_weights
from convscope.runs.data import load_data
from convscope.runs.listeners import Listeners
from convscope.training.model import Model

_DATASET, _SEED = "mnist", 0


class Playground(Record, kw_only=True):
    """A page that was written, and how much is in it."""

    page: str
    num_bytes: Count
    num_training_images: Count
    num_test_images: Count


def make_playground(path: Path, listeners: Listeners, *, force: bool = False) -> Playground:
    """Write the page of the untrained preset `cnn` with the images of MNIST.

    Raises:
        ConvscopeError: if there is a file at `path` and not `force`, or MNIST cannot be loaded, or `path` written.
    """
    check_free(path, force=force)
    from convscope.report.playground import NUM_TEST_IMAGES, write_playground  # matplotlib takes its time to load

    _, splits = load_data(_DATASET, LoadOptions(), listeners.on_download)
    train = splits.train
    architecture = presets.cnn(train.images.shape[1:], train.num_classes)
    write_playground(path, splits, Model(architecture, initial_weights(architecture, _SEED), train.class_names))
    return Playground(
        page=str(path),
        num_bytes=path.stat().st_size,
        num_training_images=len(train),
        num_test_images=min(NUM_TEST_IMAGES, len(splits.test)),
    )
