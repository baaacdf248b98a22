"""Measure evidence on a run's predictions, topic by topic, each into a file of the run folder.

Some topics need predictions for images that the network did not see. With 60,000 training images these are

    held-out images            validation images, if the run held some out: with a fraction of 0.1, 6,000; else those
                               of the siblings
    out-of-fold predictions    of five siblings, networks trained like the run's, but each on 48,000 of the images, for
                               the other 12,000: together for all 60,000

Siblings take five further trainings, so they are trained when the first topic needs them, and kept for the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import RunError
from convscope.base.metrics import softmax
from convscope.base.records import Record
from convscope.data.datasets import Dataset, Splits, evenly
from convscope.evidence.ablation import ablate, filter_means
from convscope.evidence.audit import audit
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.audit.neighbours import add_neighbours
from convscope.evidence.calibration import MIN_CALIBRATED_IMAGES, Calibration, fit_temperature, measure_calibration
from convscope.evidence.calibration.temperature import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from convscope.evidence.explanation import MIN_EMBEDDED_IMAGES, Embedding, FilterCards, embed, filter_cards
from convscope.evidence.rejection import Rejection, fit_rejection, measure_rejection
from convscope.evidence.robustness import Attacks, Robustness, measure_attacks, measure_robustness
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.records import SeedsRecord
from convscope.experiment.start import Start
from convscope.export.parity import ParityTable
from convscope.recipes import Recipe
from convscope.runs.listeners import SILENT, Listeners, Result
from convscope.runs.start import load_run_start, split_held_out
from convscope.runs.steps import evaluate_run, measure_time
from convscope.storage import RunFolder
from convscope.training.crossfit import CrossFit, crossfit
from convscope.training.ensemble import ensemble_siblings
from convscope.training.model import Model

Needs = Literal["held-out images", "out-of-fold predictions"]


@dataclass(frozen=True)
class Subject:
    """The run that is measured."""

    folder: RunFolder
    splits: Splits
    model: Model
    listeners: Listeners = SILENT

    @cached_property
    def start(self) -> Start | None:
        """The network that the run started from; None if it started from random weights."""
        return load_run_start(self.folder, self.splits)

    @cached_property
    def siblings(self) -> CrossFit:
        """Networks like the run's, each trained without a fifth of the training images.

        They start from the same network as the run, which must not have seen these images, see `open_topics`.
        """
        folder, start = self.folder, self.start
        if folder.record.members:
            return self._member_siblings()
        # Always by the native engine, whatever the run was trained with.
        return crossfit(
            folder.architecture,
            self.splits.train,
            folder.recipe,
            seed=folder.seed,
            threads=folder.record.threads,
            state=None if start is None else start.transfer.state,
            on_fold=self.listeners.on_fold,
        )

    def _member_siblings(self) -> CrossFit:
        """Train ensembles of networks like the members, each without a fifth of the training images."""
        members, fits = self.folder.record.members or (), list[CrossFit]()
        for number, member in enumerate(members):
            fits.append(
                crossfit(
                    Architecture.from_dict(member.architecture),
                    self.splits.train,
                    Recipe.from_dict(member.recipe),
                    seed=member.seed,
                    threads=self.folder.record.threads,
                    # A default argument, so that the lambda does not depend on the variable of the loop.
                    on_fold=lambda done, folds, number=number: self.listeners.on_fold(  # type: ignore[misc]
                        number * folds + done, len(members) * folds
                    ),
                    folds_seed=self.folder.seed,  # the same folds for all members, so their logits can be averaged
                )
            )
        return ensemble_siblings(fits)

    @cached_property
    def test_logits(self) -> NDArray[np.float32]:
        """The logits of the test images, which several topics need."""
        return self.model.logits(self.splits.test.images)

    @cached_property
    def means(self) -> dict[str, NDArray[np.float32]]:
        """The mean outputs of the filters over the test images (of an ensemble 1,000), by layer, for the page too."""
        images = self.splits.test.images
        if self.folder.record.members:  # all images would take half a minute
            images = images[evenly(len(images), _ENSEMBLE_IMAGES)]
        return filter_means(self.model, images)

    @cached_property
    def validation_split(self) -> tuple[Dataset, Dataset] | None:
        """The images that the run trained on and those that it held out; None if there are none."""
        if self.folder.recipe.validation_fraction == 0 or self.folder.record.members:
            return None  # each member of an ensemble held out different images
        trained_on, held_out = split_held_out(self.folder, self.splits, self.start)
        assert held_out is not None
        return trained_on, held_out

    def list_held_out_parts(self) -> list[tuple[Model, Dataset, Dataset]]:
        """List models with their training images and images that they did not see: the run's own, or its siblings."""
        if self.validation_split is not None:
            return [(self.model, *self.validation_split)]
        return self.siblings.parts(self.splits.train)

    def compute_held_out_logits(self) -> tuple[NDArray[np.float32], NDArray[np.integer[Any]], str]:
        """Compute logits of images that their network did not see; return them with labels and the images in words."""
        if self.validation_split is not None:
            held_out = self.validation_split[1]
            return self.model.logits(held_out.images), held_out.labels, "validation images"
        siblings = self.siblings
        description = f"out-of-fold training images of {siblings.num_folds} sibling networks"
        return siblings.logits, siblings.labels, description


