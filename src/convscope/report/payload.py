"""The content of a report: the values that a run measured, and from them one plain JSON document.

The page's script and other programs read only the JSON. Its numbers are finite, class and file names are unchanged
data, pictures are PNG in base64, and arrays say how they are packed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar, cast

import numpy as np
from msgspec import convert, structs
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.packing import Packed
from convscope.base.records import from_attributes
from convscope.base.versions import FORMAT
from convscope.data.datasets import Dataset, Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import Explanation
from convscope.evidence.explanation.embedding import Embedding
from convscope.experiment.records import SeedsRecord
from convscope.recipes import Recipe
from convscope.report.evidence import RenderedSection
from convscope.report.live import LivePacker, Replay, pack_small
from convscope.report.page_bundle import load_bundle
from convscope.report.pictures import MAX_KERNELS, MAX_MAPS
from convscope.report.pixels import Pixels, image_pixels, picture_to_json
from convscope.report.records import (
    ClassSamples,
    Example,
    FeatureMaps,
    LiveMap,
    PackedBank,
    PageData,
    PageFacts,
    PageMeasurements,
    PageModel,
    PageRecord,
    Payload,
)
from convscope.training import describe_choice
from convscope.training.model import Model

_Value = TypeVar("_Value")

_PAGE_BYTES = 4_430_000  # a page has 4.5 MB, of which 70 kB stay for what `_REPORT_SHARE` underestimates
_REPORT_SHARE = 2.5  # bytes of a page for a byte of facts, which it holds as JSON, and again as tables and pictures
_MAX_MISTAKES = 24
_MAX_SAMPLES = 120  # pictures of all classes together; with more than 120 classes, one of each
_MAX_SAMPLES_OF_A_CLASS = 10


@dataclass(frozen=True, eq=False)
class ReportPictures:
    """The images that a report shows, as pixels.

    Attributes:
        example: the first training image.
        samples: a few training images of each class, as (indices, pictures), in the order of the labels.
        mistakes: the test images of the first mistakes.
        explained: the image of the feature maps.
    """

    example: Pixels
    samples: Sequence[tuple[list[int], list[Pixels]]]
    mistakes: Sequence[Pixels]
    explained: Pixels


@dataclass(frozen=True, eq=False)
class RunContents:
    """The values that a run measured, from which its page, figures and JSON are made.

    What is derived from them is computed when it is first needed. A job writes the page again after each measurement:
    `with_changes` makes contents that also have the new comparison or evidence, for which pictures and packed weights,
    which stay the same, are not made a second time.

    Attributes:
        trained: the model of the run.
        evaluation: that of the model on `splits.test`.
        explanation: that of one image of `splits.test`.
        record: run.json, with the seconds of each step.
        comparison: the model (as `a`) compared with that of `baseline`.
        evidence: the sections of further measurements.
    """

    splits: Splits
    recipe: Recipe
    trained: Replay
    evaluation: Evaluation
    explanation: Explanation
    record: PageRecord
    baseline: Replay | None = None
    comparison: Comparison | None = None
    evidence: Sequence[RenderedSection] = ()

    def with_changes(
        self,
        record: PageRecord,
        baseline: Replay | None,
        comparison: Comparison | None,
        evidence: Sequence[RenderedSection],
    ) -> "RunContents":
        """Make a copy with later measurements that keeps all that was computed from the parts that stay."""
        new = replace(self, record=record, baseline=baseline, comparison=comparison, evidence=evidence)
        # The copy gets the dictionary of `compute_once`, but no other cached property, such as `facts`, which depends
        # on the changes. A cached property keeps its value in the instance's dictionary, which can be changed although
        # the instance is frozen.
        vars(new)["_values"] = self._values
        return new

    def compute_once(self, key: object, make: Callable[[], _Value]) -> _Value:
        """Return `make()`, computed once for each `key`, also for copies with changes.

        So the key names what `make` uses of the changes: a chart has its title and numbers in its key.
        """
        if key not in self._values:
            self._values[key] = make()
        return cast(_Value, self._values[key])

    @cached_property
    def _values(self) -> dict[object, object]:
        return {}

    @property
    def pictures(self) -> ReportPictures:
        """The images that the report shows."""
        return self.compute_once("pictures", self._pictures)

    def _pictures(self) -> ReportPictures:
        train, test = self.splits.train, self.splits.test
        number = min(max(_MAX_SAMPLES // train.num_classes, 1), _MAX_SAMPLES_OF_A_CLASS)
        # 120 images in all, but one of each class at least and ten at most.
        members = [np.flatnonzero(train.labels == label)[:number].tolist() for label in range(train.num_classes)]
        return ReportPictures(
            image_pixels(train.images[0]),
            [(indices, [image_pixels(train.images[index]) for index in indices]) for indices in members],
            [image_pixels(test.images[mistake.index]) for mistake in self.evaluation.mistakes[:_MAX_MISTAKES]],
            image_pixels(self.explanation.image),
        )

    @cached_property
    def facts(self) -> PageFacts:
        """The content of tables, charts and pictures, without evidence."""
        baseline, comparison = self.baseline, self.comparison
        return from_attributes(
            PageFacts,
            self.compute_once("measurements", lambda: _measurements(self)),
            record=self.record,
            baseline_history=None if baseline is None else baseline.history.to_record(),
            comparison=None if comparison is None else comparison.to_record(),
        )

    @property
    def seeds(self) -> SeedsRecord | None:
        """The same training from several seeds, if they were trained."""
        value = next((section.value for section in self.evidence if section.topic == "seeds"), None)
        return None if value is None else convert(value, SeedsRecord)

    @cached_property
    def payload(self) -> Payload:
        """All that the page shows and computes with; see payload.schema.json."""
        return _payload(self)


def _measurements(contents: RunContents) -> PageMeasurements:
    model, history, splits = contents.trained.model, contents.trained.history, contents.splits
    explanation, pictures = contents.explanation, contents.pictures
    return PageMeasurements(
        format=FORMAT,
        recipe=contents.recipe.to_dict(),
        data=from_attributes(PageData, splits.to_record(), example=_example(contents), samples=_samples(contents)),
        model=model_facts(model),
        history=history.to_record(),
        choice=describe_choice(history, contents.recipe),
        evaluation=contents.evaluation.to_record(),
        mistake_pictures=tuple(map(picture_to_json, pictures.mistakes)),
        explanation=explanation.to_record(),
        explained_picture=picture_to_json(pictures.explained),
        kernels=tuple(
            # A wide bank is drawn in part, so only that part travels.
            from_attributes(
                PackedBank, bank.to_record(), values=Packed.from_array(bank.kernel[:, :, :MAX_KERNELS, :MAX_KERNELS])
            )
            for bank in explanation.kernels
        ),
        feature_maps=tuple(_feature_maps(layer, maps) for layer, maps in explanation.feature_maps.items()),
    )


def model_facts(model: Model) -> PageModel:
    """Describe a model in the payload, without its weights."""
    network = model.architecture
    return from_attributes(
        PageModel,
        network,
        architecture=network.to_dict(),
        layers=tuple(row.to_record() for row in network.table),
        weights_sha256=model.weights_sha256,
    )


def _payload(contents: RunContents) -> Payload:
    """Add to the facts the evidence, and the live data in the bytes that are left for them.

    live = 4.43 MB - scripts - 2.5 · facts - evidence - map of images
    """
    splits, evidence, baseline = contents.splits, contents.evidence, contents.baseline
    facts = contents.facts
    embedding = next((section.record for section in evidence if isinstance(section.record, Embedding)), None)
    map_of_images = {} if embedding is None else {"map": live_map(embedding)}
    report_bytes = _REPORT_SHARE * _count_json_bytes(facts.to_dict())
    evidence_bytes = sum(len(section.html.encode()) for section in evidence)
    map_bytes = _count_json_bytes({name: value.to_dict() for name, value in map_of_images.items()})
    live_bytes = _PAGE_BYTES - load_bundle().num_bytes - report_bytes - evidence_bytes - map_bytes
    # Images of the evidence can be put on the page's bench if they are packed too.
    shown = [index for section in evidence for index in _indices(section, splits.test)]
    replays = [contents.trained, *([] if baseline is None else [baseline])]
    packer = contents.compute_once("live", lambda: LivePacker(splits, contents.evaluation))
    live = packer.pack(replays, round(live_bytes), shown)
    return from_attributes(
        Payload,
        facts,
        live=structs.replace(live, **map_of_images),
        evidence={section.topic: dict(section.value) for section in evidence},
    )


def _count_json_bytes(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def live_map(embedding: Embedding) -> LiveMap:
    """Pack the values with which the page maps an image into an embedding, some 30 kB for the preset `cnn`."""
    images = {name: pack_small(np.asarray(getattr(embedding, name))) for name in ("indices", "labels")}
    value = embedding.to_dict()
    names = ("layer", "num_neighbours", "points", "directions", "offset")
    return convert({name: value[name] for name in names} | images, LiveMap)


def _indices(rendered: RenderedSection, dataset: Dataset) -> list[int]:
    """List the images of `dataset` that a section shows; raises `RunError` for an index beyond the data set."""
    indices = rendered.indices(dataset.split)
    for index in indices:
        if not isinstance(index, int) or not 0 <= index < len(dataset):
            raise RunError(
                f"{rendered.section.anchor}.json: damaged (it shows image {index!r:.60} of {len(dataset)}); delete the "
                "file and run `convscope report RUN all` on this run again"
            )
    return indices


def _example(contents: RunContents) -> Example:
    dataset = contents.splits.train
    picture = picture_to_json(contents.pictures.example)
    return Example(split=dataset.split, index=0, label=int(dataset.labels[0]), picture=picture)


def _samples(contents: RunContents) -> tuple[ClassSamples, ...]:
    """Describe the first few images of each class, in the order of the labels."""
    return tuple(
        ClassSamples(label=label, indices=tuple(indices), pictures=tuple(map(picture_to_json, pictures)))
        for label, (indices, pictures) in enumerate(contents.pictures.samples)
    )


def _feature_maps(layer: str, maps: NDArray[np.float32]) -> FeatureMaps:
    return FeatureMaps(
        layer=layer,
        num_maps=maps.shape[2],
        minimum=float(maps.min()),
        maximum=float(maps.max()),
        values=Packed.from_array(maps[:, :, :MAX_MAPS]),
    )
