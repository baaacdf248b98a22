"""Networks of PyTorch, exported to ONNX by both of its exporters, give the logits of PyTorch."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import convscope as cs
from convscope.interchange.onnx_files import read_onnx

EXPORTERS = {
    "torchscript": {"dynamo": False},
    "torchscript, as it is": {"dynamo": False, "do_constant_folding": False},
    "dynamo": {"dynamo": True},
    "dynamo, as it is": {"dynamo": True, "optimize": False},
}


class Residual(nn.Module):
    """A residual block: its input is added to the output of two convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(inner)))


class Network(nn.Module):
    """A network with named modules, a reshape instead of a Flatten, and a scaling by channel at the front."""

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.linspace(0.1, 0.3, channels).view(1, channels, 1, 1))
        self.stem = nn.Conv2d(channels, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.block = Residual(8)
        self.depthwise = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.hidden = nn.Linear(16 * ((height - 2) // 4) * ((width - 2) // 4), 32)
        self.hidden_norm = nn.BatchNorm1d(32)
        self.answer = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.leaky_relu(self.norm(self.stem((x - self.mean) / 0.4)), 0.2)
        x = nn.functional.max_pool2d(self.block(x), 2)
        x = nn.functional.avg_pool2d(nn.functional.gelu(self.depthwise(x)), 2)
        x = x.reshape(x.size(0), -1)
        x = nn.functional.dropout(self.hidden_norm(torch.tanh(self.hidden(x))), training=self.training)
        return nn.functional.log_softmax(self.answer(x), 1)


def pooling_network(channels: int, classes: int) -> nn.Module:
    """Return a network that ends in a global pooling, with other paddings than `same`."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2), nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.Sigmoid(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, classes),
    )  # fmt: skip


def activation_network(channels: int, classes: int) -> nn.Module:
    """Return a network of images of 12 x 14 or 14 x 12 with an activation of each kind, within layers and by itself."""
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU6(), nn.Conv2d(6, 6, 3, padding=1),
        nn.Hardswish(), nn.MaxPool2d(2), nn.SiLU(), nn.Conv2d(6, 6, 3), nn.ELU(), nn.Hardtanh(0, 6), nn.Flatten(),
        nn.Linear(72, 9), nn.Hardswish(), nn.Linear(9, 9), nn.SELU(), nn.Hardsigmoid(), nn.Linear(9, classes),
    )  # fmt: skip


def prelu_network(channels: int, classes: int) -> nn.Module:
    """Return a network of images of 12 x 14 or 14 x 12 with learned slopes: by channel, one for all, and of vectors."""
    learned = nn.PReLU(4), nn.PReLU(), nn.PReLU(9)
    for module in learned:
        nn.init.uniform_(module.weight, -0.5, 1.5)
    convolution, hidden = nn.Conv2d(channels, 4, 3), nn.Linear(120, 9)
    stem = (convolution, learned[0], nn.MaxPool2d(2), learned[1], nn.Flatten())
    return nn.Sequential(*stem, hidden, learned[2], nn.Linear(9, classes))


class PixelNorm(nn.Module):
    """Layer normalisation of the channels of each pixel, in single operations."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(channels)), nn.Parameter(torch.randn(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * (x - mean) * torch.rsqrt(variance + 1e-6) + self.bias[:, None, None]


def normalizing_network(channels: int, classes: int) -> nn.Module:
    """Return a network of images of 12 x 14 or 14 x 12 with normalisations, and paddings by themselves."""
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3), PixelNorm(6), nn.GELU(), nn.ZeroPad2d((0, 1, 2, 1)), nn.Conv2d(6, 6, 3),
        nn.GroupNorm(3, 6), nn.ReLU(), nn.ZeroPad2d(1), nn.MaxPool2d(2), nn.LayerNorm((6, 7, 5)), nn.Flatten(),
        nn.LayerNorm(210), nn.Linear(210, classes),
    )  # fmt: skip


def export(module: nn.Module, image: torch.Tensor, path: Path, exporter: str) -> None:
    arguments = dict(EXPORTERS.get(exporter, {"dynamo": False, "opset_version": 13}))
    if arguments["dynamo"]:
        if importlib.util.find_spec("onnxscript") is None:
            pytest.skip("this exporter needs onnxscript")
        arguments |= {"dynamic_shapes": ({0: torch.export.Dim("N")},), "external_data": False, "verbose": False}
    else:
        arguments |= {"input_names": ["image"], "dynamic_axes": {"image": {0: "N"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters warn about themselves
        torch.onnx.export(module, (image,), path, **arguments)


def shaken(module: nn.Module) -> nn.Module:
    """Set random statistics in the module's batch normalisations, and switch it to evaluation."""
    torch.manual_seed(0)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(child.running_mean, 0, 0.3)
            nn.init.uniform_(child.running_var, 0.3, 2)
            if child.affine:
                nn.init.uniform_(child.weight, 0.5, 1.5)
                nn.init.normal_(child.bias)
    return module.eval()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def compare(module: nn.Module, size: tuple[int, int, int], path: Path, exporter: str) -> cs.Architecture:
    height, width, channels = size
    export(module, torch.rand(2, channels, height, width), path, exporter)
    imported = read_onnx(path)
    imported = imported if imported.reads_bytes else imported.apply_scaling(cs.Scaling())
    images = np.random.default_rng(0).integers(0, 256, (6, *size), dtype=np.uint8)
    with torch.no_grad():
        expected = module(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).numpy()
    names = tuple(map(str, range(expected.shape[1])))
    logits = cs.Model(imported.architecture, imported.weights, names).logits(images)
    np.testing.assert_allclose(log_softmax(logits), log_softmax(expected), atol=1e-4)
    return imported.architecture


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize(("size", "classes"), [((18, 14, 1), 101), ((15, 22, 3), 2)])
def test_a_residual_network_gives_the_logits_of_pytorch(exporter: str, size, classes: int, tmp_path: Path):
    height, width, channels = size
    module = shaken(Network(channels, height, width, classes))
    architecture = compare(module, size, tmp_path / "m.onnx", exporter)
    assert "hidden" in [layer.name for layer in architecture.layers]
    assert architecture.layers[-1].activation == "softmax"


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("size", [(28, 28, 1), (19, 26, 3)])
def test_paddings_on_both_sides_give_the_logits_of_pytorch(exporter: str, size, tmp_path: Path):
    compare(shaken(pooling_network(size[2], 5)), size, tmp_path / "m.onnx", exporter)


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_activations_give_the_logits_of_pytorch(exporter: str, tmp_path: Path):
    architecture = compare(shaken(activation_network(1, 4)), (14, 12, 1), tmp_path / "m.onnx", exporter)
    own = [layer.activation for layer in architecture.layers if getattr(layer, "activation", "linear") != "linear"]
    assert own == ["relu6", "hard_silu", "silu", "elu", "relu6", "hard_silu", "selu", "hard_sigmoid"]


@pytest.mark.parametrize("exporter", EXPORTERS)
def test_learned_slopes_give_the_logits_of_pytorch(exporter: str, tmp_path: Path):
    architecture = compare(shaken(prelu_network(1, 4)), (14, 12, 1), tmp_path / "m.onnx", exporter)
    assert [layer.kind for layer in architecture.layers].count("PReLU") == 3


@pytest.mark.parametrize("exporter", ["torchscript", "torchscript, as it is", "dynamo", "opset 13"])
def test_normalizations_give_the_logits_of_pytorch(exporter: str, tmp_path: Path):
    # Before opset 17, ONNX has no layer normalisation, so it is written in single operations.
    architecture = compare(shaken(normalizing_network(1, 4)), (14, 12, 1), tmp_path / "m.onnx", exporter)
    kinds = [layer.kind for layer in architecture.layers if "LayerN" in layer.kind or "GroupN" in layer.kind]
    assert kinds == ["LayerNormalization", "GroupNormalization", "GroupNormalization", "LayerNormalization"]