def _measure_calibration(subject: Subject) -> Result:
    logits, labels, images = subject.compute_held_out_logits()
    test = subject.splits.test
    measured = measure_calibration(
        subject.test_logits, test.labels, logits, labels, fitted_on=images, dataset_name=test.name, split=test.split
    )
    # Stored with the model, for `convscope predict` and the service. At a bound of the search, the images do not
    # determine the temperature.
    if not measured.is_at_bound:
        _add_to_calibration(
            subject,
            {"temperature": measured.temperature, "fitted_on": measured.fitted_on, "num_fitted": measured.num_fitted},
        )
    return measured


def _measure_rejection(subject: Subject) -> Result:
    rule = fit_rejection(subject.model, subject.list_held_out_parts())
    measured = measure_rejection(rule, _calibrate_model(subject), subject.splits.test, seed=subject.folder.seed)
    _add_to_calibration(subject, {"rejection": rule.to_dict()})
    return measured


def _calibrate_model(subject: Subject) -> Model:
    """Load the run's model with the temperature that `convscope predict` applies; fit it first if it is missing."""
    if "temperature" not in subject.folder.load_model().calibration:
        _measure_calibration(subject)
    return subject.folder.load_model()


def _add_to_calibration(subject: Subject, values: Mapping[str, Any]) -> None:
    """Add values to the calibration that is stored with the model."""
    calibration = subject.folder.load_model().calibration
    subject.folder.write_calibration(replace(subject.model, calibration={**calibration, **values}))


def read_ablation(folder: RunFolder, model: Model) -> AblationRecord:
    """Read the folder's ablation.json, which may hold retrained architectures; an empty record without it."""
    return folder.read_evidence("ablation", AblationRecord, model) or AblationRecord()


def _measure_ablation(subject: Subject) -> Result:
    measured = ablate(subject.model, subject.splits.test, means=subject.means)
    return read_ablation(subject.folder, subject.model).merge(measured)


def _measure_audit(subject: Subject) -> Result:
    # The siblings predict the training images, and the run's model the test images; each has a temperature of its own.
    siblings, run_temperature = subject.siblings, subject.folder.load_model().calibration.get("temperature", 1.0)
    temperature = fit_temperature(siblings.logits, siblings.labels)
    if temperature in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE):  # the images do not determine it
        temperature = 1.0
    train_logits = siblings.logits.astype(np.float64) / temperature
    test_logits = subject.test_logits.astype(np.float64) / run_temperature
    measured, splits = audit(subject.splits, softmax(train_logits), softmax(test_logits)), subject.splits
    assert measured.train is not None, "it has probabilities for the training images"
    return replace(
        measured,
        train=add_neighbours(measured.train, splits.train, splits.train, siblings.models, siblings.fold),
        test=add_neighbours(measured.test, splits.test, splits.train, [subject.model]),
    )


