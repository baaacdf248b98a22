"""Classify pictures (h, w, C) uint8 of any size, each prepared as the model's training images were.

A photo of 480 × 640 pixels, with a dark digit on paper, becomes an image of 28 × 28 with a light digit in its middle,
as MNIST's are. The model classifies that image, and its rule may refuse it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.errors import RunError
from convscope.base.records import Recorded, from_attributes
from convscope.base.tables import clip, confidence_text, html_table, text_table
from convscope.data.handwriting import LARGEST_FACTOR, Handwriting, Hint, Picture, Prepared, Stage, Step, prepare
from convscope.evidence.explanation.attributions import Method, attribute
from convscope.evidence.rejection import RejectionRule
from convscope.prediction.preparation import is_as_made, preparation_of
from convscope.prediction.records import Answer, PredictionRecord
from convscope.training.model import Model
from convscope.training.views import Views

_BATCH_IMAGES = 1024  # keeps memory bounded
_ALL_STEPS = Handwriting("light", 1).steps  # all steps that are taken without a request
_rules = WeakKeyDictionary[Model, RejectionRule]()  # to convert a rule from JSON takes longer than a prediction


@dataclass(frozen=True, eq=False)
class Prediction(Recorded):
    """The prediction for a picture, and how the picture became an image.

    Attributes:
        file: the picture's name.
        answer: the class with the largest probability, of equal ones the first.
        runner_up: the class with the second largest.
        probabilities: (K,) float64.
        is_calibrated: whether a temperature was fitted to this model; if not, probabilities may be too high or low.
        none_of_these: whether the image is refused: by the model's own rule, or because it has no ink; None if there is
            ink and the model has no rule.
        size: (h, w) of the picture.
        prepared: the image, the picture after each step, and hints at what may be wrong with it.
        is_as_made: whether the picture already looked like the model's images, and was left unchanged.
        is_assumed: whether the preparation is a guess, since the model does not state its own.
    """

    file: str
    answer: Answer
    runner_up: Answer
    probabilities: NDArray[np.float64] = field(repr=False)
    is_calibrated: bool
    none_of_these: bool | None
    size: tuple[int, int]
    prepared: Prepared = field(repr=False)
    is_as_made: bool
    is_assumed: bool

    @property
    def label(self) -> int:
        return self.answer.label

    @property
    def class_name(self) -> str:
        return self.answer.class_name

    @property
    def probability(self) -> float:
        return self.answer.probability

    @property
    def hints(self) -> tuple[Hint, ...]:
        return self.prepared.hints

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that were taken, in their order."""
        return tuple(stage.name for stage in self.prepared.stages[1:] if stage.is_taken)

    @property
    def done(self) -> str:
        """The preparation of the picture in words: "480 × 640 → 28 × 28, without centre", for example.

        If more than half of the usual steps are left out, those that were taken are listed instead, as in "only light".
        """
        if self.is_as_made:
            return "as it is"
        height, width = self.prepared.image.shape[:2]
        words = [f"{self.size[0]} × {self.size[1]} → {height} × {width}"]
        if "inverted" in self.hints and "polarity" in self.steps:
            words.append("inverted")
        if not self.steps:
            return ", ".join([*words, "only resized"])
        left_out = [step for step in _ALL_STEPS if step not in self.steps]
        if len(left_out) <= len(_ALL_STEPS) // 2:
            more = [step for step in self.steps if step not in _ALL_STEPS]
            words += ["all steps"] if not left_out else [f"without {', '.join(left_out)}"]
            words += [f"with {', '.join(more)}"] if more else []
        else:
            words.append(f"only {', '.join(self.steps)}")
        return ", ".join(words)

    def to_record(self) -> PredictionRecord:
        """Convert the prediction to a record without pictures."""
        return from_attributes(PredictionRecord, self, clipped=self.prepared.clipped)

    def __str__(self) -> str:
        return text_table(("Picture", clip(self.file, 64)), self._facts(), left=2)

    def _repr_html_(self) -> str:
        return html_table(("Picture", clip(self.file, 64)), self._facts(), left=2)

    def _facts(self) -> list[tuple[str, str]]:
        rejection = {
            True: "none of these",
            False: "accepted by the model's rejection rule",
            None: "not tested: the model has no rejection rule",
        }
        return [
            ("answer", _format_prediction(self.answer)),
            ("runner-up", _format_prediction(self.runner_up)),
            ("probabilities", "calibrated" if self.is_calibrated else "not calibrated"),
            ("rejection", rejection[self.none_of_these]),
            ("done", self.done),
            *([("hints", ", ".join(self.hints))] if self.hints else []),
        ]


