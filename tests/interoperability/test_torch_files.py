"""Networks of PyTorch, from memory and as exported programs, give the logits of PyTorch."""

import io
import re
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.interoperability.test_onnx_torch import Network, activation_network, log_softmax, pooling_network, shaken
from torch import nn

import convscope as cs
from convscope.base.errors import InterchangeError

from .conftest import ARCHITECTURES


class InPlace(nn.Module):
    """A network with operators that change their input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(4, affine=False)
        self.head = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        torch.relu_(x)
        y = nn.functional.leaky_relu(x, 0.3)
        y += x
        y.mul_(2).sub_(0.5)
        return self.head(y.mean((2, 3)))


class Last(nn.Module):
    """A network that reads channels last, and normalises vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]))
        self.conv, self.norm, self.head = nn.Conv2d(3, 6, 5, 2), nn.BatchNorm1d(6), nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = ((x - self.mean) / 0.5).permute(0, 3, 1, 2)
        x = nn.functional.adaptive_max_pool2d(nn.functional.gelu(self.conv(nn.functional.pad(x, (1, 2, 0, 1)))), 1)
        return torch.softmax(self.head(self.norm(x.squeeze(-1).squeeze(-1))), dim=-1).log()


SIZE = (12, 14, 3)


def initialize_lazy_layers(module: nn.Module) -> nn.Module:
    """Return a module whose lazy layer has seen an image."""
    module(torch.zeros(2, 3, 12, 14))
    return module


MODULES = {
    "residual": lambda: Network(3, 12, 14, 5),
    "pooled": lambda: pooling_network(3, 5),
    "activated": lambda: initialize_lazy_layers(activation_network(3, 5)),
    "in place": InPlace,
    "channels last": Last,
    "vectors": lambda: nn.Sequential(nn.Linear(504, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(), nn.Linear(16, 5)),
    "slopes": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.BatchNorm2d(4), nn.PReLU(), nn.Flatten(), nn.Linear(480, 5), nn.PReLU(5)
    ),
    "a ready pooling": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((5, 4)), nn.Flatten(), nn.Linear(80, 5)
    ),
    "fully convolutional": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Dropout2d(), nn.ReLU(), nn.Conv2d(8, 5, 1), nn.AdaptiveAvgPool2d(1)
    ),
}


def make(name: str) -> nn.Module:
    torch.manual_seed(1)
    return shaken(MODULES[name]())


def compute_in_torch(name: str, module: nn.Module, images: np.ndarray) -> np.ndarray:
    inputs = torch.from_numpy(images).float() / 255
    if name != "channels last":
        inputs = inputs.permute(0, 3, 1, 2)
    if name == "vectors":
        inputs = inputs.permute(0, 2, 3, 1).flatten(1)
    with torch.no_grad():
        return module(inputs).flatten(1).numpy()


def check(name: str, model: cs.Model, module: nn.Module) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, *SIZE), dtype=np.uint8)
    expected = compute_in_torch(name, module, images)
    np.testing.assert_allclose(log_softmax(model.logits(images)), log_softmax(expected), atol=1e-4)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_in_memory_gives_the_logits_of_pytorch(name: str):
    module = make(name).train()
    model = cs.from_torch(module, SIZE, class_names=["a", "b", "c", "d", "e"], scaling=cs.Scaling())
    assert all(child.training for child in module.modules())
    assert model.class_names == ("a", "b", "c", "d", "e")
    check(name, model, module.eval())