@dataclass(frozen=True)
class Topic:
    """A topic of evidence: a file of the run folder, an attribute of `Run` and a section of the page.

    The function `NAME_section` of the module `convscope.report.evidence.NAME` makes the section.

    Attributes:
        record: the type of the file.
        measure: None if another job writes the file.
        cost: for topics that every run measures, the approximate time in passes over the test images, and its maximum
            in multiply-adds, see `estimate_seconds`; None for topics of `convscope report`.
        min_images: the number of test images that it needs.
        needs: predictions by networks that did not see the images: for some images, or for each training image.
    """

    record: type[Record]
    measure: Callable[[Subject], Result] | None = None
    cost: tuple[float, float] | None = None  # (passes, multiply-adds)
    min_images: int = 1
    needs: Needs | None = None


_ENSEMBLE_IMAGES = 1_000  # over which the means of its filters are computed
TOPICS: Mapping[str, Topic] = {
    "seeds": Topic(SeedsRecord),
    "calibration": Topic(Calibration, _measure_calibration, min_images=MIN_CALIBRATED_IMAGES, needs="held-out images"),
    "rejection": Topic(Rejection, _measure_rejection, min_images=MIN_CALIBRATED_IMAGES, needs="held-out images"),
    "filters": Topic(FilterCards, lambda subject: filter_cards(subject.model, subject.splits.test), cost=(25, 4e11)),
    "embedding": Topic(
        Embedding,
        lambda subject: embed(subject.model, subject.splits.test),
        cost=(8, 1e11),
        min_images=MIN_EMBEDDED_IMAGES,
    ),
    "ablation": Topic(AblationRecord, _measure_ablation, cost=(80, 8e11)),
    "robustness": Topic(
        Robustness, lambda subject: measure_robustness(subject.model, subject.splits.test, seed=subject.folder.seed)
    ),
    "attacks": Topic(
        Attacks, lambda subject: measure_attacks(subject.model, subject.splits.test, seed=subject.folder.seed)
    ),
    "audit": Topic(AuditRecord, _measure_audit, needs="out-of-fold predictions"),
    "exports": Topic(ParityTable),
}
"""The topics by name, in the order of the page."""

MEASURED = tuple(name for name, topic in TOPICS.items() if topic.measure is not None)
"""The topics that are measured on a run's model."""


def read_topics(folder: RunFolder, topics: Iterable[str], model: Model) -> dict[str, Record]:
    """Read the evidence on those of `topics` that were measured for the model's weights."""
    # A file for other weights counts as missing: it belongs to an earlier training in this folder.
    records = {topic: folder.read_evidence(topic, TOPICS[topic].record, model) for topic in topics}
    return {topic: record for topic, record in records.items() if record is not None}


def open_topics(subject: Subject, requested: Sequence[str] = ()) -> tuple[tuple[str, ...], str]:
    """List the topics to measure, and give the reasons why others cannot be measured on this run ("" for none).

    Args:
        requested: the topics, by name; by default all that were not measured yet.

    Raises:
        RunError: if a requested topic cannot be measured, or the model's logits are not finite.
    """
    folder = subject.folder
    evaluate_run(folder, subject.model, subject.splits.test)  # raises if the logits are not finite
    topics = tuple(requested)
    if not topics:  # the old files of requested topics are not read, since a damaged one is replaced
        measured = read_topics(folder, MEASURED, subject.model)
        topics = tuple(topic for topic in MEASURED if topic not in measured)
    # The reason for each topic that cannot be measured. Topics with the same reason share a line of `reasons`, such as
    # "calibration, rejection: 40 test images are too few; ...".
    closed = dict(_find_topics_with_too_few_images(subject.splits))
    without_unseen_images, why = _find_closed_topics(subject)
    closed |= dict.fromkeys(without_unseen_images, why)
    reasons = list[str]()
    for why in dict.fromkeys(closed.values()):
        if names := [topic for topic in topics if closed.get(topic) == why]:
            reasons.append(f"{', '.join(names)}: {why}")
    if requested and reasons:  # topics chosen by default are left out instead
        raise RunError(f"{folder.path}: {'; '.join(reasons)}")
    return tuple(topic for topic in topics if topic not in closed), "; ".join(reasons)


def list_quick_topics(splits: Splits) -> tuple[str, ...]:
    """List the topics that every run measures, if there are enough test images."""
    too_small = _find_topics_with_too_few_images(splits)
    return tuple(name for name, topic in TOPICS.items() if topic.cost is not None and name not in too_small)