@checked
def predict(
    model: Model,
    pictures: Sequence[Picture],
    *,
    names: Sequence[str] | None = None,
    steps: Collection[Step] | None = None,
    sizes: Sequence[tuple[int, int]] | None = None,
    views: Views = 1,
) -> tuple[Prediction, ...]:
    """Classify pictures (h, w), (h, w, 1) or (h, w, 3) uint8 of any sizes, prepared as the model's images were.

    A picture that already looks like these images is left unchanged, unless `steps` are given.

    Args:
        names: the names of the pictures; by default "picture 1" and so on.
        steps: those of `convscope.data.handwriting.STEPS` that are taken; by default those of the model's data set.
        sizes: (h, w) of each picture before it was averaged down to `reading_side`; by default its size now.
        views: 5 or 9 average the probabilities of the image and of its shifts by one pixel (test-time augmentation);
            see `Model.logits`. The model's rejection rule looks at the image alone.

    Raises:
        ValueError: for a picture of another form, an unknown step, another number of names or sizes, or `views` that
            are not 1, 5 or 9.
        RunError: if the rejection rule in the model's file is damaged or belongs to another network.

    >>> from convscope.architecture import presets
    >>> from convscope.engine import initial_weights
    >>> network = presets.cnn((28, 28, 1), 10)
    >>> model = Model(network, initial_weights(network, 0), tuple("0123456789"))
    >>> (prediction,) = predict(model, [np.full((480, 640), 255, np.uint8)], names=["paper.png"])
    >>> prediction.file, prediction.size, prediction.prepared.image.shape, prediction.none_of_these
    ('paper.png', (480, 640), (28, 28, 1), None)
    """
    for word, values in (("names", names), ("sizes", sizes)):
        if values is not None and len(values) != len(pictures):
            raise ValueError(f"there are {len(values)} {word} for {len(pictures)} pictures; give one per picture")
    picture_names = [f"picture {index + 1}" for index in range(len(pictures))] if names is None else list(names)
    predictions = list[Prediction]()
    for start in range(0, len(pictures), _BATCH_IMAGES):
        part = slice(start, start + _BATCH_IMAGES)
        prepared = [prepare_picture(model, picture, steps) for picture in pictures[part]]
        part_sizes = [picture.shape[:2] for picture in pictures[part]] if sizes is None else sizes[part]
        predictions += _classify(model, prepared, picture_names[part], part_sizes, views)
    return tuple(predictions)


def predict_images(model: Model, images: NDArray[np.uint8], names: Sequence[str]) -> list[Prediction]:
    """Classify images (N, H, W, C) that already are like the training images, without preparing them."""
    prepared = [PreparedPicture(_leave_unchanged(image), True) for image in images]
    return _classify(model, prepared, names, [image.shape[:2] for image in images], 1)


def _classify(
    model: Model,
    pictures: "Sequence[PreparedPicture]",
    names: Sequence[str],
    sizes: Sequence[tuple[int, ...]],
    views: Views,
) -> list[Prediction]:
    images = np.stack([picture.prepared.image for picture in pictures])
    probabilities, refused = model.calibrated_probabilities(images, views), _apply_rejection(model, images)
    predictions = list[Prediction]()
    for index, picture in enumerate(pictures):
        answer, runner_up = _find_best_two(model, probabilities[index])
        height, width = sizes[index]
        predictions.append(
            Prediction(
                file=names[index],
                answer=answer,
                runner_up=runner_up,
                probabilities=probabilities[index],
                is_calibrated="temperature" in model.calibration,
                none_of_these=True if "empty" in picture.prepared.hints else refused[index],
                size=(height, width),
                prepared=picture.prepared,
                is_as_made=picture.is_as_made,
                is_assumed=preparation_of(model).is_assumed,
            )
        )
    return predictions


