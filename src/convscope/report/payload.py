"""What a report is made of: the values that a run measured, and from them one plain JSON document.

The page's script and other programs read the JSON, and nothing else. Its numbers are finite, class and file names are
data as they came, pictures are PNG in base64, and arrays say how they are packed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.packing import pack
from convscope.data.datasets import Dataset, Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import Explanation
from convscope.evidence.explanation.embedding import Embedding
from convscope.recipes import Recipe
from convscope.report.built import built
from convscope.report.evidence import RenderedSection
from convscope.report.live import LivePacker, Replay
from convscope.report.live_map import live_map
from convscope.report.pictures import MOST_KERNELS, MOST_MAPS, large_channels
from convscope.report.pixels import Pixels, image_pixels, picture_to_json
from convscope.training import describe_choice
from convscope.training.model import Model

_Made = TypeVar("_Made")

FORMAT = 1
_PAGE_BYTES = 3_930_000  # of a page of 4 MB, with a little for what `_REPORT_SHARE` does not foresee
_REPORT_SHARE = 2.5  # what is shown of a run in the report travels there as pictures and tables too
_MOST_MISTAKES = 24
_MOST_SAMPLES = 120
_MOST_SAMPLES_OF_A_CLASS = 10
_MOST_MATRIX_SIDE, _MOST_MATRIX_CHANNELS = 256, 4  # numbers beyond these would be most of the page


@dataclass(frozen=True, eq=False)
class ReportPictures:
    """The images that a report shows, as pixels.

    Attributes:
        example: the first training image.
        samples: of each class, in the order of the labels, the indices of a few training images, and these.
        mistakes: the test images of the first mistakes.
        explained: the image whose feature maps are shown.
    """

    example: Pixels
    samples: Sequence[tuple[list[int], list[Pixels]]]
    mistakes: Sequence[Pixels]
    explained: Pixels


@dataclass(frozen=True, eq=False)
class RunContents:
    """What a run measured, as the values that its page, figures and JSON are made of.

    Attributes:
        trained: the model of the run.
        evaluation: of the model on `splits.test`.
        explanation: of one image of `splits.test`.
        record: what run.json holds, with the seconds of each step under `timings`.
        comparison: of the model (as `a`) with that of `baseline`.
        evidence: the sections of what else was measured.
    """

    splits: Splits
    recipe: Recipe
    trained: Replay
    evaluation: Evaluation
    explanation: Explanation
    record: Mapping[str, Any]
    baseline: Replay | None = None
    comparison: Comparison | None = None
    evidence: Sequence[RenderedSection] = ()

    def updated(
        self,
        record: Mapping[str, Any],
        baseline: Replay | None,
        comparison: Comparison | None,
        evidence: Sequence[RenderedSection],
    ) -> "RunContents":
        """Return the contents with more measured; what was made of all that stays the same is not made again."""
        new = replace(self, record=record, baseline=baseline, comparison=comparison, evidence=evidence)
        vars(new)["_kept"] = self._kept
        return new

    def once(self, key: object, make: Callable[[], _Made]) -> _Made:
        """Return what `make` makes of values that `updated` leaves as they are, or of others that `key` names."""
        if key not in self._kept:
            self._kept[key] = make()
        made: _Made = self._kept[key]
        return made

    @cached_property
    def _kept(self) -> dict[object, Any]:
        return {}

    @property
    def pictures(self) -> ReportPictures:
        """The images that the report shows."""
        return self.once("pictures", self._pictures)

    def _pictures(self) -> ReportPictures:
        train, test = self.splits.train, self.splits.test
        number = min(max(_MOST_SAMPLES // train.num_classes, 1), _MOST_SAMPLES_OF_A_CLASS)
        members = [np.flatnonzero(train.labels == label)[:number].tolist() for label in range(train.num_classes)]
        return ReportPictures(
            image_pixels(train.images[0]),
            [(indices, [image_pixels(train.images[index]) for index in indices]) for indices in members],
            [image_pixels(test.images[mistake.index]) for mistake in self.evaluation.mistakes[:_MOST_MISTAKES]],
            image_pixels(self.explanation.image),
        )

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the payload holds beside `live` and `evidence`."""
        return _facts(self)

    @property
    def shown(self) -> dict[str, Any]:
        """What the payload holds beside `live`: all that tables, charts and pictures are made of."""
        return {**self.facts, "evidence": {one.topic: one.value for one in self.evidence}}

    @cached_property
    def payload(self) -> dict[str, Any]:
        """All that the page shows and computes with, as finite plain JSON; see payload.schema.json."""
        return _payload(self)


