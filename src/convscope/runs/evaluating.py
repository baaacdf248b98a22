"""A trained network measured on images: those of its run, or others of its classes. Nothing in its folder changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from msgspec import structs

from convscope.base.errors import DatasetError, DivergedError, RunError
from convscope.data.datasets import Dataset, LoadOptions, load_for_classes
from convscope.evidence.evaluating import evaluate_together
from convscope.evidence.evaluation import Evaluation
from convscope.experiment import make_portable
from convscope.runs.jobs import opened
from convscope.runs.listeners import Listeners
from convscope.storage import load_model, load_trained_on, open_run
from convscope.training.model import Model
from convscope.training.views import Views

Part = Literal["all", "train", "test"]


@dataclass(frozen=True)
class EvaluationRequest:
    """The arguments of an evaluation.

    Attributes:
        dataset: other images; None is those of the run.
        split: which of them; None is the test images of the run's own, and all of others.
        loading: how other images are loaded.
        views: over how many views of each image the answers are averaged; see `Model.logits`.
    """

    dataset: str | None = None
    split: Part | None = None
    loading: LoadOptions = field(default_factory=LoadOptions)
    views: Views = 1

    def is_own(self, path: Path) -> bool:
        """Whether the images are those of the run at `path`; a model file has none of its own.

        Raises:
            RunError: if there is no run, or a model file and no data set.
        """
        if path.is_file():
            if self.dataset is None:
                raise RunError(f"{path}: a model file has no images of its own; name a data set with --dataset")
            return False
        return self.dataset is None or make_portable(self.dataset) == open_run(path).record.dataset.argument


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The predictions of a run.

    Attributes:
        parts: the images.
        num_trained_on: how many of them the network was trained on; None where nobody knows, or they are its own.
    """

    evaluation: Evaluation
    parts: Sequence[Dataset]
    num_trained_on: int | None = None


def evaluate_images(path: Path, request: EvaluationRequest, listeners: Listeners) -> Evaluated:
    """Classify images by the run or the model file at `path`.

    Raises:
        ConvscopeError: if there is no trained run, the images cannot be loaded or are not for it, or it gives numbers
            that are not finite.
    """
    is_own = request.is_own(path)
    if is_own:
        split = request.split or "test"
        with opened(path, None, listeners, writes=False) as (folder, splits):
            model = folder.load_model()
            parts = [part for part in (splits.train, splits.test) if split in ("all", part.split)]
    else:
        model, split = load_model(path), request.split or "all"
        loading = structs.replace(request.loading, image_size=request.loading.image_size or _recorded_size(path))
        parts = load_for_classes(request.dataset or "", model.class_names, split, loading, listeners.on_download)
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
    return Evaluated(evaluation, parts, None if is_own else _num_trained_on(path, model, parts))


def _recorded_size(path: Path) -> tuple[int, int] | None:
    """Return the size to which the run's own images were brought, if they were; of a model file nobody knows."""
    if path.is_file():
        return None
    return open_run(path).record.dataset.options.image_size


def _num_trained_on(path: Path, model: Model, parts: Sequence[Dataset]) -> int | None:
    known = load_trained_on(path, model)
    return None if known is None else sum(int(known.includes(part).sum()) for part in parts)
