"""Export models to PyTorch: as modules to train further (`to_torch`), or as a program in a file (`write_torch`).

`open_torch` runs the file in PyTorch, to compare it with the model.
"""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture.table import get_source_name
from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, first_line
from convscope.base.files import write_bytes
from convscope.base.versions import require
from convscope.export.runner import FileRunner
from convscope.training.model import Model

if TYPE_CHECKING:
    from torch import nn

CLASS_NAMES = "class_names.json"
"""The extra file within a program that lists the class names."""


@checked
def to_torch(model: Model) -> "nn.Sequential":
    """Convert `model` to an `nn.Sequential` of PyTorch's modules with copies of its weights, in evaluation mode.

    It takes images (N, H, W, C), 0 to 255, uint8 or float, and gives logits (N, K), those of `Model.logits` within
    1e-5. The first child, `input`, scales the images and moves the channels first. Each layer is the child of its name
    (`conv2d` is an `nn.Conv2d`), with further modules before and after it (`conv2d_padding`, `conv2d_relu`). Flatten
    keeps our order, row, column, channel, so the weights of a dense layer are ours transposed. After `train()`, batch
    normalisation updates PyTorch's running variance, which is m / (m - 1) times ours in each step. If layers read
    earlier ones, the result is a `Residual`, an `nn.Sequential` that also passes earlier outputs on.

    >>> network = to_torch(model)  # doctest: +SKIP
    >>> network.conv2d.weight.shape  # doctest: +SKIP
    torch.Size([16, 1, 3, 3])

    Raises:
        MissingPackageError: if PyTorch is not installed.
    """
    torch = require("torch", "PyTorch", "torch", "torch")
    with torch.random.fork_rng(devices=[]):  # modules draw initial weights; the caller's random state must not change
        return _build_network(model)


def write_torch(model: Model, path: Path) -> None:
    """Write `model` to `path` (usually `.pt2`) as a program of `torch.export`, whole or not at all.

    It takes images (N, H, W, C) uint8 for any N and gives a dictionary of `logits` and `probabilities`, (N, K) float32.
    PyTorch since 2.9 opens it: `torch.export.load(path).module()(images)`. The class names are in its extra file
    `class_names.json`. It holds no path of this machine.

    Raises:
        ConvscopeError: if PyTorch is not installed, or `path` cannot be written.
    """
    torch = require("torch", "PyTorch", "torch", "torch")
    from convscope.export.torch_modules import Answers

    # Two images, because the exporter takes a size of 1 for fixed.
    images = torch.zeros((2, *model.architecture.input.shape), dtype=torch.uint8)
    answers = Answers(to_torch(model)).eval().requires_grad_(False)
    shapes = {"images": {0: torch.export.Dim("N", min=1)}}
    program = torch.export.export(answers, (images,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names files of this machine
    program.example_inputs = None  # they would be stored as a pickle
    content = io.BytesIO()
    names = json.dumps(list(model.class_names), ensure_ascii=False)
    torch.export.save(program, content, extra_files={CLASS_NAMES: names})
    write_bytes(path, content.getvalue())


def open_torch(path: Path) -> FileRunner:
    """Open a program that `write_torch` wrote, in PyTorch.

    PyTorch runs what some files of this kind hold: open only programs that you wrote, or whose writer you trust.

    Raises:
        MissingPackageError: if PyTorch is not installed.
        ConvscopeError: if PyTorch cannot read the file.
    """
    torch = require("torch", "PyTorch", "torch", "torch")
    try:
        module = torch.export.load(path).module()
    except Exception as error:  # PyTorch raises whatever its parsers meet
        raise ConvscopeError(f"{path}: PyTorch cannot read it ({first_line(error)}); export the model again") from error

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = module(torch.tensor(images))["logits"].numpy()
        return logits

    return FileRunner(f"PyTorch {torch.__version__}", run)


def _build_network(model: Model) -> Any:
    from torch import nn

    from convscope.export.torch_modules import JOINING, Images, Residual, layer_modules

    architecture = model.architecture
    network: Any = Residual() if architecture.read_again else nn.Sequential()
    network.add_module("input", Images(architecture.input.scale, architecture.input.offset))
    # Of all layers and modules, so that no module after the layer `conv2d` takes the name of a layer `conv2d_relu`.
    names = {layer.name for layer in architecture.layers}
    outputs = {"input": "input"}  # the child that gives the output of each layer, by the layer's name
    for row in architecture.table:
        layer = row.layer
        prefix = f"{layer.name}/"
        weights = {name.removeprefix(prefix): value for name, value in model.weights.items() if name.startswith(prefix)}
        if source := get_source_name(layer):
            outputs[layer.name] = _add_child(network, layer.name, JOINING[layer.kind](outputs[source]))
        for part, module in layer_modules(row, weights):
            name = f"{layer.name}_{part}" if part else layer.name
            while part and name in names:
                name += "_"
            names.add(name)
            outputs[layer.name] = _add_child(network, name, module)
    return network.eval()


def _add_child(network: Any, name: str, module: Any) -> str:
    """Append `module` as the child `name` and return its name, extended by underscores if it is taken."""
    while hasattr(network, name):  # also by attributes of nn.Module, such as `forward`
        name += "_"
    network.add_module(name, module)
    return name
