"""Read several characters in a picture line by line, and cut them apart where they touch.

`convscope.data.handwriting.segments` finds ink and more cuts than are needed. Here the model classifies every span that
may be a character, and the spans that cost least together are the result.

Source: LeCun, Bottou, Bengio and Haffner 1998, section V (heuristic over-segmentation and the best path), with
weights found as in their section VI, by making correct paths likelier than all others.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.averaging import average
from convscope.base.errors import ConvscopeError
from convscope.base.metrics import softmax
from convscope.data.handwriting import Handwriting, Picture, Step, prepare
from convscope.data.handwriting.segments import Blob, Segments, find_segments
from convscope.evidence.rejection import RejectionRule
from convscope.prediction.prediction import Prediction, predict
from convscope.prediction.preparation import preparation_of
from convscope.prediction.strings.lattice import Lattice, Span, cut_out, find_cheapest, make_lattice
from convscope.prediction.strings.result import Notice, ReadCharacter, StringReading, join_names
from convscope.training.model import Model

MAX_SPANS = 8_000
"""Limit for a picture. If there are more, blobs are classified whole and not cut."""

_SHEET_STEPS: frozenset[Step] = frozenset(("light", "ink", "specks"))  # already taken for the whole sheet
_BATCH_SPANS = 2048  # spans whose pictures are in memory at once
_MAX_SURPRISE = 3.0  # -log of a probability: below 5 %, all spans are equally unlikely
_USUAL_LOGIT = 12.0  # the largest logit, at the model's temperature, of a typical digit of MNIST

_MAX_MARK_HEIGHT = 0.4  # share of the usual height: a lower span that is refused is a dash, a comma or a dot

WEIGHTS = {
    "one": 4.09,
    "surprise": 3.94,
    "refused": 0.41,
    "weak": 3.69,
    "width": 1.95,
    "width squared": 2.27,
    "very wide": 3.79,
    "height": -7.65,
    "low": 3.34,
    "gaps": -2.38,
    "blobs": -0.41,
    "cut": 1.41,
}
"""The cost of a span is the sum of these times its measures; see `measure_spans`.

