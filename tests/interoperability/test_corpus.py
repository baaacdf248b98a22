"""The corpus: common networks in every file that PyTorch and Keras write.

Each file gives the logits of its network. Each network is imported as a run, evaluated, reported, exported to every
format, and read again. For some, the scaling is searched.
"""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.interoperability.corpus_networks import KERAS, TORCH, Entry
from tests.interoperability.test_onnx_torch import shaken
from tests.shared import bare_reports, invoke
from torch import nn

import convscope as cs
from convscope.base.errors import InterchangeError, MissingPackageError
from convscope.export import FORMATS
from convscope.interchange import Imported, find_scaling, read_network

Images = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Ignore the exporters' own warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def some_images(shape: tuple[int, ...], count: int = 32) -> Images:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def scale_images(entry: Entry, images: Images) -> NDArray[np.float32]:
    """Scale images to the inputs of a network."""
    scales, offsets = (entry.scaling or cs.Scaling(1.0)).numbers(entry.image_shape[2])
    return (images * scales + offsets).astype(np.float32)


def torch_logits(entry: Entry, module: torch.nn.Module, images: Images) -> NDArray[np.float32]:
    with torch.no_grad():
        inputs = torch.from_numpy(scale_images(entry, images)).permute(0, 3, 1, 2)
        return np.concatenate([module(block).numpy() for block in inputs.split(500)])


def check(entry: Entry, model: cs.Model, images: Images, expected: NDArray[np.float32]) -> None:
    """Compare the logits of a model with those of its network, within 1e-4 of the largest."""
    logits = model.logits(images)
    if entry.ends_in != "logits":  # probabilities do not change when all logits of an image grow by the same number
        expected = np.log(expected) if entry.ends_in == "softmax" else expected
        logits, expected = (values - values.mean(axis=1, keepdims=True) for values in (logits, expected))
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()


def to_pt2(module: torch.nn.Module, image: torch.Tensor, path: Path) -> Path:
    torch.export.save(torch.export.export(module, (image,)), path)
    return path


def programs(module: torch.nn.Module, image: torch.Tensor, folder: Path) -> list[Path]:
    return [to_pt2(module, image, folder / "net.pt2")]


def old_onnx(module: torch.nn.Module, image: torch.Tensor, folder: Path) -> list[Path]:
    torch.onnx.export(module, (image,), folder / "old.onnx", dynamo=False)
    return [folder / "old.onnx"]


def new_onnx(module: torch.nn.Module, image: torch.Tensor, folder: Path) -> list[Path]:
    """Export with the newer exporter twice: with weights in a second file, which is its default, and in one file."""
    pytest.importorskip("onnxscript")
    program = torch.onnx.export(module, (image,), dynamo=True, verbose=False)
    assert program is not None
    program.save(folder / "two.onnx", external_data=True)
    program.save(folder / "one.onnx")
    assert (folder / "two.onnx.data").exists()
    assert not (folder / "one.onnx.data").exists()
    return [folder / "one.onnx", folder / "two.onnx"]


@pytest.mark.parametrize("write", [programs, old_onnx, new_onnx])
@pytest.mark.parametrize("name", TORCH)
def test_each_file_of_pytorch_gives_its_network(
    name: str, write: Callable[[torch.nn.Module, torch.Tensor, Path], list[Path]], tmp_path: Path
):
    entry = TORCH[name]
    height, width, channels = entry.image_shape
    torch.manual_seed(0)
    module = shaken(entry.make())
    images = some_images(entry.image_shape)
    expected = torch_logits(entry, module, images)
    for path in write(module, torch.zeros(1, channels, height, width), tmp_path):
        check(entry, cs.import_model(path, scaling=entry.scaling), images, expected)


def use_backslashes(content: bytes) -> bytes:
    """Return the weights of a `.keras` file with backslashes in the names of groups, as Keras writes on Windows."""
    changed = BytesIO()
    with h5py.File(BytesIO(content)) as source, h5py.File(changed, "w") as made:
        arrays = dict[str, Any]()
        source.visititems(lambda path, item: arrays.update({path: item[()]} if isinstance(item, h5py.Dataset) else {}))
        for path, array in arrays.items():
            group, _, name = path.rpartition("/vars/")
            made.require_group(group.replace("/", "\\")).require_group("vars")[name] = array
    return changed.getvalue()


