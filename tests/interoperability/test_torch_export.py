"""Models exported to PyTorch: their logits, their further training, and files that PyTorch opens without convscope."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.random_networks import random_images, random_model, random_weights

import convscope as cs
from convscope import Model
from convscope.base.errors import ConvscopeError
from convscope.engine import open_network
from convscope.export.torch import open_torch, to_torch, write_torch


def compute_expected_logits(model: Model, images: np.ndarray) -> np.ndarray:
    return open_network(model.architecture, model.weights, "reference").logits(images)


def compute(network: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()


def make_model(architecture: cs.Architecture, seed: int = 0) -> Model:
    weights = random_weights(architecture, np.random.default_rng(seed))
    return Model(architecture, weights, tuple(str(k) for k in range(architecture.num_classes)))


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_give_the_same_logits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    images = random_images(model.architecture, rng, 9)
    network = to_torch(model)
    expected = compute_expected_logits(model, images)
    bound = 1e-5 * np.abs(expected).max()
    assert np.abs(compute(network, images) - expected).max() < bound
    assert np.abs(compute(network, images.astype(np.float32)) - expected).max() < bound
    assert np.abs(compute(network.double(), images) - expected).max() < bound
    children = dict(network.named_children())
    assert isinstance(network, torch.nn.Sequential)
    assert {layer.name for layer in model.architecture.layers} < children.keys()


@pytest.mark.parametrize("kind", [cs.Conv2D, cs.DepthwiseConv2D, cs.MaxPooling2D, cs.AveragePooling2D])
@pytest.mark.parametrize("size", [(1, 2), (5, 8), (9, 7)])
def test_windows_are_padded_as_in_tensorflow(kind: type, size: tuple[int, int]) -> None:
    for rows in range(1, 6):
        for strides in ((1, 1), (2, 1), (3, 4)):
            window = {"strides": strides, "padding": "same"}
            layer = kind(2, (rows, 3), **window) if kind is cs.Conv2D else kind((rows, 3), **window)
            model = make_model(cs.Architecture(cs.Input(*size, 3), (layer, cs.Flatten(), cs.Dense(2))))
            images = random_images(model.architecture, np.random.default_rng(rows), 3)
            difference = np.abs(compute(to_torch(model), images) - compute_expected_logits(model, images)).max()
            assert difference < 1e-5, (rows, strides)


def test_layers_named_like_methods_or_other_modules_get_unique_names() -> None:
    layers = (
        cs.Conv2D(3, 3, padding="same", activation="relu", name="conv2d"),
        cs.Conv2D(3, 1, activation="tanh", name="conv2d_relu"), cs.Add("conv2d", "relu", name="forward"),
        cs.MaxPooling2D(name="training"), cs.Add("training", name="training_"), cs.Flatten(name="flatten_maps"),
        cs.Dense(101, "softmax", name="weight"),
    )  # fmt: skip
    model = make_model(cs.Architecture(cs.Input(6, 8, 3), layers))
    network = to_torch(model)
    images = random_images(model.architecture, np.random.default_rng(0), 3)
    assert np.abs(compute(network, images) - compute_expected_logits(model, images)).max() < 1e-5
    assert isinstance(network.conv2d_relu, torch.nn.Conv2d)
    assert isinstance(network.conv2d_relu_, torch.nn.ReLU)


def small_network() -> Model:
    layers = (
        cs.Conv2D(4, 3, use_bias=False), cs.BatchNormalization(momentum=0.75, activation="relu"), cs.Dropout(0.5),
        cs.Flatten(), cs.Dense(3, "softmax"),
    )  # fmt: skip
    return make_model(cs.Architecture(cs.Input(6, 5), layers))


def test_a_step_of_training_changes_the_modules_and_not_the_model() -> None:
    model = small_network()
    digest, images = model.weights_sha256, random_images(model.architecture, np.random.default_rng(0), 12)
    network = to_torch(model)
    assert not network.training
    network.train()
    mean_before = network.batch_normalization.running_mean.clone()
    before = {name: value.clone() for name, value in network.named_parameters()}
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    labels = torch.arange(12) % 3
    torch.manual_seed(0)
    torch.nn.functional.cross_entropy(network(torch.from_numpy(images)), labels).backward()
    optimizer.step()
    assert all(not torch.equal(before[name], value) for name, value in network.named_parameters())
    batch_mean = model.activations(images, ["conv2d"])["conv2d"].mean(axis=(0, 1, 2))
    moved = 0.75 * mean_before + 0.25 * torch.from_numpy(batch_mean)
    assert torch.allclose(network.batch_normalization.running_mean, moved, atol=1e-6)
    assert model.weights_sha256 == digest == Model(model.architecture, model.weights, model.class_names).weights_sha256


def test_conversion_leaves_the_random_numbers_of_pytorch_as_they_are() -> None:
    torch.manual_seed(3)
    to_torch(small_network())
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))


@pytest.mark.parametrize(("seed", "channels", "classes"), [(0, 3, 101), (5, 1, 2), (8, 3, 7)])
def test_a_program_gives_the_logits_of_the_model_for_any_number_of_images(
    seed: int, channels: int, classes: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, (11, 14), channels, classes)
    write_torch(model, tmp_path / "model.pt2")
    program = open_torch(tmp_path / "model.pt2")
    assert program.runtime == f"PyTorch {torch.__version__}"
    for count in (1, 3, 300):
        images = random_images(model.architecture, rng, count)
        images.flags.writeable = False  # as those of a data set
        logits = program.logits(images)
        assert logits.shape == (count, classes)
        assert logits.dtype == np.float32
        assert np.abs(logits - model.logits(images)).max(initial=0) < 1e-5


FRESH = """
import sys
sys.modules["convscope"] = None  # importing it raises ImportError
import numpy as np, torch
folder = sys.argv[1]
program = torch.export.load(folder + "/model.pt2").module()
answers = program(torch.from_numpy(np.load(folder + "/images.npy")))
assert sorted(answers) == ["logits", "probabilities"], answers
assert torch.allclose(answers["probabilities"].sum(1), torch.ones(5))
np.save(folder + "/logits.npy", answers["logits"].numpy())
"""


def test_pytorch_opens_a_program_without_convscope(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    model = random_model(rng)
    images = random_images(model.architecture, rng, 5)
    np.save(tmp_path / "images.npy", images)
    write_torch(model, tmp_path / "model.pt2")
    completed = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    logits = model.logits(images)
    assert np.abs(np.load(tmp_path / "logits.npy") - logits).max() < 1e-5 * np.abs(logits).max()


def test_a_program_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    write_torch(small_network(), tmp_path / "model.pt2")
    content = (tmp_path / "model.pt2").read_bytes()
    for folder in (str(Path(__file__).parents[2]), sys.prefix, str(Path.home())):
        assert folder == "/" or folder.encode() not in content


def test_without_pytorch_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_network()
    monkeypatch.setitem(sys.modules, "torch", None)
    for call in (
        lambda: to_torch(model),
        lambda: write_torch(model, tmp_path / "model.pt2"),
        lambda: open_torch(tmp_path / "model.pt2"),
    ):
        with pytest.raises(ConvscopeError, match=r'PyTorch is not installed; run pip install ".*torch'):
            call()
