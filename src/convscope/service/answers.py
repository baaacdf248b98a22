"""Answer pictures: from the bytes of an image file to JSON with the prediction, its steps and attribution."""

import json
from base64 import b64encode
from collections.abc import Sequence
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
from convscope.prediction import Prediction, map_predictions, predict, preparation_of, reading_side
from convscope.prediction.strings import read_strings
from convscope.service.refusal import RequestRefusedError
from convscope.service.schemas import PictureQuery, StringsQuery
from convscope.service.served import Served

EXPLAINED_DIGITS = 16
"""The most digits of a picture that are explained, as an explanation takes about 40 kB of the answer."""

_NAME = "the picture"  # in error messages, as a request has no file name
_DIGITS = 6  # significant digits of an attribution's values; float32 has seven


def answer_picture(served: Served, content: bytes, query: PictureQuery, most_pixels: int) -> bytes:
    """Answer the picture in `content`, an image file, with JSON.

    Raises:
        RequestRefusedError: if it has more than `most_pixels`, or the query does not fit the model.
        ImageFileError: if it is no picture, damaged, or of an unsupported format.
    """
    picture, size = _read(content, most_pixels, reading_side(served.model))
    steps = _choose_steps(served, query)
    (prediction,) = predict(served.model, [picture], names=[""], steps=steps, sizes=[size])
    # As `convscope predict --json` prints it; there, `file` is the path of the picture.
    answer = _identify(served) | prediction.to_dict() | {"file": None}
    if query.explain:
        answer |= _explain(served, [prediction], query.method)[0]
    return encode_answer(answer)


def answer_strings(served: Served, content: bytes, query: StringsQuery, most_pixels: int) -> bytes:
    """Read all characters in the picture in `content`, an image file, and answer with JSON.

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
    answer = _identify(served) | reading.to_dict() | {"file": None}
    if query.explain:
        predictions = [digit.prediction for digit in reading.digits[:EXPLAINED_DIGITS]]
        explained = _explain(served, predictions, query.method)
        for digit, explanation in zip(answer["digits"], explained, strict=False):  # later digits have no explanation
            digit.update(explanation)
    return encode_answer(answer)


def reads_strings(served: Served) -> bool:
    """True if each image of the model holds one centred character."""
    return preparation_of(served.model).handwriting.centre


def _identify(served: Served) -> dict[str, Any]:
    return {"model": served.name, "version": served.version}


def _read(content: bytes, most_pixels: int, longest: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Read the picture, reduced so that no side is much longer than `longest`, and its size in the file."""
    # The size is checked before decoding: a file of some kB can hold a picture that fills the memory.
    height, width = picture_size(content, _NAME)
    if height * width > most_pixels:
        raise RequestRefusedError(
            413, f"the picture has {height:,} × {width:,} pixels (height × width); {most_pixels:,} are allowed"
        )
    return read_reduced(content, _NAME, longest)


def _choose_steps(served: Served, query: PictureQuery) -> list[Step] | None:
    """Choose the steps of preparation; None for the model's own."""
    if not query.without:
        return list(query.steps) or None
    steps = query.steps or preparation_of(served.model).handwriting.steps
    return [step for step in steps if step not in query.without]


def _draw_stage(stage: Stage) -> dict[str, Any]:
    check_deadline()
    height, width = stage.pixels.shape[:2]
    return {"name": stage.name, "on": stage.is_taken, "size": [height, width], "picture": _encode_png(stage.pixels)}


def _explain(served: Served, predictions: Sequence[Prediction], method: Method) -> list[dict[str, Any]]:
    """Draw the picture after each step, and the attribution, of each prediction."""
    explanations = []
    maps = map_predictions(served.model, predictions, method=method)
    for prediction, values in zip(predictions, maps, strict=True):
        stages = [_draw_stage(stage) for stage in prediction.prepared.stages]
        attribution = {
            "method": method,
            "label": prediction.label,
            "values": [[float(f"{value:.{_DIGITS}g}") for value in row] for row in values.tolist()],
            "picture": _encode_png(_paint(values)),
        }
        explanations.append({"stages": stages, "attribution": attribution})
    return explanations


def _paint(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Paint values as RGBA (H, W, 4): orange above zero, blue below, more transparent near zero."""
    pixels = np.empty((*values.shape, 4), np.uint8)
    pixels[..., :3] = np.where((values < 0)[..., np.newaxis], BLUE, ORANGE)
    largest = np.abs(values).max()
    # The last channel is the opacity: 255 for the largest value.
    pixels[..., 3] = np.rint(255 * np.abs(values) / largest) if largest > 0 else 0
    return pixels


def _encode_png(pixels: NDArray[np.uint8]) -> str:
    """Encode pixels (H, W, 1, 3 or 4) as PNG in base64; of any other number of channels the first is shown."""
    shown = pixels if pixels.shape[2] in (3, 4) else pixels[..., 0]
    return b64encode(encode_png(shown, compress_level=1)).decode()  # the fastest compression


def encode_answer(answer: dict[str, Any]) -> bytes:
    """Encode an answer as JSON; raises `RequestRefusedError` if it holds numbers that are not finite."""
    # NaN is not JSON, and most clients could not parse it.
    try:
        return json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise RequestRefusedError(
            500, "the model's answer is not a finite number: its training diverged; train it again"
        ) from None
