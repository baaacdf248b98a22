"""Write a model as a C header. With the prefix `net`, and in the order of `_format_header`:

    /* how to use it, provenance */
    #define NET_HEIGHT 28, ...                          sizes
    static const char *const net_class_names[10] = ...
    typedef struct {...} net_scratch;                   working memory, which the caller provides
    static inline void net_conv2d(...)                  each C function that a step calls, once
    static const float net_conv2d_kernel[72] = ...      weights, named after the layers
    static inline void net_logits(...)                  a call for each step
    net_probabilities, net_predict, net_self_test       from predictions.c

Until the prefix is known, all names begin with PREFIX.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.base.files import write_text
from convscope.engine.network import check_images
from convscope.export.c_header.c_text import (
    LINE_LENGTH,
    CArray,
    StepText,
    format_array,
    format_comment,
    format_string,
    read_function,
    replace_prefix,
    wrap_items,
)
from convscope.export.c_header.float32_calls import format_float32_steps
from convscope.export.c_header.int8_calls import format_int8_steps
from convscope.export.c_header.memory import WorkingMemory, plan_memory
from convscope.export.c_header.packing import make_int8_function
from convscope.export.c_header.quantization import quantize
from convscope.export.c_header.simulation import measure_deviation, simulate
from convscope.export.c_header.steps import WRITES_LOGITS, ComputedStep, plan_steps
from convscope.export.formats import MAX_NAME_LETTERS, MAX_SELF_TEST_IMAGES, check_calibration, check_prefix
from convscope.export.records import Difference
from convscope.training.model import Model

CType = Literal["float32", "int8"]
MAX_SELF_TEST_BYTES = 2**17
MAX_STACK_BYTES = 2048  # GCC and Clang take 80 to 1,300, on x86, AArch64 and Cortex-M, from -O0 to -O3
_SELF_TEST = (
    "Define PREFIX_SELF_TEST before you include it, and PREFIX_self_test(&scratch) computes a few test images on the "
    "device. It returns how many of them do not give the expected label and logits: 0 if all is well."
)


def write_c(
    model: Model,
    path: Path,
    *,
    dtype: CType = "float32",
    calibration_images: NDArray[np.uint8] | None = None,
    prefix: str | None = None,
    test_images: NDArray[np.uint8] | None = None,
    float_layers: Sequence[str] = (),
) -> None:
    """Write `model` to `path` as one header of plain C99 (and C++17) that needs nothing but a C library.

    It gives `PREFIX_logits`, `PREFIX_probabilities`, `PREFIX_predict`, `PREFIX_class_names` and, with test images,
    `PREFIX_self_test`; docs/c_header.md shows their use. The same model and images give the same bytes on one kind of
    processor: the file states logits of the native engine, or differences to them, whose last digits depend on it.

    Args:
        dtype: "float32" computes as the model does; "int8" in integers, with a quarter of the memory.
        calibration_images: (N, H, W, C) uint8, for int8 alone: training images, at least two. The first, third, ...
            choose the ranges of the integers; on the others the logits are compared with the model's, and the file
            states the largest difference. 1,000 are enough for MNIST.
        prefix: before every name in the file; the architecture's name by default.
        test_images: (N, H, W, C) uint8 for the self-test: the first of them, at most 10 and 128 KiB. The file holds
            them behind a macro; without them it has no self-test.
        float_layers: for int8, the layers whose weights and sums stay float32.

    Raises:
        ValueError: if `prefix` cannot begin a name in C.
        ConvscopeError: if a weight is not finite, or the file cannot be written.
    """
    prefix = _make_prefix(model.name) if prefix is None else prefix
    check_prefix(prefix)
    check_calibration(model, dtype, calibration_images)
    images = calibration_images if dtype == "int8" else None
    if images is None:
        text = _format_float32(model, test_images)
    else:
        text = _format_int8(model, images, test_images, float_layers)
    write_text(path, replace_prefix(text, prefix))


def _make_prefix(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()  # ü becomes u
    prefix = "_".join(re.findall("[a-z0-9]+", letters))
    prefix = prefix if prefix[:1].isalpha() else f"model_{prefix}"
    return prefix[:MAX_NAME_LETTERS].rstrip("_")


def _format_float32(model: Model, tested: NDArray[np.uint8] | None) -> str:
    steps = plan_steps(model)
    memory = _plan_memory(model, steps)
    parts = format_float32_steps(steps, model.architecture.input, memory)
    arithmetic = ["All arithmetic is float32, in the order that each function states."]
    return _format_header(
        model, "float32", parts, memory, arithmetic, _format_self_test(model, tested, model.logits, 1e-4)
    )


def _format_int8(
    model: Model, images: NDArray[np.uint8], tested: NDArray[np.uint8] | None, float_layers: Sequence[str]
) -> str:
    # Images that chose the ranges would show too small a deviation, so it is measured on the others.
    range_images, test_images = images[::2], images[1::2]
    network = quantize(model, range_images, plan_steps(model, float_layers))
    deviation = measure_deviation(model, network, test_images)
    memory = _plan_memory(model, tuple(quantized.step for quantized in network.steps))
    bits = {quantized.bits for quantized in network.steps if quantized.kernel is not None}
    # Float sums may be rounded in another way on the device, and an integer after them is off by one then.
    self_test = _format_self_test(model, tested, partial(simulate, network), 0.1 if 32 in bits else 0.0)
    text = _describe_int8(deviation, len(images), bits)
    return _format_header(model, "int8", format_int8_steps(network, memory), memory, text, self_test, deviation)


def _plan_memory(model: Model, steps: tuple[ComputedStep, ...]) -> WorkingMemory:
    writes_logits = bool(steps) and steps[-1].kind in WRITES_LOGITS
    return plan_memory(steps, prod(model.architecture.input.shape), keep_last=not writes_logits)


def _describe_int8(deviation: Difference, num_images: int, bits: set[int]) -> list[str]:
    largest, count = f"{deviation.largest:.6g}", num_images // 2
    kinds = "Weights and values are 8-bit integers"
    if bits - {8, 32}:
        kinds = f"Weights are integers of {' or '.join(map(str, sorted(bits - {32})))} bits, values of 8"
    if 32 in bits:
        kinds += ", but for layers with float weights and sums"
    return [
        f"{kinds}; sums have 32 bits, logits are float. No sum can overflow: the exporter has checked each of them "
        "for the worst image.",
        f"The ranges come from {num_images - count} images. On {count} other images, the largest logit difference to "
        f"the model was {largest}, and {deviation.num_changed} predictions changed. Stated bound for images like "
        f"these: {2 * deviation.largest:.6g}, twice the largest difference. The probability that the next such image "
        f"exceeds even {largest} is at most 1 in {count + 1}. Other kinds of images may differ more.",
    ]


def _format_header(
    model: Model,
    dtype: CType,
    parts: list[StepText],
    memory: WorkingMemory,
    arithmetic: list[str],
    self_test: list[str],
    deviation: Difference | None = None,
) -> str:
    """Write the whole C file: comment, constants, functions, weights, and the function that computes the logits.

    Args:
        parts: the arrays, functions and calls of each step.
        arithmetic: paragraphs of the opening comment on the number types.
        self_test: the lines of the self-test, or none.
        deviation: the measured error of an int8 file.
    """
    architecture = model.architecture
    arrays = [array for part in parts for array in part.arrays]
    functions = dict.fromkeys(function for part in parts for function in part.functions)  # each once, as first needed
    value_type, value_bytes = ("float", 4) if dtype == "float32" else ("int8_t", 1)
    # Rounded up to a multiple of 4 bytes, ⌈bytes / 4⌉ · 4, so that the compiler adds no padding to the struct.
    num_values = -(-memory.size * value_bytes // 4) * 4 // value_bytes
    macros: dict[str, int | str] = {
        "HEIGHT": architecture.input.height,
        "WIDTH": architecture.input.width,
        "CHANNELS": architecture.input.channels,
        "CLASSES": architecture.num_classes,
        "SCRATCH_BYTES": num_values * value_bytes + 4 * architecture.num_classes,  # values and float logits
        "WEIGHT_BYTES": sum(array.num_bytes for array in arrays),
        "MACS": architecture.macs,
    }
    if deviation is not None:
        macros["LOGIT_BOUND"] = f"{2 * deviation.largest:.9e}f"
    names = [format_string(name) for name in model.class_names]
    lines = [
        *_format_opening(model, dtype, macros, [*arithmetic, _SELF_TEST] if self_test else arithmetic),
        "#ifndef PREFIX_H",
        "#define PREFIX_H",
        "",
        "#include <math.h>",
        "#include <stdint.h>",
        "",
        *(f"#define PREFIX_{name} {value}" for name, value in macros.items()),
        "",
        f"static const char *const PREFIX_class_names[{len(names)}] = {{",
        *wrap_items(names, "    ", "    ", "};"),
        "",
        "/* Working memory: the values of a few layers at a time, and the logits of PREFIX_predict. */",
        "typedef struct {",
        "    float logits[PREFIX_CLASSES];",
        f"    {value_type} values[{num_values}];",
        "} PREFIX_scratch;",
        "",
        *(make_int8_function(name) if dtype == "int8" else read_function(dtype, name) for name in functions),
        *(format_array(array) + "\n" for array in arrays),
        "/* Compute the logits, PREFIX_CLASSES numbers, of an image: PREFIX_HEIGHT x PREFIX_WIDTH x PREFIX_CHANNELS",
        "   bytes in the order row, column, channel. */",
        "static inline void PREFIX_logits(const uint8_t *image, float *logits, PREFIX_scratch *scratch)",
        "{",
        f"    {value_type} *const values = scratch->values;",
        *(line for part in parts for line in (f"    /* {part.comment} */", *part.calls)),
        "}",
        "",
        read_function("predictions", "predictions"),
        *self_test,
        "#endif",
        "",
    ]
    return "\n".join(lines)


def _format_self_test(
    model: Model, images: NDArray[np.uint8] | None, compute: Callable[[NDArray[np.uint8]], Any], tolerance: float
) -> list[str]:
    """Format the self-test of images: their logits by `compute`, and a tolerance relative to the largest of them."""
    if images is None:
        return []
    check_images(images, model.architecture.input.shape)
    images = images[: max(1, min(MAX_SELF_TEST_IMAGES, MAX_SELF_TEST_BYTES // prod(images.shape[1:])))]
    logits = compute(images)
    return [
        "#ifdef PREFIX_SELF_TEST",
        f"#define PREFIX_SELF_TEST_IMAGES {len(images)}",
        f"#define PREFIX_SELF_TEST_TOLERANCE {tolerance * float(np.abs(logits).max()):.9e}f",
        *(format_array(CArray(f"self_test_{name}", array)) for name, array in (("images", images), ("logits", logits))),
        "",
        read_function("predictions", "self_test") + "#endif",
        "",
    ]


def _format_opening(model: Model, dtype: CType, macros: Mapping[str, int | str], arithmetic: list[str]) -> list[str]:
    paragraphs = [
        "Include it in one source file; every function and constant in it is static. It allocates no memory and keeps "
        f"no state: the caller provides the working memory. It takes {macros['WEIGHT_BYTES']:,} bytes of flash for "
        f"constants, without code, {macros['SCRATCH_BYTES']:,} bytes of working memory, and less than "
        f"{MAX_STACK_BYTES:,} bytes of stack, on which no function has an array.",
        *arithmetic,
    ]
    return [
        f"/* The forward pass of a convolutional network in C99, {dtype}, as convscope exports it.",
        "",
        "       static PREFIX_scratch scratch;",
        "       int32_t label = PREFIX_predict(image, &scratch);",
        "       const char *name = PREFIX_class_names[label];",
        *(line for paragraph in paragraphs for line in ("", *_wrap_paragraph(paragraph))),
        "",
        f"   SHA-256 of the model's weights: {model.weights_sha256}",
        *(line for item in model.provenance.items() if len(line := _format_origin(*item)) <= LINE_LENGTH),
        "*/",
    ]


def _format_origin(key: str, value: Any) -> str:
    """Format an entry of the provenance as a line of the comment; of a recipe only its name."""
    if isinstance(value, Mapping) and "name" in value:
        value = value["name"]
    return f"   {format_comment({key: value})[1:-1]}"  # without { and }


def _wrap_paragraph(paragraph: str) -> list[str]:
    return wrap(paragraph, LINE_LENGTH, initial_indent="   ", subsequent_indent="   ", break_long_words=False)