@pytest.mark.parametrize("is_decomposed", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_a_program_gives_the_logits_of_pytorch(name: str, is_decomposed: bool, tmp_path: Path):
    module = make(name)
    shape = {"channels last": (2, *SIZE), "vectors": (2, 504)}.get(name, (2, 3, 12, 14))
    batch = ({0: torch.export.Dim("N")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(shape),), dynamic_shapes=batch)
        program = program.run_decompositions() if is_decomposed else program
        torch.export.save(program, tmp_path / "net.pt2")
    from convscope.interchange import read_network

    if is_decomposed and name == "slopes":  # a PReLU in three operators
        with pytest.raises(InterchangeError, match=r"aten\.where\.self\) is not supported"):
            read_network(tmp_path / "net.pt2", image_shape=SIZE)
        return
    network = read_network(tmp_path / "net.pt2", image_shape=SIZE)
    check(name, network.apply_scaling(cs.Scaling()).to_model(), module)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_types_are_read(dtype: torch.dtype):
    modules = make("pooled"), make("pooled").to(dtype)
    exact, rounded = (cs.from_torch(module, SIZE, scaling=cs.Scaling()) for module in modules)
    for name, weight in exact.weights.items():
        np.testing.assert_allclose(rounded.weights[name], weight, rtol=1e-2)


def test_a_convscope_model_keeps_its_logits_through_pytorch(architecture, weights, images, tmp_path: Path):
    model = cs.Model(architecture, weights, tuple(map(str, range(architecture.num_classes))))
    logits = model.logits(images)
    cs.export_model(model, tmp_path / "model.pt2", "torch")
    if architecture is ARCHITECTURES["ensemble"]:
        with pytest.raises(InterchangeError, match="logsumexp"):
            cs.import_model(tmp_path / "model.pt2")
        return
    again = cs.import_model(tmp_path / "model.pt2")
    assert again.class_names == model.class_names
    for returned in (again, cs.from_torch(cs.to_torch(model), architecture.input.shape)):
        np.testing.assert_allclose(returned.logits(images), logits, atol=1e-4)


def test_objects_that_cannot_be_exported_are_named():
    with pytest.raises(TypeError, match=r"module is .*; it must be a torch\.nn\.Module"):
        cs.from_torch(make("pooled").state_dict(), SIZE)
    with pytest.raises(
        InterchangeError, match=r"PyTorch module Sequential: PyTorch cannot export it for images of \(5, 5, 1\)"
    ):
        cs.from_torch(make("pooled"), (5, 5, 1))
    denoiser = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
    with pytest.raises(InterchangeError, match=r"3 x 12 x 14 numbers for each image.*denoiser"):
        cs.from_torch(denoiser, SIZE)
    with pytest.raises(InterchangeError, match=r"\(aten\.mish\.default\) is not supported"):
        cs.from_torch(nn.Sequential(nn.Flatten(), nn.Linear(504, 4), nn.Mish()), SIZE)


def test_other_files_of_pytorch_are_named_by_their_type(tmp_path: Path):
    module, path = make("pooled"), tmp_path / "net.pt"
    script = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), script)
    for content, message in (
        (module.state_dict(), "is a file of torch.save: weights without the network"),
        (module, r"is a file of torch.save: .* a pickled network"),
    ):
        torch.save(content, path)
        with pytest.raises(InterchangeError, match=message):
            cs.import_model(path)
        torch.save(content, path, _use_new_zipfile_serialization=False)
        with pytest.raises(InterchangeError, match=r"before 1\.6"):
            cs.import_model(path)
    path.write_bytes(script.getvalue())
    with pytest.raises(InterchangeError, match="is a TorchScript program"):
        cs.import_model(path)


def run_lines(error: Exception, network: nn.Module | None = None) -> None:
    """Run the lines of code in a message."""
    lines = re.findall("`([^`]+)`", str(error))
    assert lines
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line in lines:
            exec(line, {"torch": torch, "network": network})


def test_the_code_in_error_messages_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    network = shaken(pooling_network(1, 5))
    torch.save(network.state_dict(), "net.pt")
    with pytest.raises(InterchangeError) as caught:
        cs.import_model("net.pt", scaling=cs.Scaling())
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    expected = cs.from_torch(network, (28, 28, 1), scaling=cs.Scaling()).logits(images)
    run_lines(caught.value, pooling_network(1, 5))
    np.testing.assert_allclose(cs.import_model("net.pt2", scaling=cs.Scaling()).logits(images), expected, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network), "script.pt")
    with pytest.raises(InterchangeError) as caught:
        cs.import_model("script.pt")
    run_lines(caught.value)
    np.testing.assert_allclose(cs.import_model("net.onnx", scaling=cs.Scaling()).logits(images), expected, atol=1e-5)


def test_a_program_with_a_pickle_is_not_unpickled(tmp_path: Path):
    class Hostile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(504, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x.flatten(1))

    torch.export.save(torch.export.export(Hostile(), (torch.zeros(2, 3, 12, 14),)), tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "net.pt2") as archive:  # it has a pickle, which is not read
        assert any(name.endswith("sample_inputs/model.pt") for name in archive.namelist())
    assert cs.import_model(tmp_path / "net.pt2", scaling=cs.Scaling()).architecture.num_classes == 3
