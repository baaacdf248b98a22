"""Write a model in any of the export formats, and open the file in the program that runs it.

A format's packages are imported only when it is used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_fields, checked
from convscope.base.errors import InterchangeError
from convscope.data.datasets import Dataset, evenly
from convscope.engine.network import check_images
from convscope.export.runner import FileRunner
from convscope.storage import load_model, write_model
from convscope.training.model import Model

Dtype = Literal["float32", "float16", "int8"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
_WEIGHTED = ("Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization")
_INT8 = ("dtype", "calibration_images")
MAX_SELF_TEST_IMAGES = 10
MAX_NAME_LETTERS = 24
"""Of a prefix and of a layer in C: no name then exceeds the 63 characters that every compiler of C99 tells apart."""


@dataclass(frozen=True, eq=False)
class ExportOptions:
    """Options of an export.

    Attributes:
        dtype: the type of the weights and the arithmetic; `int8` needs `calibration_images`.
        calibration_images: (N, H, W, C) uint8, training images that give the ranges of int8.
        opset: the version of the operators of ONNX; None for one that current runtimes accept.
        test_images: (N, H, W, C) uint8 for the self-test of a C header; None leaves it out.
        prefix: before every name in a C header; None for the name of the architecture.
        float_layers: layers whose weights stay float in an int8 file of ONNX or C.
    """

    dtype: Dtype = "float32"
    calibration_images: NDArray[np.uint8] | None = None
    opset: int | None = None
    test_images: NDArray[np.uint8] | None = None
    prefix: str | None = None
    float_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ExportFormat:
    """An export format: the functions `write_NAME` and `open_NAME` of a module.

    Attributes:
        suffix: the suffix of its files.
        dtypes: the types that it can write.
        module: in the package `convscope.export`, imported on first use.
        options: the fields of `ExportOptions` that its writer takes.
    """

    name: str
    suffix: str
    dtypes: tuple[Dtype, ...]
    module: str
    options: tuple[str, ...] = ()

    def file_name(self, dtype: Dtype) -> str:
        """Name the file: "model.onnx", "model-int8.onnx"."""
        return f"model{'' if dtype == 'float32' else f'-{dtype}'}{self.suffix}"

    def write(self, model: Model, path: Path, options: ExportOptions) -> None:
        """Write `model` to `path`, with options that `export_model` has checked."""
        # An option that is None is left to the writer's default.
        arguments = {name: value for name in self.options if (value := getattr(options, name)) is not None}
        getattr(self._import(), f"write_{self.name}")(model, path, **arguments)

    def open(self, path: Path) -> FileRunner:
        """Open the file at `path` in the program that runs it."""
        runner: FileRunner = getattr(self._import(), f"open_{self.name}")(path)
        return runner

    def _import(self) -> ModuleType:
        return import_module(f"convscope.export.{self.module}")


def sample_images(dataset: Dataset, count: int) -> NDArray[np.uint8]:
    """Take at most `count` evenly spaced images (n, H, W, C) of `dataset`, to calibrate int8 or to test a file."""
    return np.ascontiguousarray(dataset.images[evenly(len(dataset), count)])


def check_prefix(prefix: str) -> None:
    """Raise `InterchangeError` if `prefix` cannot begin the names in a C file."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", prefix) or len(prefix) > MAX_NAME_LETTERS:
        raise InterchangeError(
            f"prefix is {prefix!r}; it must be ASCII letters, digits and single underscores, begin with a letter and "
            f"have at most {MAX_NAME_LETTERS} characters"
        )


def check_calibration(model: Model, dtype: Dtype, images: NDArray[np.uint8] | None) -> None:
    """Raise `InterchangeError` if int8 lacks calibration images, or `ValueError` if they do not fit the model."""
    if dtype == "int8" and (images is None or len(images) < 2):
        raise InterchangeError("int8 needs calibration images, at least two; give some hundred training images")
    if images is not None:
        check_images(images, model.architecture.input.shape)


@checked
def export_model(model: Model, path: Path | str, format: str, options: ExportOptions | None = None) -> None:
    """Write `model` to `path` in one of `FORMATS`, whole or not at all.

    Raises:
        InterchangeError: if the format is unknown, does not have the type, or is int8 without calibration images.
        ValueError: if the calibration images are not those that the model reads.
        ConvscopeError: if a package is missing, or the file cannot be written.
    """
    options = options or ExportOptions()
    if format not in FORMATS:
        raise InterchangeError(f"format is {format!r}; it must be one of {', '.join(FORMATS)}")
    check_options(model, FORMATS[format], options)
    FORMATS[format].write(model, Path(path), options)


def check_options(model: Model, form: ExportFormat, options: ExportOptions) -> None:
    """Raise `InterchangeError` if `form` does not have the type or an option, or `model` not the layers in it."""
    if options.dtype not in form.dtypes:
        raise InterchangeError(
            f"format {form.name} has no {options.dtype}; it has {', '.join(form.dtypes)}; choose another format or type"
        )
    for name in ("opset", "prefix", "float_layers"):
        if getattr(options, name) not in (None, ()) and name not in form.options:
            takers = " and ".join(taker.name for taker in FORMATS.values() if name in taker.options)
            raise InterchangeError(f"`{name}` is for {takers} only; export {form.name} without it")
    if options.prefix is not None:
        check_prefix(options.prefix)
    if options.float_layers and options.dtype != "int8":
        raise InterchangeError(f"`float_layers` is for int8; in {options.dtype} no layer is in 8 bits")
    weighted = [layer.name for layer in model.architecture.layers if layer.kind in _WEIGHTED]
    for name in options.float_layers:
        if name not in weighted:
            raise InterchangeError(
                f"`float_layers`: {name!r} is no layer with weights; those are {', '.join(weighted)}"
            )


def write_safetensors(model: Model, path: Path) -> None:
    """Write convscope's own format."""
    write_model(model, path)


def open_safetensors(path: Path) -> FileRunner:
    """Open a file of convscope's own format."""
    return FileRunner("convscope", load_model(path).logits)


FORMATS: Mapping[str, ExportFormat] = {
    export_format.name: export_format
    for export_format in (
        ExportFormat("safetensors", ".safetensors", ("float32",), "formats"),  # the functions of this module, above
        ExportFormat("keras", ".keras", ("float32",), "keras"),
        ExportFormat("onnx", ".onnx", DTYPES, "onnx", (*_INT8, "float_layers", "opset")),
        ExportFormat("tflite", ".tflite", DTYPES, "tflite", _INT8),
        ExportFormat("torch", ".pt2", ("float32",), "torch"),
        ExportFormat("c", ".h", ("float32", "int8"), "c_header", (*_INT8, "float_layers", "test_images", "prefix")),
        ExportFormat("js", ".mjs", ("float32",), "javascript"),
    )
}
