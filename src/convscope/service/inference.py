"""Answer inference requests of the Open Inference Protocol v2, from the request's bytes to the answer's.

Source: the Open Inference Protocol (KServe), REST.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from convscope.base.deadline import check_deadline
from convscope.base.metrics import softmax
from convscope.service.answers import encode_answer
from convscope.service.refusal import RequestRefusedError, describe_errors
from convscope.service.schemas import InferRequest, OutputName
from convscope.service.served import Served
from convscope.service.tensors import read_images, write_tensor

_BATCH = 256  # images that are classified between two checks of the deadline
_SPARE_VALUES = 1000  # values of a request's JSON besides its pixels: names, shapes and parameters


def list_outputs(served: Served) -> tuple[OutputName, ...]:
    """List the names of the model's outputs, in their order."""
    names: tuple[OutputName, ...] = ("logits", "probabilities", "calibrated_probabilities", "label", "none_of_these")
    return names if served.rule is not None else names[:-1]


def infer(served: Served, body: bytes, max_images: int) -> bytes:
    """Answer a request for inference with JSON.

    Raises:
        RequestRefusedError: for a body that does not fit the protocol or the model.
    """
    image_shape = served.model.architecture.input.shape
    max_values = max_images * int(np.prod(image_shape))  # such as 256 · 784 for images of 28 × 28 × 1
    request = _parse_request(body, max_values)
    names = _check_output_names(request, served)
    images = read_images(request.inputs[0].shape, request.inputs[0].data, image_shape, max_images)
    arrays = _compute_outputs(served, images, set(names))
    outputs = [write_tensor(name, arrays[name]) for name in names]
    answer = {"model_name": served.name, "model_version": served.version, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    return encode_answer(answer)


def _parse_request(text: bytes, max_values: int) -> InferRequest:
    """Parse and check the JSON of a request."""
    # Parsed, a value of one byte takes some hundred bytes of memory. Commas, of which [1,2,3] has two, are counted
    # before parsing, and bound the number of values.
    if (commas := text.count(b",")) > max_values + _SPARE_VALUES:
        raise RequestRefusedError(
            413, f"the JSON holds {commas:,} values or more, and the limit is {max_values:,} pixels"
        )
    try:
        return InferRequest.model_validate_json(text)
    except ValidationError as error:  # described without the input, which may be all of the body
        raise RequestRefusedError(
            400, describe_errors(error.errors(include_url=False, include_context=False, include_input=False))
        ) from None


def _check_output_names(request: InferRequest, served: Served) -> Sequence[OutputName]:
    """Check the names of the requested outputs, and return them; without any, return all that the model has."""
    known = list_outputs(served)
    names: list[OutputName] = []
    for output in request.outputs or ():
        if output.name not in known:
            raise RequestRefusedError(
                400, f"model {served.name!r} has no output {output.name!r}; it has {', '.join(known)}"
            )
        if output.name in names:
            raise RequestRefusedError(400, f"output {output.name!r} is requested twice")
        names.append(output.name)
    return names or known


def _compute_outputs(served: Served, images: NDArray[np.uint8], wanted: set[OutputName]) -> dict[str, NDArray[Any]]:
    """Compute the wanted outputs of images (N, H, W, C): (N, K) float32, or (N,) int64 or bool."""
    model, rule = served.model, served.rule
    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    logits = np.concatenate([_call_in_time(model.logits, batch) for batch in batches])
    temperature = float(model.calibration.get("temperature", 1.0))
    # Each output as a function, so that those that are not wanted cost nothing.
    functions: dict[OutputName, Callable[[], NDArray[Any]]] = {
        "logits": lambda: logits.astype(np.float32),
        "probabilities": lambda: softmax(logits).astype(np.float32),
        "calibrated_probabilities": lambda: softmax(logits.astype(np.float64) / temperature).astype(np.float32),
        "label": lambda: logits.argmax(axis=1).astype(np.int64),
    }
    arrays: dict[str, NDArray[Any]] = {name: compute() for name, compute in functions.items() if name in wanted}
    if rule is not None and "none_of_these" in wanted:
        arrays["none_of_these"] = np.concatenate(
            [_call_in_time(partial(rule.refuses, model), batch) for batch in batches]
        )
    return arrays


def _call_in_time(function: Callable[[NDArray[np.uint8]], NDArray[Any]], images: NDArray[np.uint8]) -> NDArray[Any]:
    check_deadline()
    return function(images)
