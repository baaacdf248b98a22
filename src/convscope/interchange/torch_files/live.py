"""Convert a PyTorch module in memory to a model: PyTorch exports it to a file in memory, which is then read."""

import copy
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from convscope.base.arguments import checked
from convscope.base.errors import InterchangeError, first_line
from convscope.base.versions import require
from convscope.data.datasets import DatasetLike
from convscope.interchange.archive import Archive
from convscope.interchange.refusal import ModelFileError, prefix_errors
from convscope.interchange.scaling import Scaling
from convscope.interchange.scaling_search import with_scaling
from convscope.training.model import Model


@checked
def from_torch(
    module: Any,
    image_shape: tuple[int, int, int],
    *,
    class_names: Sequence[str] | None = None,
    output: str | None = None,
    scaling: Scaling | None = None,
    training: DatasetLike | None = None,
) -> Model:
    """Convert a `torch.nn.Module` to a model with the same predictions in evaluation mode.

    The module may read images (N, C, H, W), (N, H, W, C), (N, H, W) or (N, pixels), and does not change.

    Args:
        image_shape: (H, W, C).
        class_names: K names; the classes' numbers by default.
        output: the name of the output with a number for each class, for a module with several; without it the error
            lists them.
        scaling: how a byte becomes the number that the module reads: `Scaling()` for `ToTensor`, `Scaling(mean=mean,
            std=std)` for `Normalize(mean, std)` after it.
        training: labelled images that the module was trained on, by which `find_scaling` finds the scaling. A module
            that scales bytes itself needs neither `scaling` nor `training`.

    Raises:
        InterchangeError: if PyTorch cannot export it for such images; naming every operator that no layer can compute,
            with what would be needed; or if its scaling is unknown or unclear.
        MissingPackageError: if PyTorch is not installed.
        ValueError: if the class names are not as many as the logits, or `scaling` or `training` do not fit the module.
    """
    from convscope.interchange.torch_files.archives import ProgramArchive
    from convscope.interchange.torch_files.reading import read_program

    torch = require("torch", "PyTorch", "torch", "torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module is {module!r:.60}; it must be a torch.nn.Module")
    name = f"PyTorch module {type(module).__name__}"
    if isinstance(module, torch.jit.ScriptModule):
        height, width, channels = image_shape
        raise InterchangeError(
            f"{name}: is TorchScript, which PyTorch cannot export as a program; run `torch.onnx.export(module, "
            f"(torch.zeros(1, {channels}, {height}, {width}),), 'net.onnx', dynamo=False)` and import net.onnx"
        )
    with prefix_errors(name), warnings.catch_warnings(action="ignore"):  # the exporter warns about its own code
        content = BytesIO()
        torch.export.save(_export(torch, module, image_shape), content)
        network = read_program(ProgramArchive(Archive(content, "program")), image_shape, output)
    return with_scaling(network, scaling, training, name).to_model(class_names)


def _export(torch: Any, module: Any, image_shape: tuple[int, int, int]) -> Any:
    """Export a module for images in the first layout that it accepts."""
    height, width, channels = image_shape
    network = copy.deepcopy(module).cpu().eval()
    dtype = next((weight.dtype for weight in network.parameters() if weight.is_floating_point()), torch.float32)
    first_error: Exception | None = None
    for shape in (
        (2, channels, height, width),
        (2, height, width, channels),
        (2, height * width * channels),
        *([(2, height, width)] if channels == 1 else []),
    ):
        try:
            return torch.export.export(network, (torch.zeros(shape, dtype=dtype),))
        except Exception as error:  # PyTorch raises whatever the module raises
            first_error = first_error or error  # the first error is that of the usual layout
    assert first_error is not None
    reason = first_line(first_error)
    raise ModelFileError(f"PyTorch cannot export it for images of {image_shape}: {reason}") from first_error
