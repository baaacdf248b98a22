"""The formats that a model can be written in, and how each is written and run again.

A format's own packages are imported only when it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_fields, checked
from convscope.base.errors import InterchangeError
from convscope.data.datasets import Dataset, evenly
from convscope.storage import load_model, write_model
from convscope.training.model import Model

Dtype = Literal["float32", "float16", "int8"]
DTYPES: tuple[Dtype, ...] = get_args(Dtype)


class Runner(Protocol):
    """An exported file, opened in a program that runs it."""

    @property
    def runtime(self) -> str:
        """What runs it, with its version."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (N, K) for images (N, H, W, C)."""


@dataclass(frozen=True, eq=False)
class ExportOptions:
    """How a model is written.

    Attributes:
        dtype: of the weights and the arithmetic; `int8` needs `calibration_images`.
        calibration_images: (N, H, W, C) uint8, training images by which int8 chooses its ranges.
        opset: of ONNX; by default one that current runtimes accept.
    """

    dtype: Dtype = "float32"
    calibration_images: NDArray[np.uint8] | None = None
    opset: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ExportFormat:
    """One format, written and opened by `write_NAME` and `open_NAME` of a module that is imported when it is used.

    Attributes:
        suffix: of its files.
        dtypes: the types it knows.
        module: in the package `convscope.interchange`.
        options: the fields of `ExportOptions` that its writer takes.
    """

    name: str
    suffix: str
    dtypes: tuple[Dtype, ...]
    module: str
    options: tuple[str, ...] = ()

    def file_name(self, dtype: Dtype) -> str:
        """Return the name of the file: "model.onnx", "model-int8.onnx"."""
        return f"model{'' if dtype == 'float32' else f'-{dtype}'}{self.suffix}"

    def write(self, model: Model, path: Path, options: ExportOptions) -> None:
        """Write `model` to `path`; `export_model` checks the options before."""
        stated = {name: value for name in self.options if (value := getattr(options, name)) is not None}
        getattr(self._import(), f"write_{self.name}")(model, path, **stated)

    def open(self, path: Path) -> Runner:
        """Open the file at `path` in the program that runs it."""
        runner: Runner = getattr(self._import(), f"open_{self.name}")(path)
        return runner

    def _import(self) -> ModuleType:
        return import_module(f"convscope.interchange.{self.module}")


def calibration_images(dataset: Dataset, count: int) -> NDArray[np.uint8]:
    """Return at most `count` images of `dataset`, evenly spaced, (n, H, W, C), by which int8 chooses its ranges."""
    return np.ascontiguousarray(dataset.images[evenly(len(dataset), count)])


@checked
def export_model(model: Model, path: Path | str, format: str, options: ExportOptions | None = None) -> None:
    """Write `model` to `path` in one of `FORMATS`, whole or not at all.

    Raises:
        InterchangeError: if the format is unknown, does not have the type, or is int8 without calibration images.
        ConvscopeError: if a package is missing, or the file cannot be written.
    """
    options = options or ExportOptions()
    if format not in FORMATS:
        raise InterchangeError(f"format is {format!r}; it must be one of {', '.join(FORMATS)}")
    chosen = FORMATS[format]
    if options.dtype not in chosen.dtypes:
        raise InterchangeError(
            f"format {format} has no {options.dtype}; it has {', '.join(chosen.dtypes)}; choose another format or type"
        )
    if options.dtype == "int8" and options.calibration_images is None:
        raise InterchangeError(f"{format} in int8 needs calibration images; give some training images")
    if format != "onnx" and options.opset is not None:
        raise InterchangeError(f"opset is for ONNX only, not for {format}")
    chosen.write(model, Path(path), options)


@dataclass(frozen=True, eq=False)
class _Native:
    """A safetensors file, opened again by convscope itself."""

    model: Model
    runtime: str = "convscope"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.model.logits(images)


def write_safetensors(model: Model, path: Path) -> None:
    """Write convscope's own format."""
    write_model(model, path)


def open_safetensors(path: Path) -> _Native:
    """Open a file of convscope's own format."""
    return _Native(load_model(path))


FORMATS: Mapping[str, ExportFormat] = {
    form.name: form
    for form in (
        ExportFormat("safetensors", ".safetensors", ("float32",), "formats"),
        ExportFormat("keras", ".keras", ("float32",), "keras_export"),
        ExportFormat(
            "onnx",
            ".onnx",
            DTYPES,
            "onnx_files",
            ("dtype", "opset", "calibration_images"),
        ),
        ExportFormat("tflite", ".tflite", DTYPES, "tflite", ("dtype", "calibration_images")),
        ExportFormat("torch", ".pt2", ("float32",), "torch_export"),
        ExportFormat("c", ".h", ("float32", "int8"), "c_header", ("dtype", "calibration_images")),
    )
}
