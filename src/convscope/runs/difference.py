"""Compare two networks in files of any readable format, in runs or in memory."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, InterchangeError
from convscope.base.files import write_text
from convscope.data.datasets import Dataset, DatasetLike, LoadOptions, Splits, evenly
from convscope.evidence.difference import NetworkDifference, compare_networks, describe, find_scaling_between
from convscope.interchange.imported import ROUNDS, Imported
from convscope.interchange.importing import make_model, read_network
from convscope.interchange.scaling import Scaling
from convscope.runs.data import load_data
from convscope.runs.jobs import open_with_data
from convscope.runs.listeners import SILENT, Listeners
from convscope.runs.run import Run
from convscope.storage import find_stored
from convscope.training.model import Model, dataset_for

_MAX_IMAGES = 1000  # enough for the largest difference, and a second for the widest preset
_NUM_RANDOM_IMAGES = 100

Network = Annotated[str | Path | Model | Run, "the path of a file or run folder, a Model or a Run"]


@checked
def diff(a: Network, b: Network, images: DatasetLike | NDArray[np.uint8] | str | None = None) -> NetworkDifference:
    """Compare two networks: their layers, weights, outputs and answers.

    Layers are matched in their order, whatever they are called. Batch normalisation is folded into the weights before
    it, and layers that compute nothing at prediction are left out, so files of different programs can be compared.

    Args:
        a, b: a file of any format that `import_model` reads, a run, or a model.
        images: (N, H, W, C) uint8, a data set, or the name or path of one, whose test images are used; by default the
            test images of a run among the two, and otherwise random images. At most 1,000 are used, evenly spaced.

    Raises:
        ConvscopeError: if a file cannot be read, as `import_model`; a network that reads numbers instead of bytes gets
            the scaling of the other one, or else byte / 255.
        ValueError: if the images do not fit.
    """
    return _compare(a, b, images, SILENT)[0]


def compare_files(a: Path, b: Path, dataset: str | None, page: Path | None, listeners: Listeners) -> NetworkDifference:
    """Compare two networks, and write the page of their difference if it has a path.

    Raises:
        ConvscopeError: as `diff`, or if the page cannot be written.
    """
    result, images = _compare(a, b, dataset, listeners)
    if page is not None:
        from convscope.report.difference_page import render_difference

        write_text(page, render_difference(result, images))
    return result


def _compare(
    a: Network, b: Network, images: object, listeners: Listeners
) -> tuple[NetworkDifference, NDArray[np.uint8]]:
    """Compare as `diff` does, and return the images too."""
    first, second = _open_both(a, b, images, listeners)
    facts = dict.fromkeys([*first.facts, *second.facts])
    both = set(first.facts) & set(second.facts)
    notes = [f"{'A and B' if fact in both else 'A' if fact in first.facts else 'B'}: {fact}." for fact in facts]
    chosen, name = _choose_images((a, b), (first.model, second.model), images, listeners, notes)
    result = compare_networks(
        first.model,
        second.model,
        chosen,
        described=(
            describe(first.name, first.program, first.model.architecture),
            describe(second.name, second.program, second.model.architecture),
        ),
        images_name=name,
        notes=notes,
        on_progress=lambda done, whole: listeners.on_step("comparing outputs", done, whole),
    )
    return result, chosen


@dataclass(frozen=True, eq=False)
class _Opened:
    """A network, what it is called, what wrote it, and facts about how it was opened."""

    model: Model
    name: str
    program: str
    facts: tuple[str, ...] = ()


def _open_both(a: Network, b: Network, images: object, listeners: Listeners) -> tuple[_Opened, _Opened]:
    """Open both networks; what one of them leaves open, the image's size and the scaling, is that of the other."""
    try:
        first = _read(a, None)
    except InterchangeError:  # it may leave the size of its images open
        try:
            second = _read(b, None)
        except InterchangeError:
            if not isinstance(images, str):
                raise
            second = _read(b, load_data(images, LoadOptions(), listeners.on_download)[1].test.image_shape)
        first = _read(a, _get_shape(second))
    else:
        second = _read(b, _get_shape(first))
    return _finish(a, first, second), _finish(b, second, first)


