"""The values that the page of predictions shows for a picture, with each image in an address of its own."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import average
from convscope.base.sharing import last_part
from convscope.base.tables import clip, printable
from convscope.prediction import Prediction, StringReading
from convscope.report.findings import confidence_text, percent
from convscope.report.pixels import Pixels, data_uri, image_pixels, paint, pixels_view, scale_to

PHOTO_SIDE = 640
"""Pixels of the longer side of a photo on the page; more than that is averaged away."""

_STAGE_SIDE, _DIGIT_SIDE = 144, 56
_STRINGS_SIDE = 1600  # pixels: the longer side of a photo of many digits
_PHOTO_SHOWN = 320  # CSS pixels of its longer side; a screen of high resolution shows more of the photo's own
_MAX_BARS = 5
_JPEG_FROM = 128  # pixels of the longer side: smaller pictures are shown pixel by pixel, without loss

_STEPS = {
    "polarity": "polarity as in the data set",
    "light": "shadows and uneven light removed",
    "ink": "ink separated from paper",
    "specks": "specks removed",
    "deslant": "slant corrected",
    "crop": "cropped to the ink",
    "scale": "longer side scaled to the size in the data set",
    "contrast": "strongest ink scaled to full intensity",
    "centre": "centre of mass moved to the centre",
}
_HINTS = {
    "empty": "hardly any ink was found",
    "inverted": "the picture was inverted",
    "tiny": "the writing is small in the picture",
    "off-centre": "the writing is far from the centre",
}
_NOTICES = {
    "no ink": "nothing is written on it",
    "too many": "only the largest pieces of ink were read, because there are more than fit on a page",
    "not cut": "there is so much ink that touching characters were not separated",
}


def picture_view(
    prediction: Prediction, photo: NDArray[np.uint8], attribution: NDArray[np.float64], class_names: Sequence[str]
) -> dict[str, object]:
    """Describe a picture, its preparation steps, its prediction and the attribution (H, W) for the template."""
    limit = float(np.abs(attribution).max())
    image = prediction.prepared.image
    reads = f"{image.shape[0]} × {image.shape[1]} pixels, the input of the network"
    # The first stage is the photo, which is shown anyway. Of the others, those are shown that changed the picture.
    stages = prediction.prepared.stages if prediction.steps else ()
    steps = [
        {**_stage_picture(stage.pixels), "title": stage.name, "text": _STEPS.get(stage.name, "")}
        for before, stage in pairwise(stages[:-1])
        if stage.is_taken and not np.array_equal(before.pixels, stage.pixels)
    ]
    for last in stages[-1:]:  # the last one, if there are any: shown even if it did nothing, since it gives the image
        text = _STEPS.get(last.name, "") if last.is_taken else "not applied"
        steps.append({**_stage_picture(image), "title": last.name, "text": f"{text}; {reads}"})
    height, width = prediction.size
    return {
        **_describe_prediction(prediction, class_names),
        "name": printable(last_part(prediction.file)),
        "photo": {**photo_picture(photo), "text": f"{height} × {width} pixels, the original picture"},
        "steps": steps,
        "image": None if steps else {**_stage_picture(image), "text": reads},
        "map": _add_frame(paint(attribution, "signed", -limit, limit)),
        "hints": [_HINTS.get(hint, hint) for hint in prediction.hints],
        "done": prediction.done,
        "clipped": percent(prediction.prepared.clipped, 1) if prediction.prepared.clipped >= 0.01 else "",
    }


def strings_view(
    reading: StringReading, photo: NDArray[np.uint8], attributions: NDArray[np.float64]
) -> dict[str, object]:
    """Describe a picture of several characters: a box for each, and the first n with attributions (n, H, W)."""
    height, width = photo.shape[:2]
    boxes = [
        {
            "left": left,
            "top": top,
            "width": right - left,
            "height": bottom - top,
            "name": clip(digit.prediction.class_name, 8),
            "refused": digit.prediction.none_of_these is True,
        }
        for digit in reading.digits
        for left, top, right, bottom in [digit.box]  # names its four numbers
    ]
    heights = sorted(digit.box[3] - digit.box[1] for digit in reading.digits)
    digits = []
    for digit, attribution in zip(reading.digits, attributions, strict=False):
        limit = float(np.abs(attribution).max())
        prediction, runner = digit.prediction, digit.prediction.runner_up
        digits.append(
            {
                "image": _stage_picture(prediction.prepared.image, _DIGIT_SIDE),
                "map": _add_frame(paint(attribution, "signed", -limit, limit), _DIGIT_SIDE),
                "answer": printable(prediction.class_name),
                "probability": confidence_text(prediction.probability),
                "runner_up": f"{printable(runner.class_name)}, {confidence_text(runner.probability)}",
                "refused": prediction.none_of_these is True,
            }
        )
    return {
        "name": printable(last_part(reading.file)),
        "lines": [printable(line) for line in reading.lines],
        "notices": [_NOTICES.get(notice, notice) for notice in reading.notices],
        "photo": {**photo_picture(photo, _STRINGS_SIDE), "text": f"{height} × {width} pixels, the original picture"},
        "size": (width, height),
        "boxes": boxes,
        # A name over its box is about a third as high as the characters usually are.
        "text_size": f"{0.35 * heights[len(heights) // 2]:.1f}" if heights else "1",
        "digits": digits,
        "hidden": len(reading.digits) - len(digits),
    }


def _describe_prediction(prediction: Prediction, class_names: Sequence[str]) -> dict[str, object]:
    order = np.argsort(-prediction.probabilities, kind="stable")[:_MAX_BARS].tolist()
    bars = [(class_names[label], float(prediction.probabilities[label])) for label in order]
    rest = len(prediction.probabilities) - len(order)
    return {
        "answer": printable(prediction.class_name),
        "probability": confidence_text(prediction.probability),
        "refused": prediction.none_of_these is True,
        "bars": [
            {"name": printable(name), "width": f"{100 * share:.2f}", "text": confidence_text(share)}
            for name, share in bars
        ],
        "rest": f"{rest:,} more classes, {confidence_text(max(0.0, 1 - sum(share for _, share in bars)))} together."
        if rest > 0
        else "",
    }


def photo_picture(photo: NDArray[np.uint8], max_side: int = PHOTO_SIDE) -> dict[str, object]:
    """Describe a photo for the page: an address that holds it, and its size.

    Large photos are averaged down to a longer side of `max_side` pixels and kept as JPEG, small ones enlarged by whole
    pixels and kept without loss.
    """
    from PIL import Image

    photo = _shrink(photo, max_side)
    height, width = photo.shape[:2]
    # JPEG blurs the edges of few pixels, and would be hardly smaller.
    if max(height, width) <= _JPEG_FROM:
        return _add_frame(image_pixels(photo))
    content = BytesIO()
    Image.fromarray(photo if photo.shape[2] == 3 else photo[..., 0]).save(content, "JPEG", quality=85)
    shown = min(1, _PHOTO_SHOWN / max(height, width))
    return {
        "uri": data_uri(b64encode(content.getvalue()).decode(), "jpeg"),
        "width": max(1, round(width * shown)),
        "height": max(1, round(height * shown)),
        "is_smooth": True,
    }


def _shrink(pixels: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Average a picture down until its longer side has at most `max_side` pixels."""
    height, width = pixels.shape[:2]
    scale = max_side / max(height, width)
    return pixels if scale >= 1 else average(pixels, max(1, round(height * scale)), max(1, round(width * scale)))


def _stage_picture(pixels: NDArray[np.uint8], side: int = _STAGE_SIDE) -> dict[str, object]:
    return _add_frame(image_pixels(_shrink(pixels, side)), side)


def _add_frame(pixels: Pixels, side: int = _STAGE_SIDE) -> dict[str, object]:
    """Describe an unchanged picture that the page enlarges by whole pixels."""
    return {**pixels_view(pixels, scale_to(max(pixels.shape[:2]), side)), "is_smooth": False}