class PreparedPicture(NamedTuple):
    """A picture as an image of a model.

    Attributes:
        is_as_made: whether it already looked like the model's images, and was left unchanged.
    """

    prepared: Prepared
    is_as_made: bool


def prepare_picture(model: Model, picture: Picture, steps: Collection[Step] | None = None) -> PreparedPicture:
    """Convert a picture to an image of `model`; one that already looks like its images would only lose by it.

    Raises:
        ValueError: for a picture of another form, or an unknown step.
    """
    handwriting, image = preparation_of(model).handwriting, model.architecture.input
    shape = image.height, image.width, image.channels
    if ready := _find_ready_image(picture, shape, handwriting, steps):
        return PreparedPicture(ready, True)
    return PreparedPicture(prepare(picture, *shape, handwriting, steps), False)


def reading_side(model: Model) -> int:
    """Compute the pixels to which `predict` first averages down the longer side of a larger picture."""
    return LARGEST_FACTOR * max(model.architecture.input.height, model.architecture.input.width)


def _find_ready_image(
    picture: NDArray[np.uint8], shape: tuple[int, int, int], handwriting: Handwriting, steps: Collection[Step] | None
) -> Prepared | None:
    """Take a picture that already looks like the data set's images; None if it has to be prepared."""
    pixels = picture[..., np.newaxis] if picture.ndim == 2 else picture
    # If the user names steps, they are taken.
    if steps is not None or pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[:2] != shape[:2]:
        return None
    if shape[2] == 1 and pixels.shape[2] == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., :1]  # grey that was saved in colours
    if not is_as_made(pixels, shape, handwriting):
        return None
    return _leave_unchanged(np.array(np.broadcast_to(pixels, shape)))


def _leave_unchanged(image: NDArray[np.uint8]) -> Prepared:
    return Prepared(image, (Stage("picture", True, image),), (), 0.0)


def _find_best_two(model: Model, probabilities: NDArray[np.float64]) -> tuple[Answer, Answer]:
    order = np.argsort(-probabilities, kind="stable")  # of equal ones the first, as argmax
    best, second = (Answer(int(label), model.class_names[label], float(probabilities[label])) for label in order[:2])
    return best, second


def _apply_rejection(model: Model, images: NDArray[np.uint8]) -> list[bool] | list[None]:
    """Decide for each image whether the model's rule refuses it; all None if it has no rule."""
    value = model.calibration.get("rejection")
    if value is None:
        return [None] * len(images)
    try:
        if model not in _rules:
            _rules[model] = RejectionRule.from_dict(value)
        return [bool(is_refused) for is_refused in _rules[model].refuses(model, images)]
    except (RunError, ValueError) as error:
        raise RunError(
            f"the model's rejection rule cannot be used ({error}); run `convscope report RUN rejection` again"
        ) from error


def _format_prediction(answer: Answer) -> str:
    return f"{clip(answer.class_name, 40)} ({confidence_text(answer.probability)})"


METHOD: Method = "integrated_gradients"
"""The attribution that orders pixels best, and whose sum is the answer's logit minus that of an empty image; see
docs/methods/attributions.md."""

_ATTRIBUTION_BATCH_IMAGES = 64  # keeps the memory of gradients bounded


def map_predictions(model: Model, predictions: Sequence[Prediction], *, method: Method = METHOD) -> NDArray[np.float64]:
    """Attribute the logit of each prediction to the pixels of its prepared image, (N, H, W) float64.

    Pixels above zero support the predicted class, those below zero oppose it, compared with an empty image. It says
    which pixels this prediction depends on, not why the network is as it is.

    Raises:
        ValueError: as `convscope.evidence.explanation.attributions.attribute` does.
    """
    image = model.architecture.input
    # The empty image, from which the attribution starts: paper without ink.
    background = 0 if preparation_of(model).handwriting.ink == "light" else 255
    maps = np.empty((len(predictions), image.height, image.width))
    for start in range(0, len(predictions), _ATTRIBUTION_BATCH_IMAGES):
        batch = predictions[start : start + _ATTRIBUTION_BATCH_IMAGES]
        images = np.stack([prediction.prepared.image for prediction in batch])
        labels = np.array([prediction.label for prediction in batch])
        maps[start : start + _ATTRIBUTION_BATCH_IMAGES] = attribute(
            model, images, labels, method, background=background
        )
    return maps
