"""A model's answers to pictures: (h, w, C) uint8 of any size, each prepared as its training images were, to values."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
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

_BATCH = 1024  # images that are answered at once, so that memory stays bounded
_ALL_STEPS = Handwriting("light", 1).steps  # but for those that are only taken when asked for
_rules = WeakKeyDictionary[Model, RejectionRule]()  # reading one takes longer than an answer


@dataclass(frozen=True, eq=False)
class Prediction(Recorded):
    """What a model answers to one picture, and how the picture became an image.

    Attributes:
        file: what the picture is called.
        answer: the class with the largest probability, the first of equals.
        runner_up: the next.
        probabilities: (K,) float64.
        is_calibrated: whether the probabilities are those of a temperature fitted to this model; if not, they are
            usually too high.
        none_of_these: whether the image is refused: by the model's own rule, or because no ink was found at all; None
            if there is ink and the model has no rule.
        size: (h, w) of the picture.
        prepared: the image, the picture after each step, and what may be wrong with it.
        is_as_made: whether the picture was an image of the model's size and form already, and was left as it is.
        is_assumed: whether the model does not say how its images are made, and it was guessed.
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
        return tuple(stage.name for stage in self.prepared.stages[1:] if stage.on)

    @property
    def done(self) -> str:
        """What was done to the picture, in words."""
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
        """Return the prediction without pictures."""
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
            ("answer", _words(self.answer)),
            ("runner-up", _words(self.runner_up)),
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
    """Answer pictures (h, w), (h, w, 1) or (h, w, 3) uint8 of any sizes, each made into an image as the model's were.

    A picture that is such an image already is left as it is, unless `steps` are given.

    Args:
        names: what the pictures are called; by default "picture 1" and so on.
        steps: those of `convscope.data.handwriting.STEPS` that are taken; by default those of the model's data set.
        sizes: (h, w) of each picture before it was averaged down for `reading_side`; by default it was not.
        views: 5 or 9 average the probabilities of the image and of its shifts by one pixel (test-time augmentation);
            see `Model.logits`. The model's rule to refuse images looks at the image alone.

    Raises:
        ValueError: for a picture of another form, an unknown step, another number of names or sizes, or `views` that
            are not 1, 5 or 9.
        RunError: if the rule in the model's file by which it refuses images is damaged or of another network.

    >>> from convscope.architecture import presets
    >>> from convscope.engine import initial_weights
    >>> network = presets.cnn((28, 28, 1), 10)
    >>> model = Model(network, initial_weights(network, 0), tuple("0123456789"))
    >>> (one,) = predict(model, [np.full((480, 640), 255, np.uint8)], names=["paper.png"])
    >>> one.file, one.size, one.prepared.image.shape, one.none_of_these
    ('paper.png', (480, 640), (28, 28, 1), None)
    """
    if names is not None and len(names) != len(pictures):
        raise ValueError(f"there are {len(names)} names for {len(pictures)} pictures; give one per picture")
    if sizes is not None and len(sizes) != len(pictures):
        raise ValueError(f"there are {len(sizes)} sizes for {len(pictures)} pictures; give one per picture")
    called = [f"picture {place + 1}" for place in range(len(pictures))] if names is None else list(names)
    image, preparation = model.architecture.input, preparation_of(model)
    height, width, channels = image.height, image.width, image.channels
    found = list[Prediction]()
    for start in range(0, len(pictures), _BATCH):
        some = pictures[start : start + _BATCH]
        left = [_image_of(one, (height, width, channels), preparation.handwriting, steps) for one in some]
        prepared = [
            one or prepare(picture, height, width, channels, preparation.handwriting, steps)
            for picture, one in zip(some, left, strict=True)
        ]
        images = np.stack([one.image for one in prepared])
        probabilities, refused = model.calibrated_probabilities(images, views), _refused(model, images)
        for place, picture in enumerate(some):
            order = np.argsort(-probabilities[place], kind="stable")
            best = [
                Answer(int(label), model.class_names[label], float(probabilities[place, label])) for label in order[:2]
            ]
            found.append(
                Prediction(
                    called[start + place],
                    best[0],
                    best[1],
                    probabilities[place],
                    "temperature" in model.calibration,
                    True if "empty" in prepared[place].hints else refused[place],
                    (picture.shape[0], picture.shape[1]) if sizes is None else sizes[start + place],
                    prepared[place],
                    left[place] is not None,
                    preparation.is_assumed,
                )
            )
    return tuple(found)


def reading_side(model: Model) -> int:
    """Return the pixels to which `predict` averages the longer side of a larger picture down before all else."""
    return LARGEST_FACTOR * max(model.architecture.input.height, model.architecture.input.width)


def _image_of(
    picture: NDArray[np.uint8], shape: tuple[int, int, int], handwriting: Handwriting, steps: Collection[Step] | None
) -> Prepared | None:
    """Return a picture that is an image of the data set's form already, or None if it has to be prepared."""
    pixels = picture[..., np.newaxis] if picture.ndim == 2 else picture
    if steps is not None or pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[:2] != shape[:2]:
        return None
    if shape[2] == 1 and pixels.shape[2] == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., :1]  # grey that was saved in colours
    if not is_as_made(pixels, shape, handwriting):
        return None
    image = np.array(np.broadcast_to(pixels, shape))
    return Prepared(image, (Stage("picture", True, image),), (), 0.0)


def _refused(model: Model, images: NDArray[np.uint8]) -> list[bool] | list[None]:
    """Return for each image whether the model's rule refuses it, or None for each where it has none."""
    value = model.calibration.get("rejection")
    if value is None:
        return [None] * len(images)
    try:
        if model not in _rules:
            _rules[model] = RejectionRule.from_dict(value)
        return [bool(one) for one in _rules[model].refuses(model, images)]
    except (RunError, ValueError) as error:
        raise RunError(
            f"the model's rejection rule cannot be used ({error}); run `convscope report RUN rejection` again"
        ) from error


def _words(answer: Answer) -> str:
    return f"{clip(answer.class_name, 40)} ({confidence_text(answer.probability)})"


METHOD: Method = "integrated_gradients"
"""The attribution that orders pixels best, and whose sum is the answer's logit minus that of an empty image; see
docs/methods/attributions.md."""

_EXPLAINED_AT_ONCE = 64  # images whose gradients are held at once


def answer_maps(model: Model, predictions: Sequence[Prediction], *, method: Method = METHOD) -> NDArray[np.float64]:
    """Return (N, H, W) float64, what each pixel of each prepared image counts for the logit of its answer.

    Above zero it supports the answer, below against it, measured from an image that is nothing but ground. It says on
    what this answer rests, not why the network is as it is.

    Raises:
        ValueError: as `convscope.evidence.explanation.attributions.attribute` does.
    """
    image = model.architecture.input
    background = 0 if preparation_of(model).handwriting.ink == "light" else 255
    maps = np.empty((len(predictions), image.height, image.width))
    for start in range(0, len(predictions), _EXPLAINED_AT_ONCE):
        some = predictions[start : start + _EXPLAINED_AT_ONCE]
        images = np.stack([one.prepared.image for one in some])
        labels = np.array([one.label for one in some])
        maps[start : start + _EXPLAINED_AT_ONCE] = attribute(model, images, labels, method, background=background)
    return maps
