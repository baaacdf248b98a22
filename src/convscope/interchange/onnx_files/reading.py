"""Read an ONNX file of any program as layers."""

from pathlib import Path
from typing import Any

from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.engine.network import check_weights
from convscope.interchange.imported import Imported
from convscope.interchange.onnx_files.declared import declared_architecture, declared_class_names, renamed
from convscope.interchange.onnx_files.protos import read_proto
from convscope.interchange.onnx_files.translation.assembly import assemble
from convscope.interchange.onnx_files.translation.steps import NotTranslated
from convscope.interchange.onnx_files.translation.walk import Translated, translate
from convscope.interchange.onnx_files.versions import READ_OPSETS

_DEFAULT_SCALE = 1 / 255
_SCALES_BYTES = 1 / 64
"""A file that multiplies its input by less reads bytes: numbers from 0 to 1 would all but vanish."""


def read_onnx(
    path: Path | str,
    *,
    image_shape: tuple[int, int, int] | None = None,
    scale: float | None = None,
    offset: float | None = None,
) -> Imported:
    """Return the network in the ONNX file at `path` as layers and weights of ours.

    Nothing in the file is run and no other file is opened. docs/onnx.md lists the operators that are read.

    Args:
        image_shape: (H, W, C), where the file leaves the size of its images open or takes them as vectors.
        scale: with `offset`, how a byte of an image becomes a number that the file reads: `byte * scale + offset`. By
            default the file's input if that is bytes, and otherwise byte / 255, unless the file itself divides by so
            much; a note says what was assumed.
        offset: by default 0.

    Raises:
        InterchangeError: if the file is missing, damaged, too large, or computes what no layers do: every such node is
            named with what would be needed.
        ConvscopeError: if `onnx` is not installed.
    """
    path = Path(path)
    proto = read_proto(path)
    try:
        return _imported(proto, image_shape, scale, offset)
    except InterchangeError as error:
        raise InterchangeError(f"{path}: {error}") from error
    except (ArchitectureError, NotTranslated) as error:
        raise InterchangeError(f"{path}: cannot be converted to layers: {error}") from error


def _imported(
    proto: Any, image_shape: tuple[int, int, int] | None, scale: float | None, offset: float | None
) -> Imported:
    if any(function.domain in ("", "ai.onnx") for function in proto.functions):
        raise InterchangeError("it defines its own ONNX operators; export it again without functions")
    translated = translate(proto, _opset(proto), image_shape)
    notes = list(translated.notes)
    scale, offset = _bytes_as_numbers(translated, scale, offset, notes)
    architecture, weights = assemble(translated.state, translated.end, scale, offset)
    try:
        check_weights(architecture, weights)
    except ValueError as error:
        raise InterchangeError(f"{error}; use another copy") from error
    properties = {each.key: each.value for each in proto.metadata_props}
    declared = declared_architecture(properties, architecture)
    if declared is not None:
        weights, architecture = renamed(weights, architecture, declared), declared
    elif "convscope_version" in properties:
        notes.append("written with folded layers, which are kept as they are in the file")
    names = declared_class_names(properties, architecture.num_classes)
    return Imported(architecture, weights, tuple(notes), names, _program(proto))


def _program(proto: Any) -> str:
    """Return which program wrote the file, as far as it says so."""
    writer = " ".join(filter(None, (proto.producer_name, proto.producer_version)))
    return f"{writer[:40]} (ONNX)" if writer else "ONNX"


def _opset(proto: Any) -> int:
    """Return the version of ONNX's own operators."""
    versions = [each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in READ_OPSETS:
        raise InterchangeError(
            f"its opset is {versions}; one from {READ_OPSETS[0]} to {READ_OPSETS[-1]} is needed: export it again"
        )
    return int(versions[0])


def _bytes_as_numbers(
    translated: Translated, scale: float | None, offset: float | None, notes: list[str]
) -> tuple[float, float]:
    """Return how a byte becomes what the file reads, and note what was assumed."""
    if scale is not None or offset is not None:
        return (1.0 if scale is None else scale), (0.0 if offset is None else offset)
    step = translated.end.step
    while step.before is not None:
        step = step.before
    if translated.is_bytes:
        return 1.0, 0.0
    if abs(float(step.weights["scale"])) <= _SCALES_BYTES:
        notes.append("it scales its input itself, so the input is taken as bytes from 0 to 255")
        return 1.0, 0.0
    notes.append("it does not say how bytes are scaled: byte / 255 is assumed; give scale and offset if it differs")
    return _DEFAULT_SCALE, 0.0