def _find_topics_with_too_few_images(splits: Splits) -> Mapping[str, str]:
    """Find the topics for which there are too few test images, with the reason."""
    count = len(splits.test)
    had = "1 test image is" if count == 1 else f"{count} test images are"
    return {
        name: f"{had} too few; at least {topic.min_images} are needed"
        for name, topic in TOPICS.items()
        if count < topic.min_images
    }


def _list_topics_needing(*needs: Needs) -> tuple[str, ...]:
    return tuple(name for name, topic in TOPICS.items() if topic.needs in needs)


def _find_closed_topics(subject: Subject) -> tuple[tuple[str, ...], str]:
    """Find the topics that cannot be measured on this run, and the reason: they need images that no ancestor saw.

    the run's network                 cannot be measured: topics that need
    imported                          held-out images; for the others, siblings are trained from random weights
    an ensemble                       any of the two, if a member was imported or trained on from another network
    trained from another network      see `_find_topics_closed_by_start`
    trained from random weights       (none)
    """
    if subject.folder.record.imported:
        return _list_topics_needing("held-out images"), (
            "the file of an imported network does not say which images it was trained on, so none are known to be new "
            "to it; to measure this, train its architecture from random weights: convscope run --architecture "
            f"{subject.folder.path / 'run.json'}"
        )
    # An ensemble's own held-out images do not count, see `validation_split`; its members are trained anew as siblings.
    if members := subject.folder.record.members:
        if all(member.is_from_random_weights for member in members):
            return (), ""
        return _list_topics_needing(*get_args(Needs)), (
            "these need networks like each member that did not see some of the training images, but a member was "
            "imported, or trained on from another network"
        )
    return ((), "") if subject.start is None else _find_topics_closed_by_start(subject, subject.start)


def _find_topics_closed_by_start(subject: Subject, start: Start) -> tuple[tuple[str, ...], str]:
    """Find the topics that cannot be measured because the network of the start saw training images of this run."""
    images = len(subject.splits.train)
    seen = images if start.known is None else images - int(start.unseen(subject.splits.train).sum())
    if seen == 0:
        return (), ""
    # Siblings start from the same network, so their out-of-fold images may be known to it. Held-out images are not:
    # the run held out only images that were new to its start.
    closed = (
        _list_topics_needing("out-of-fold predictions")
        if subject.validation_split is not None
        else _list_topics_needing(*get_args(Needs))
    )
    if start.known is None:
        why = "nobody knows which images the network that this run started from was trained on"
    else:
        why = f"the network that this run started from was trained on {seen:,} of the {images:,} training images before"
    return closed, (
        f"{why}, so its answers to them are not those to new images; to measure this, train from random weights, or "
        "from a run with other training images"
        + ("" if subject.validation_split is not None else ", or hold new images out with `validation_fraction`")
    )


def estimate_seconds(topic: str, model: Model, num_images: int, seconds: float) -> float:
    """Estimate the seconds for a topic if a pass over `num_images` test images takes `seconds`.

    With 10,000 images and a network of 1 million multiply-adds, a pass has 1e10, and 4e11 are 40 passes: "filters"
    takes its 25 passes. With 4 million multiply-adds, 4e11 are 10 passes, and it takes no more than these.
    """
    cost = TOPICS[topic].cost
    assert cost is not None, topic
    passes, max_macs = cost
    macs_of_pass = max(num_images * model.architecture.macs, 1)
    # The 0.3 seconds stand for all that does not grow with the images.
    return min(passes * seconds, max_macs * seconds / macs_of_pass) + 0.3


def measure_topics(subject: Subject, topics: Sequence[str], timings: dict[str, float]) -> dict[str, Record]:
    """Measure each of `topics`, write it to the run folder and call `on_topic`; return the records by topic."""
    measured = dict[str, Record]()
    for topic in topics:
        with measure_time(timings, topic):
            measure = TOPICS[topic].measure
            assert measure is not None, topic
            result = measure(subject)
            measured[topic] = result if isinstance(result, Record) else result.to_record()
            subject.folder.write_evidence(topic, measured[topic], subject.model)
        subject.listeners.on_topic(topic, result)
    return measured