Fitted to 250 photographed strings of five training digits of MNIST, each touching the one before with a chance of 0.15,
as read by `cnn` trained by `classic`, so that paths with the correct text become likelier than all others.
"""


@checked
def read_strings(
    model: Model, picture: Picture, *, name: str | None = None, size: tuple[int, int] | None = None
) -> StringReading:
    """Read the characters in a picture (h, w), (h, w, 1) or (h, w, 3) uint8, line by line.

    Args:
        name: the name of the picture in the result.
        size: (h, w) of the picture before it was averaged down to `LONGEST_SIDE` of
            `convscope.data.handwriting.segments`; by default its size now. Boxes are in its pixels.

    Raises:
        ConvscopeError: if the model's images are not one centred character each, as those of Fashion-MNIST are not.
        ValueError: for a picture of another form.
        RunError: if the rejection rule in the model's file is damaged.
    """
    handwriting = preparation_of(model).handwriting
    if not handwriting.centre:
        raise ConvscopeError(
            f"the images of {model.name} do not hold one centred character each, so characters cannot be separated; "
            "cut the picture into characters and classify them one by one"
        )
    size = (picture.shape[0], picture.shape[1]) if size is None else size
    segments, characters, is_cut = _find_characters(model, handwriting, find_segments(picture))
    conditions: dict[Notice, bool] = {
        "no ink": not segments.lines,
        "too many": segments.num_left_out > 0,
        "not cut": not is_cut,
    }
    file = "picture" if name is None else name
    pictures = [_shrink(cut_out(span, lattice, segments), model) for lattice, span in characters]
    predictions = predict(model, pictures, names=[file] * len(pictures), steps=_list_steps(handwriting))
    # A line of marks alone gets no entry, so the lines of the result are numbered anew.
    by_line: dict[int, list[tuple[Span, Prediction]]] = {}
    for (_, span), prediction in zip(characters, predictions, strict=True):
        if not _is_mark(span, prediction, segments.height):
            by_line.setdefault(span.line, []).append((span, prediction))
    lines = tuple(join_names([prediction.class_name for _, prediction in line]) for line in by_line.values())
    digits = tuple(
        ReadCharacter(_scale_box(span, segments, size), number, prediction)
        for number, line in enumerate(by_line.values())
        for span, prediction in line
    )
    notices = tuple(notice for notice, applies in conditions.items() if applies)
    return StringReading(file, lines, digits, size, segments.num_specks, segments.num_rules, notices)


def _find_characters(
    model: Model, handwriting: Handwriting, segments: Segments
) -> tuple[Segments, list[tuple[Lattice, Span]], bool]:
    """Find the spans that are characters, each with the lattice of its line.

    Returns:
        The segments that the spans are of, the spans, and whether blobs could be cut.
    """
    lattices, num_spans = list[Lattice](), 0
    for line in range(len(segments.lines)):
        # One span above the limit is enough to know that there are too many.
        lattices.append(make_lattice(segments, line, max_spans=MAX_SPANS + 1 - num_spans))
        num_spans += len(lattices[-1].spans)
        if num_spans > MAX_SPANS:  # then each blob is one span, and there is nothing to choose from
            segments = _join_parts(segments)
            lattices = [make_lattice(segments, line, merge=False) for line in range(len(segments.lines))]
            return segments, [(lattice, span) for lattice in lattices for span in lattice.spans], False
    return segments, _choose_spans(model, handwriting, segments, lattices), True


def _choose_spans(
    model: Model, handwriting: Handwriting, segments: Segments, lattices: Sequence[Lattice]
) -> list[tuple[Lattice, Span]]:
    """Choose the spans that cover each line at the lowest cost; pictures of the others are not kept in memory."""
    candidates = [(lattice, span) for lattice in lattices for span in lattice.spans]
    costs = np.zeros(len(candidates))
    image = model.architecture.input
    weights = np.array(list(WEIGHTS.values())[:-1])  # without "cut", which `find_cheapest` takes
    for start in range(0, len(candidates), _BATCH_SPANS):
        batch = candidates[start : start + _BATCH_SPANS]
        pictures = [_shrink(cut_out(span, lattice, segments), model) for lattice, span in batch]
        images = [
            prepare(ink, image.height, image.width, image.channels, handwriting, _list_steps(handwriting)).image
            for ink in pictures
        ]
        spans = [span for _, span in batch]
        costs[start : start + len(batch)] = measure_spans(model, np.stack(images), spans, segments.height) @ weights
    chosen, start = list[tuple[Lattice, Span]](), 0
    for lattice in lattices:  # its spans are candidates `start` to `start + len(lattice.spans) - 1`
        line_costs = costs[start : start + len(lattice.spans)].tolist()
        start += len(lattice.spans)
        chosen += [(lattice, lattice.spans[number]) for number in find_cheapest(lattice, line_costs, WEIGHTS["cut"])]
    return chosen


def measure_spans(model: Model, images: NDArray[np.uint8], spans: Sequence[Span], height: float) -> NDArray[np.float64]:
    """Measure how far each span is from one character, (N, 11): a column for each of `WEIGHTS` but the last.

    The columns stand in the order of `WEIGHTS`, from "one", the constant, to "blobs". "surprise" and "weak" are large
    where the model is unsure: by the probability of its best class, and by the logit of it, which is lower for ink that
    is like no class.

    Args:
        images: (N, H, W, C) uint8, the prepared image of each span.
        height: the usual height of a character, in the spans' pixels.

    Raises:
        RunError: if the model's rejection rule is damaged.
    """
    logits = model.logits(images).astype(np.float64) / model.calibration.get("temperature", 1.0)
    refused = np.zeros(len(images), bool)
    if (rule := model.calibration.get("rejection")) is not None:
        refused = RejectionRule.from_dict(rule).refuses(model, images)
    wide = np.array([span.width / height for span in spans])
    high = np.array([span.height / height for span in spans])
    return np.column_stack(
        [
            np.ones(len(spans)),
            np.minimum(-np.log(np.maximum(softmax(logits).max(axis=1), 1e-9)), _MAX_SURPRISE),
            refused,
            np.clip(1 - logits.max(axis=1) / _USUAL_LOGIT, -1, 1),
            wide,
            wide**2,
            np.maximum(0, wide - 1.15),  # "very wide": hardly a digit is wider than high
            high,
            np.maximum(0, 0.8 - high),  # "low"
            [span.gaps for span in spans],
            [span.num_blobs - 1 for span in spans],
        ]
    )


def _list_steps(handwriting: Handwriting) -> list[Step]:
    """List the steps that remain for a single character of a sheet."""
    return [step for step in handwriting.steps if step not in _SHEET_STEPS]


def _shrink(ink: NDArray[np.uint8], model: Model) -> NDArray[np.uint8]:
    """Convert a span's ink to dark ink on white (h, w, 1), its longer side at most four times that of an image.

    The steps of `prepare` for a span take time with its pixels, and four times the image's side is enough for them.
    """
    longest = 4 * max(model.architecture.input.height, model.architecture.input.width)
    factor = max(1.0, max(ink.shape) / longest)
    return average(255 - ink[..., None], *(max(1, round(side / factor)) for side in ink.shape))


def _join_parts(segments: Segments) -> Segments:
    """Join the parts of each blob."""
    lines = tuple(
        tuple(Blob(blob.top, blob.left, np.minimum(blob.parts, 1)) for blob in line) for line in segments.lines
    )
    return replace(segments, lines=lines)


def _is_mark(span: Span, prediction: Prediction, height: float) -> bool:
    """True for a low span that the rule refuses; without a rule, `none_of_these` is None and lowness decides."""
    return span.height < _MAX_MARK_HEIGHT * height and prediction.none_of_these is not False


def _scale_box(span: Span, segments: Segments, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Scale the box of a span to pixels of the picture."""
    down, across = (picture_side / ink_side for picture_side, ink_side in zip(size, segments.ink.shape, strict=True))
    left, top, right, bottom = span.box
    return round(left * across), round(top * down), round(right * across), round(bottom * down)
