"""Inference by the Open Inference Protocol v2: `infer` takes a request's bytes to the bytes of its answer.

Source: the Open Inference Protocol (KServe), REST, and its binary tensor data extension.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from convscope.base.deadline import check_deadline
from convscope.base.metrics import softmax
from convscope.service.refusal import RequestRefusedError, described_errors
from convscope.service.schemas import InferRequest, OutputName
from convscope.service.served import Served
from convscope.service.tensors import read_images, write_tensor

Arrays = Mapping[str, NDArray[Any]]

_BATCH = 256  # images that are answered between two looks at the deadline
_SPARE_VALUES = 1000  # in the JSON of a request, besides pixels


@dataclass(frozen=True)
class Inferred:
    """An answer ready to be sent: the JSON, then `len(body) - json_bytes` raw bytes of tensors.

    Attributes:
        num_images: that were answered.
        num_rejected: how many of them are of none of the classes; 0 for a model without a rule.
    """

    body: bytes
    json_bytes: int
    num_images: int
    num_rejected: int

    @property
    def is_binary(self) -> bool:
        return len(self.body) != self.json_bytes


def output_names(served: Served) -> tuple[OutputName, ...]:
    """Return the names of all that the model can answer with, in the order in which it does."""
    names: tuple[OutputName, ...] = ("logits", "probabilities", "calibrated_probabilities", "label", "none_of_these")
    return names if served.rule is not None else names[:-1]


def infer(served: Served, body: bytes, json_bytes: int | None, most_images: int) -> Inferred:
    """Answer a request for inference.

    Args:
        json_bytes: how many of the body's bytes are JSON, if raw tensors follow it; None if all are.

    Raises:
        RequestRefusedError: for a body that is not as the protocol or the model wants it.
    """
    if json_bytes is not None and not 0 < json_bytes <= len(body):
        raise RequestRefusedError(
            400, f"Inference-Header-Content-Length is {json_bytes}; the body has {len(body):,} bytes"
        )
    image_shape = served.model.architecture.input.shape
    text, raw = body[:json_bytes], body[len(body) if json_bytes is None else json_bytes :]
    request = _parse(text, most_images * int(np.prod(image_shape)))
    tensor = request.inputs[0]
    size = tensor.parameters.get("binary_data_size")
    if size is None and raw:
        raise RequestRefusedError(400, f"{len(raw):,} bytes follow the JSON, but the input has no binary_data_size")
    if size is not None and (tensor.data is not None or not isinstance(size, int) or size != len(raw)):
        raise RequestRefusedError(
            400, f"binary_data_size is {size!r}; {len(raw):,} bytes follow the JSON, and data must be left out"
        )
    if size is None and tensor.data is None:
        raise RequestRefusedError(400, "the input has neither data nor binary_data_size")
    wanted = _wanted(request, served)
    data = raw if tensor.data is None else tensor.data
    images = read_images(tensor.shape, tensor.datatype, data, image_shape, most_images)
    arrays = _compute(served, images, set(wanted))
    tensors, parts = [], [b""]
    for name, binary in wanted.items():
        tensor_json, part = write_tensor(name, arrays[name], binary=binary)
        tensors.append(tensor_json)
        parts.append(part)
    answer = {"model_name": served.name, "model_version": served.version, "outputs": tensors}
    if request.id is not None:
        answer["id"] = request.id
    try:
        parts[0] = json.dumps(answer, allow_nan=False).encode()
    except ValueError:
        raise RequestRefusedError(500, "the model's output is not a finite number; training diverged") from None
    rejected = int(arrays["none_of_these"].sum()) if "none_of_these" in arrays else 0
    return Inferred(b"".join(parts), len(parts[0]), len(images), rejected)


def _parse(text: bytes, most_pixels: int) -> InferRequest:
    """Return the JSON as a checked value. So few commas bound the memory that it can take once it is read."""
    if (commas := text.count(b",")) > most_pixels + _SPARE_VALUES:
        raise RequestRefusedError(413, f"the JSON holds {commas:,} values or more; {most_pixels:,} pixels are allowed")
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:
        raise RequestRefusedError(
            400, described_errors(error.errors(include_url=False, include_context=False, include_input=False))
        ) from None


def _wanted(request: InferRequest, served: Served) -> dict[OutputName, bool]:
    """Return the outputs to give, each with whether it is wanted as raw bytes."""
    usual = request.parameters.get("binary_data_output", False)
    known = output_names(served)
    if not request.outputs:
        return dict.fromkeys(known, usual is True)
    wanted = dict[OutputName, bool]()
    for output in request.outputs:
        if output.name not in known:
            raise RequestRefusedError(
                400, f"model {served.name!r} has no output {output.name!r}; it has {', '.join(known)}"
            )
        if output.name in wanted:
            raise RequestRefusedError(400, f"output {output.name!r} is asked for twice")
        wanted[output.name] = output.parameters.get("binary_data", usual) is True
    return wanted


def _compute(served: Served, images: NDArray[np.uint8], wanted: set[OutputName]) -> dict[str, NDArray[Any]]:
    """Return the wanted outputs of images (N, H, W, C): (N, K) float32, or (N,) int64 or bool."""
    model, rule = served.model, served.rule
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    logits = np.concatenate([_checked(model.logits, batch) for batch in batches])
    temperature = float(model.calibration.get("temperature", 1.0))
    made: dict[OutputName, Callable[[], NDArray[Any]]] = {
        "logits": lambda: logits.astype(np.float32),
        "probabilities": lambda: softmax(logits).astype(np.float32),
        "calibrated_probabilities": lambda: softmax(logits.astype(np.float64) / temperature).astype(np.float32),
        "label": lambda: logits.argmax(axis=1).astype(np.int64),
    }
    arrays: dict[str, NDArray[Any]] = {name: make() for name, make in made.items() if name in wanted}
    if rule is not None and "none_of_these" in wanted:
        arrays["none_of_these"] = np.concatenate([_checked(partial(rule.refuses, model), batch) for batch in batches])
    return arrays


def _checked(function: Callable[[NDArray[np.uint8]], NDArray[Any]], images: NDArray[np.uint8]) -> NDArray[Any]:
    check_deadline()
    return function(images)
