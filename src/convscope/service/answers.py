"""Answers to pictures: `answer_picture` takes the bytes of an image file to JSON with steps and attribution."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline
from convscope.base.palette import BLUE, ORANGE
from convscope.base.png import encode_png
from convscope.data.handwriting import Stage, Step
from convscope.data.handwriting.segments import LONGEST_SIDE
from convscope.data.image_files import picture_size, read_reduced
from convscope.evidence.explanation import Method
from convscope.prediction import Prediction, answer_maps, predict, preparation_of, reading_side
from convscope.prediction.strings import read_strings
from convscope.service.refusal import RequestRefusedError
from convscope.service.schemas import Asked, AskedOfStrings
from convscope.service.served import Served

EXPLAINED_DIGITS = 16
"""Of a picture with more, the first so many are explained; an explanation takes some 40 kB."""

_NAME = "the picture"  # in reasons: it comes without a name
_DIGITS = 6  # of an attribution's values that are worth sending


@dataclass(frozen=True)
class Answered:
    """An answer as JSON; the numbers are of images that were answered, and of those that are of none of the classes."""

    body: bytes
    num_images: int
    num_rejected: int


def answer_picture(served: Served, content: bytes, query: Asked, most_pixels: int) -> Answered:
    """Answer the picture in `content`, an image file.

    Raises:
        RequestRefusedError: if it has more than `most_pixels`, or asks for steps or a method that the model
            does not allow.
        ImageFileError: if it is no picture, damaged, or of a format that is not read.
    """
    picture, size = _read(content, most_pixels, reading_side(served.model))
    steps = _steps(served, query)
    (prediction,) = predict(served.model, [picture], names=[""], steps=steps, sizes=[size])
    answer = _head(served) | prediction.to_dict() | {"file": None}
    if query.explain:
        answer |= _explain(served, [prediction], query.method)[0]
    return Answered(encode_answer(answer), 1, int(prediction.none_of_these is True))


def answer_strings(served: Served, content: bytes, query: AskedOfStrings, most_pixels: int) -> Answered:
    """Read all that is written in the picture in `content`, an image file.

    Raises:
        RequestRefusedError: as `answer_picture` does, or if the model's images are not one centred character each.
        ImageFileError: as `answer_picture` does.
    """
    if not reads_strings(served):
        raise RequestRefusedError(
            400, f"model {served.name!r} does not classify single characters, so it cannot read strings"
        )
    picture, size = _read(content, most_pixels, LONGEST_SIDE)
    reading = read_strings(served.model, picture, name="", size=size)
    answer = _head(served) | reading.to_dict() | {"file": None}
    predictions = [digit.prediction for digit in reading.digits]
    if query.explain:
        explained = _explain(served, predictions[:EXPLAINED_DIGITS], query.method)
        for digit, more in zip(answer["digits"], explained, strict=False):  # the later ones are not explained
            digit.update(more)
    return Answered(
        encode_answer(answer), len(predictions), sum(prediction.none_of_these is True for prediction in predictions)
    )


def reads_strings(served: Served) -> bool:
    """Whether the model's images hold one centred character each."""
    return preparation_of(served.model).handwriting.centre


def _head(served: Served) -> dict[str, Any]:
    return {"model": served.name, "version": served.version}


def _read(content: bytes, most_pixels: int, longest: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the picture and its size, which is looked at before it is decoded; see `read_reduced` for `longest`."""
    height, width = picture_size(content, _NAME)
    if height * width > most_pixels:
        raise RequestRefusedError(
            413,
            f"the picture has {height:,} × {width:,} pixels (height × width); {most_pixels:,} are allowed",
        )
    return read_reduced(content, _NAME, longest)


def _steps(served: Served, query: Asked) -> list[Step] | None:
    """Return the steps to take, or None for the model's own."""
    if not query.without:
        return list(query.steps) or None
    steps = query.steps or preparation_of(served.model).handwriting.steps
    return [step for step in steps if step not in query.without]


def _stage(stage: Stage) -> dict[str, Any]:
    check_deadline()
    height, width = stage.pixels.shape[:2]
    return {"name": stage.name, "on": stage.on, "size": [height, width], "picture": _png(stage.pixels)}


def _explain(served: Served, predictions: Sequence[Prediction], method: Method) -> list[dict[str, Any]]:
    """Return of each prediction the picture after each step, and what the answer rests on."""
    maps = answer_maps(served.model, predictions, method=method)
    return [
        {
            "stages": [_stage(stage) for stage in prediction.prepared.stages],
            "attribution": {
                "method": method,
                "label": prediction.label,
                "values": [[float(f"{value:.{_DIGITS}g}") for value in row] for row in values.tolist()],
                "picture": _png(_paint(values)),
            },
        }
        for prediction, values in zip(predictions, maps, strict=True)
    ]


def _paint(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return (H, W, 4): orange above zero, blue below, and the more transparent the nearer to zero."""
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where((values < 0)[..., np.newaxis], BLUE, ORANGE)
    largest = np.abs(values).max()
    pixels[..., 3] = np.rint(255 * np.abs(values) / largest) if largest > 0 else 0
    return pixels


def _png(pixels: NDArray[np.uint8]) -> str:
    """Return (h, w, 1, 3 or 4) as a PNG in base64; of any other number of channels the first is shown."""
    shown = pixels if pixels.shape[2] in (3, 4) else pixels[..., 0]
    return b64encode(encode_png(shown, compress_level=1)).decode()


def encode_answer(answer: dict[str, Any]) -> bytes:
    """Encode an answer as JSON; raises `RequestRefusedError` if it holds numbers that are not finite."""
    try:
        return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise RequestRefusedError(
            500, "the model's answer is not a finite number: its training diverged; train it again"
        ) from None