def _read(network: Network, image_shape: tuple[int, int, int] | None) -> Model | Imported:
    """Read a network; `image_shape` is used where the file leaves it open."""
    if isinstance(network, Model | Run):
        return network if isinstance(network, Model) else network.model
    try:
        return read_network(network)
    except InterchangeError as error:
        if image_shape is not None:
            with suppress(InterchangeError):  # the first error tells more
                return read_network(network, image_shape=image_shape)
        # What `import` takes by an option, this command finds in other ways.
        text = str(error).replace("give it with `image_shape`: height x width x channels", "name data with `dataset`")
        raise InterchangeError(text.replace("also give", "import it with")) from error


def _get_shape(network: Model | Imported) -> tuple[int, int, int]:
    image = network.architecture.input
    return image.height, image.width, image.channels


def _finish(network: Network, read: Model | Imported, counterpart: Model | Imported) -> _Opened:
    if isinstance(read, Model):
        name = str(network.path) if isinstance(network, Run) else read.name
        return _Opened(read, name, "convscope")
    assert isinstance(network, str | Path)
    facts = list[str]()
    if not read.reads_bytes:
        scaling = _find_scaling(read, counterpart)
        read = read.apply_scaling(scaling)
        facts.append(f"reads numbers, not bytes; here a byte becomes {scaling.formula}")
    if ROUNDS in read.notes:
        facts.append("computes in whole numbers; what it rounds and cuts off between layers is not here")
    return _Opened(make_model(read, Path(network)), str(network), read.program or "unknown program", tuple(facts))


def _find_scaling(network: Imported, counterpart: Model | Imported) -> Scaling:
    """Choose a scaling for a network without one: the one that its counterpart has, or 1 / 255."""
    if isinstance(counterpart, Imported) and not counterpart.reads_bytes:
        return Scaling()
    model = counterpart if isinstance(counterpart, Model) else counterpart.to_model()
    scale, offset = find_scaling_between(network.apply_scaling(Scaling(1.0)).to_model(), model)
    return Scaling() if np.allclose((scale, offset), (1 / 255, 0), 1e-4, 1e-6) else Scaling(scale, mean=-offset)


def _choose_images(
    networks: tuple[Network, Network],
    models: tuple[Model, Model],
    images: object,
    listeners: Listeners,
    notes: list[str],
) -> tuple[NDArray[np.uint8], str]:
    """Choose the images on which outputs are compared, with a name for them."""
    shape = _get_shape(models[0])
    if isinstance(images, np.ndarray):
        if not len(images):
            raise ValueError("images is empty; give at least one, or None for random ones")
        return np.ascontiguousarray(images[evenly(len(images), _MAX_IMAGES)]), "images"
    test: Dataset | None
    if isinstance(images, str):
        test = load_data(images, LoadOptions(), listeners.on_download)[1].test
    elif images is not None:
        test = dataset_for(models[0], images, "images")  # type: ignore[arg-type]
    else:
        test = next((splits.test for network in networks if (splits := _open_splits(network, listeners, notes))), None)
    if test is None or (images is None and test.image_shape != shape):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (_NUM_RANDOM_IMAGES, *shape), np.uint8), "random images"
    if test.image_shape != shape:
        raise ConvscopeError(
            f"{test.name}: has images of {' × '.join(map(str, test.image_shape))}, but A reads "
            f"{' × '.join(map(str, shape))}; name data that fit with `dataset`"
        )
    return np.ascontiguousarray(test.images[evenly(len(test), _MAX_IMAGES)]), f"{test.split} images of {test.name}"


def _open_splits(network: Network, listeners: Listeners, notes: list[str]) -> Splits | None:
    """Load the data of a run; None for another network, or with a note if they cannot be loaded."""
    path = network.path if isinstance(network, Run) else Path(network) if isinstance(network, str | Path) else None
    if path is None or not (path.is_dir() or find_stored(path)):
        return None
    try:
        if isinstance(network, Run):
            return network.splits
        with open_with_data(path, None, listeners, writes=False) as (_, splits):
            return splits
    except ConvscopeError as error:
        notes.append(f"The data of {path} could not be loaded, so other images were taken ({error}).")
        return None