def _facts(contents: RunContents) -> dict[str, Any]:
    baseline, comparison = contents.baseline, contents.comparison
    fixed = contents.once("facts", lambda: _fixed_facts(contents))
    return {
        "format": FORMAT,
        "record": dict(contents.record),
        "recipe": contents.recipe.to_dict(),
        "data": fixed["data"],
        "model": fixed["model"],
        "history": fixed["history"],
        "choice": fixed["choice"],
        "baseline_history": None if baseline is None else baseline.history.to_dict(),
        "evaluation": fixed["evaluation"],
        "mistake_pictures": fixed["mistake_pictures"],
        "comparison": None if comparison is None else comparison.to_dict(),
        "explanation": fixed["explanation"],
        "explained_picture": fixed["explained_picture"],
        "kernels": fixed["kernels"],
        "feature_maps": fixed["feature_maps"],
    }


def _fixed_facts(contents: RunContents) -> dict[str, Any]:
    """Return what is known as soon as the model has been measured."""
    model, history, splits = contents.trained.model, contents.trained.history, contents.splits
    explanation = contents.explanation
    return {
        "data": {**splits.to_dict(), "example": _example(contents), "samples": _samples(contents)},
        "model": model_facts(model),
        "history": history.to_dict(),
        "choice": describe_choice(history, contents.recipe),
        "evaluation": contents.evaluation.to_dict(),
        "mistake_pictures": list(map(picture_to_json, contents.pictures.mistakes)),
        "explanation": explanation.to_dict(),
        "explained_picture": picture_to_json(contents.pictures.explained),
        "kernels": [
            # A wide bank is drawn in part, so only that part travels.
            {**bank.to_dict(), "values": pack(bank.kernel[:, :, :MOST_KERNELS, :MOST_KERNELS])}
            for bank in explanation.kernels
        ],
        "feature_maps": [_feature_maps(layer, maps) for layer, maps in explanation.feature_maps.items()],
    }


def model_facts(model: Model) -> dict[str, Any]:
    """Return what a payload says of a model beside its weights."""
    return {
        "architecture": model.architecture.to_dict(),
        "layers": [row.to_record().to_dict() for row in model.architecture.table],
        "parameters": model.architecture.parameters,
        "non_trainable_parameters": model.architecture.non_trainable_parameters,
        "macs": model.architecture.macs,
        "weights_sha256": model.weights_sha256,
    }


def _payload(contents: RunContents) -> dict[str, Any]:
    splits, evidence, baseline = contents.splits, contents.evidence, contents.baseline
    facts = contents.facts
    taken = _REPORT_SHARE * len(json.dumps(facts, separators=(",", ":")))
    room = _PAGE_BYTES - built().num_bytes - taken - sum(len(one.html.encode()) for one in evidence)
    embedding = next((one.record for one in evidence if isinstance(one.record, Embedding)), None)
    of_map = {} if embedding is None else {"map": live_map(embedding)}
    room -= len(json.dumps(of_map, separators=(",", ":")))
    shown = [index for one in evidence for index in _indices(one, splits.test)]
    replays = [contents.trained, *([] if baseline is None else [baseline])]
    live = contents.once("live", lambda: LivePacker(splits, contents.evaluation)).payload(replays, round(room), shown)
    return {**contents.shown, "live": {**live, **of_map}}


def _indices(rendered: RenderedSection, dataset: Dataset) -> list[int]:
    """Return which images of `dataset` a section shows; raises `RunError` if there is no such image."""
    found = rendered.indices(dataset.split)
    for index in found:
        if not isinstance(index, int) or not 0 <= index < len(dataset):
            raise RunError(
                f"{rendered.section.anchor}.json: damaged (it shows image {index!r:.60} of {len(dataset)}); delete the "
                "file and run `convscope evidence` on this run again"
            )
    return found


def _example(contents: RunContents) -> dict[str, Any]:
    """Return the first image as picture and numbers; of a very large one the numbers of its first part."""
    dataset = contents.splits.train
    image = dataset.images[0]
    part = image[:_MOST_MATRIX_SIDE, :_MOST_MATRIX_SIDE, :_MOST_MATRIX_CHANNELS]
    return {
        "split": dataset.split,
        "index": 0,
        "label": int(dataset.labels[0]),
        "picture": picture_to_json(contents.pictures.example),
        "channels": [part[:, :, channel].tolist() for channel in range(part.shape[2])],
        "is_whole": part.shape == image.shape,
    }


def _samples(contents: RunContents) -> list[dict[str, Any]]:
    """Return the first few images of each class, in the order of the labels."""
    return [
        {"label": label, "indices": indices, "pictures": list(map(picture_to_json, pictures))}
        for label, (indices, pictures) in enumerate(contents.pictures.samples)
    ]


def _feature_maps(layer: str, maps: NDArray[np.float32]) -> dict[str, Any]:
    count = maps.shape[2]
    return {
        "layer": layer,
        "num_maps": count,
        "large_channels": list(large_channels(maps)),
        "minimum": float(maps.min()),
        "maximum": float(maps.max()),
        "values": pack(maps[:, :, :MOST_MAPS]),
    }
