"""The formats that a model can be written in, and how each is written and run again.

A format's own packages are imported only when it is used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
        fold: whether normalisations become part of the weights before them. ONNX only.
        layer_outputs: whether every layer's output is one of the file. ONNX only.
        opset: of ONNX; by default one that current runtimes accept.
    """

    dtype: Dtype = "float32"
    calibration_images: NDArray[np.uint8] | None = None
    fold: bool = True
    layer_outputs: bool = False
    opset: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ExportFormat:
    """One format: its name, the suffix of its files, the types it knows, and the functions that write and open it."""

    name: str
    suffix: str
    dtypes: tuple[Dtype, ...]
    write: Callable[[Model, Path, ExportOptions], None]
    open: Callable[[Path], Runner]

    def file_name(self, dtype: Dtype) -> str:
        """Return the name of the file: "model.onnx", "model-int8.onnx"."""
        return f"model{'' if dtype == 'float32' else f'-{dtype}'}{self.suffix}"


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
    if format != "onnx" and (options.layer_outputs or not options.fold or options.opset is not None):
        raise InterchangeError(f"fold, layer outputs and opset are for ONNX only, not for {format}")
    chosen.write(model, Path(path), options)


def _write_keras(model: Model, path: Path, _: ExportOptions) -> None:
    from convscope.interchange.keras_export import write_keras

    write_keras(model, path)


def _open_keras(path: Path) -> Runner:
    from convscope.interchange.keras_export import open_keras

    return open_keras(path)


def _write_onnx(model: Model, path: Path, options: ExportOptions) -> None:
    from convscope.interchange.onnx_files import write_onnx

    opset = {} if options.opset is None else {"opset": options.opset}
    write_onnx(
        model,
        path,
        dtype=options.dtype,
        fold=options.fold,
        layer_outputs=options.layer_outputs,
        calibration_images=options.calibration_images,
        **opset,
    )


def _open_onnx(path: Path) -> Runner:
    from convscope.interchange.onnx_files import open_onnx

    return open_onnx(path)


def _write_tflite(model: Model, path: Path, options: ExportOptions) -> None:
    from convscope.interchange.tflite import write_tflite

    write_tflite(model, path, dtype=options.dtype, calibration_images=options.calibration_images)


def _open_tflite(path: Path) -> Runner:
    from convscope.interchange.tflite import open_tflite

    return open_tflite(path)


def _write_torch(model: Model, path: Path, _: ExportOptions) -> None:
    from convscope.interchange.torch_export import write_torch

    write_torch(model, path)


def _open_torch(path: Path) -> Runner:
    from convscope.interchange.torch_export import open_torch

    return open_torch(path)


def _write_c(model: Model, path: Path, options: ExportOptions) -> None:
    from convscope.interchange.c_header import write_c

    dtype = options.dtype
    assert dtype != "float16"
    write_c(model, path, dtype=dtype, calibration_images=options.calibration_images)


def _open_c(path: Path) -> Runner:
    from convscope.interchange.c_header import open_c

    return open_c(path)


@dataclass(frozen=True, eq=False)
class _Native:
    """A safetensors file, opened again by convscope itself."""

    model: Model
    runtime: str = "convscope"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.model.logits(images)


FORMATS: Mapping[str, ExportFormat] = {
    one.name: one
    for one in (
        ExportFormat(
            "safetensors",
            ".safetensors",
            ("float32",),
            lambda model, path, _: write_model(model, path),
            lambda path: _Native(load_model(path)),
        ),
        ExportFormat("keras", ".keras", ("float32",), _write_keras, _open_keras),
        ExportFormat("onnx", ".onnx", DTYPES, _write_onnx, _open_onnx),
        ExportFormat("tflite", ".tflite", DTYPES, _write_tflite, _open_tflite),
        ExportFormat("torch", ".pt2", ("float32",), _write_torch, _open_torch),
        ExportFormat("c", ".h", ("float32", "int8"), _write_c, _open_c),
    )
}