def on_windows(model: Any, folder: Path) -> Path:
    model.save(folder / "first.keras")
    with zipfile.ZipFile(folder / "first.keras") as first, zipfile.ZipFile(folder / "net.keras", "w") as made:
        for name in first.namelist():
            content = first.read(name)
            made.writestr(name, use_backslashes(content) if name.endswith(".h5") else content)
    return folder / "net.keras"


def saver(name: str) -> Callable[[Any, Path], Path]:
    def save(model: Any, folder: Path) -> Path:
        model.save(folder / name)
        return folder / name

    return save


def weights_alone(model: Any, folder: Path) -> Path:
    (folder / "net.json").write_text(model.to_json())
    model.save_weights(folder / "net.weights.h5")
    return folder / "net.weights.h5"


KERAS_FILES = {
    ".keras": saver("net.keras"), ".keras, Windows": on_windows, ".h5": saver("net.h5"), "weights": weights_alone,
}  # fmt: skip


@pytest.mark.parametrize("form", KERAS_FILES)
@pytest.mark.parametrize("name", KERAS)
def test_each_file_of_keras_gives_its_network(name: str, form: str, tmp_path: Path):
    entry = KERAS[name]
    keras.utils.set_random_seed(0)
    model = entry.make()
    if form == ".h5" and any(layer.name.startswith("random") for layer in model.layers):
        pytest.skip("Keras cannot write it so")
    path = KERAS_FILES[form](model, tmp_path)
    images = some_images(entry.image_shape)
    architecture = tmp_path / "net.json" if form == "weights" else None
    read = cs.import_model(path, architecture=architecture, scaling=entry.scaling)
    check(entry, read, images, np.asarray(model.predict(scale_images(entry, images), verbose=0)))


def colour(part: cs.Dataset, seed: int) -> cs.Dataset:
    """Return digits of 32 × 32, each class in about its own colour, on dim backgrounds."""
    stream = np.random.default_rng(seed)
    ink = np.pad(part.images, ((0, 0), (2, 2), (2, 2), (0, 0))) / 255
    inks = np.random.default_rng(7).uniform(60, 250, (10, 3))[part.labels] + stream.normal(0, 15, (len(part), 3))
    grounds = stream.uniform(20, [110, 90, 60], (len(part), 3))
    images = ink * inks[:, None, None] + (1 - ink) * grounds[:, None, None]
    return replace(part, images=images.clip(0, 255).astype(np.uint8), name="coloured")


@pytest.fixture
def folder_of(small_mnist: cs.Splits, small_folder: Path, tmp_path: Path) -> Callable[[Entry], tuple[Path, cs.Splits]]:
    """Return a function from a network to its data: the path, and the splits in memory."""

    def data(entry: Entry) -> tuple[Path, cs.Splits]:
        if entry.image_shape[2] == 1:
            return small_folder, cs.load_dataset(small_folder)
        path = tmp_path / "coloured.npz"
        train, test = colour(small_mnist.train, 0), colour(small_mnist.test, 1)
        np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
        return path, cs.load_dataset(path)

    return data


@pytest.mark.parametrize("name", TORCH)
def test_each_network_is_imported_evaluated_reported_and_exported_to_every_format(
    name: str, folder_of: Callable[[Entry], tuple[Path, cs.Splits]], tmp_path: Path
):
    entry = TORCH[name]
    path, splits = folder_of(entry)
    torch.manual_seed(0)
    module = shaken(entry.make())
    height, width, channels = entry.image_shape
    to_pt2(module, torch.zeros(1, channels, height, width), tmp_path / "net.pt2")
    scaling = entry.scaling or cs.Scaling()
    stated = ["--mean", ",".join(map(str, np.ravel(scaling.mean))), "--std", ",".join(map(str, np.ravel(scaling.std)))]
    # These networks are not trained, so no accuracy could tell that bytes as they are is right.
    words = ("--scale", "1") if entry.scaling is None else ("--scale", "1/255", *stated)
    with bare_reports():
        completed = invoke(
            "import", tmp_path / "net.pt2", "--dataset", path, "--out", tmp_path / "run", *words, "--json"
        )
    assert completed.exit_code == 0, completed.output
    expected = torch_logits(entry, module, splits.test.images)
    accuracy = float((expected.argmax(axis=1) == splits.test.labels).mean())
    assert json.loads(completed.stdout)["evaluation"]["accuracy"] == pytest.approx(accuracy, abs=1 / len(expected))
    assert (tmp_path / "run" / "report.html").stat().st_size > 1e5
    model = cs.load_model(tmp_path / "run")
    check(entry, model, splits.test.images, expected)
    check_exports(model, splits.test.images[:100], tmp_path)


