"""Measure a trained network on images of its run, or on others of its classes; its folder does not change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec import structs

from convscope.base.errors import DatasetError, DivergedError, RunError
from convscope.data.datasets import Dataset, Images, LoadOptions, load_for_classes, make_portable
from convscope.data.handwriting import Picture, handwriting_of
from convscope.evidence.evaluating import evaluate_together
from convscope.evidence.evaluation import Evaluation
from convscope.prediction import preparation_of, prepare_picture
from convscope.runs.jobs import open_with_data
from convscope.runs.listeners import Listeners
from convscope.storage import load_model, load_trained_on, open_run
from convscope.training.model import Model
from convscope.training.views import Views

Part = Literal["all", "train", "test"]


@dataclass(frozen=True)
class EvaluationRequest:
    """The arguments of an evaluation.

    Attributes:
        dataset: other images; None for those of the run.
        split: the part of the images; by default the run's own test images, or all of other images.
        loading: the options for loading other images.
        views: the number of views of each image over which predictions are averaged; see `Model.logits`.
    """

    dataset: str | None = None
    split: Part | None = None
    loading: LoadOptions = field(default_factory=LoadOptions)
    views: Views = 1

    def is_own(self, path: Path) -> bool:
        """True if the images are those of the run at `path`; raises `RunError` for a model file without a data set."""
        if path.is_file():
            if self.dataset is None:
                raise RunError(f"{path}: a model file has no images of its own; name a data set with --dataset")
            return False
        return self.dataset is None or make_portable(self.dataset) == open_run(path).record.dataset.argument


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """The predictions of a run.

    Attributes:
        parts: the images.
        num_trained_on: how many of them the network was trained on; None if unknown, and for its own images.
        are_prepared: whether they are pictures that were converted to images of the network, as `predict` does.
    """

    evaluation: Evaluation
    parts: Sequence[Dataset]
    num_trained_on: int | None = None
    are_prepared: bool = False


class _Preparation:
    """Prepares pictures as `predict` does, unless they already are images like those of the model.

    Attributes:
        is_used: whether any picture was prepared.
    """

    def __init__(self, model: Model, *, checks_ink: bool) -> None:
        self._model, self._checks_ink = model, checks_ink
        self.is_used = False

    @property
    def size(self) -> tuple[int, int]:
        image = self._model.architecture.input
        return image.height, image.width

    def fits(self, images: Images) -> bool:
        usual = preparation_of(self._model).handwriting
        if images.shape[1:] != self._model.architecture.input.shape:
            return False
        # Dark writing on paper, cut to the right size, is no image for a network that learned light writing.
        return not (self._checks_ink and usual.centre) or handwriting_of(images).ink == usual.ink

    def convert(self, picture: Picture) -> Picture:
        self.is_used = True
        return prepare_picture(self._model, picture).prepared.image


def evaluate_images(path: Path, request: EvaluationRequest, listeners: Listeners) -> EvaluationResult:
    """Classify images by the run or the model file at `path`.

    Raises:
        ConvscopeError: if there is no trained run, the images cannot be loaded or do not fit it, or its logits are not
            finite.
    """
    is_own, are_prepared = request.is_own(path), False
    # By default only images that the network was not trained on: its test images, or all of another data set.
    if is_own:
        split = request.split or "test"
        with open_with_data(path, None, listeners, writes=False) as (folder, splits):
            model = folder.load_model()
            parts = [part for part in (splits.train, splits.test) if split in ("all", part.split)]
    else:
        model, split = load_model(path), request.split or "all"
        # Other pictures are resized as those of the run were, unless the request says otherwise.
        size = request.loading.image_size or _find_image_size(path)
        loading = structs.replace(request.loading, image_size=size)
        preparation = _Preparation(model, checks_ink=size is None)
        converter = preparation if size in (None, preparation.size) else None
        on_download, name = listeners.on_download, request.dataset or ""
        parts = load_for_classes(name, model.class_names, split, loading, on_download, converter)
        are_prepared = preparation.is_used
    shape, expected = parts[0].image_shape, model.architecture.input.shape
    if shape != expected:
        raise DatasetError(
            f"{request.dataset or parts[0].name}: has images of {' × '.join(map(str, shape))} (height × width × "
            f"channels), but {path} reads {' × '.join(map(str, expected))}; resize pictures with `image_size` "
            f"{expected[0]}x{expected[1]}, or use other images"
        )
    try:
        evaluation = evaluate_together(model, parts, split, views=request.views)
    except DivergedError as error:
        raise RunError(f"{path}: {error}") from error
    # Other images may contain some that the network was trained on; the result tells how many.
    trained_on = None if is_own else load_trained_on(path, model)
    num_trained_on = None if trained_on is None else sum(int(trained_on.includes(part).sum()) for part in parts)
    return EvaluationResult(evaluation, parts, num_trained_on, are_prepared)


def _find_image_size(path: Path) -> tuple[int, int] | None:
    """Find the size to which the run's own images were resized; None if they were not, and for a model file."""
    return None if path.is_file() else open_run(path).record.dataset.options.image_size