def check_exports(model: cs.Model, images: Images, folder: Path) -> None:
    """Export a model to every format, and compare the logits of each file's own runtime and of the imported file."""
    expected = model.logits(images)
    tolerance = 1e-4 * np.abs(expected).max()
    for form in FORMATS.values():
        path = folder / f"again{form.suffix}"
        try:
            cs.export_model(model, path, form.name)
            assert np.abs(form.open(path).logits(images) - expected).max() < tolerance, form.name
        except MissingPackageError as error:
            pytest.skip(str(error))
        if form.name in ("c", "js"):  # programs, which are run and not read
            with pytest.raises(InterchangeError, match="is source code"):
                cs.import_model(path)
            continue
        assert np.abs(cs.import_model(path).logits(images) - expected).max() < tolerance, form.name


@pytest.fixture(scope="session")
def digits() -> cs.Splits:
    mnist = cs.load_dataset("mnist")
    return cs.Splits(mnist.train.take(np.arange(4000)), mnist.test.take(np.arange(10)))


def read(name: str, folder: Path) -> Imported:
    """Export a network of the corpus and read its file."""
    entry = TORCH[name]
    height, width, channels = entry.image_shape
    torch.manual_seed(0)
    return read_network(to_pt2(entry.make().eval(), torch.zeros(1, channels, height, width), folder / "net.pt2"))


def check_found(imported: Imported, part: cs.Dataset, scaling: cs.Scaling) -> None:
    table = find_scaling(imported, part)
    assert table.best is not None, str(table)
    assert not table.best.bgr, str(table)
    numbers = (candidate.numbers(part.image_shape[2]) for candidate in (table.best, scaling))
    np.testing.assert_allclose(*numbers, atol=0.01, err_msg=str(table))


def test_the_scaling_of_a_trained_network_is_found(digits: cs.Splits, tmp_path: Path):
    """With tanh and -1 to 1 the most similar scaling has a lower loss; tests/interchange tries the other scalings."""
    imported, scaling = read("lenet5", tmp_path), cs.Scaling(mean=0.5, std=0.5)
    recipe = cs.Recipe(epochs=12, optimizer=cs.Adam(0.001))
    model, _ = cs.train(imported.apply_scaling(scaling).architecture, digits.train, recipe)
    check_found(replace(imported, weights=model.weights), digits.train, scaling)


@pytest.mark.parametrize(
    "scaling",
    [TORCH["mobile"].scaling, cs.Scaling(mean=0.5, std=0.5, inverted=True)],
    ids=["mean and std of ImageNet", "-1 to 1, inverted"],
)
def test_the_scaling_of_a_network_of_colour_images_is_found(scaling: cs.Scaling, digits: cs.Splits, tmp_path: Path):
    """The network is trained in PyTorch, whose batch normalisation computes its own moving averages."""
    part = colour(digits.train.take(np.arange(2000)), 0)
    torch.manual_seed(0)
    module = TORCH["colour"].make()
    scales, offsets = scaling.numbers(3)
    images = torch.from_numpy((part.images * scales + offsets).astype(np.float32)).permute(0, 3, 1, 2)
    labels = torch.from_numpy(part.labels.astype(np.int64))
    optimizer = torch.optim.Adam(module.parameters(), 0.005)
    for _ in range(6):
        for batch in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(images[batch]), labels[batch]).backward()
            optimizer.step()
    imported = read_network(to_pt2(module.eval(), torch.zeros(1, 3, 32, 32), tmp_path / "net.pt2"))
    check_found(imported, part, scaling)
