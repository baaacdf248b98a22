"""What a run's predictions are worth, topic by topic: how each is measured into a file of the run folder."""

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
from convscope.data.datasets import Dataset, Splits
from convscope.evidence.ablation import ablate, filter_means
from convscope.evidence.audit import audit
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.calibration import MIN_CALIBRATED_IMAGES, Calibration, fit_temperature, measure_calibration
from convscope.evidence.calibration.temperature import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from convscope.evidence.explanation import MIN_EMBEDDED_IMAGES, Embedding, FilterCards, embed, filter_cards
from convscope.evidence.rejection import Rejection, fit_rejection, measure_rejection
from convscope.evidence.robustness import Attacks, Robustness, measure_attacks, measure_robustness
from convscope.experiment.ablation import AblationRecord
from convscope.experiment.records import SeedsRecord
from convscope.experiment.start import Start
from convscope.interchange.parity import ParityTable
from convscope.recipes import Recipe
from convscope.runs.listeners import SILENT, Listeners, Result
from convscope.runs.start import held_out_by, start_of
from convscope.runs.steps import evaluate_run, timed
from convscope.storage import RunFolder
from convscope.training.crossfit import CrossFit, crossfit
from convscope.training.ensemble import ensemble_siblings
from convscope.training.model import Model

Needs = Literal["held-out images", "out-of-fold predictions"]


@dataclass(frozen=True)
class Subject:
    """The run that is looked into."""

    folder: RunFolder
    splits: Splits
    model: Model
    listeners: Listeners = SILENT

    @cached_property
    def start(self) -> Start | None:
        """The network that the run started from; None if it started from random weights."""
        return start_of(self.folder, self.splits)

    @cached_property
    def siblings(self) -> CrossFit:
        """Networks like the run's, each trained without a fifth of the training images; trained when first needed.

        They start from what the run started from, which must have seen none of these images, see `open_topics`.
        """
        folder, start = self.folder, self.start
        if folder.record.members:
            return self._member_siblings()
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
        """Return ensembles of networks like the members, each of them trained without a fifth of the images."""
        members, fits = self.folder.record.members or (), list[CrossFit]()
        for number, member in enumerate(members):
            fits.append(
                crossfit(
                    Architecture.from_dict(member.architecture),
                    self.splits.train,
                    Recipe.from_dict(member.recipe),
                    seed=member.seed,
                    threads=self.folder.record.threads,
                    on_fold=lambda done, folds, first=number: self.listeners.on_fold(  # type: ignore[misc]
                        first * folds + done, len(members) * folds
                    ),
                    folds_seed=self.folder.seed,
                )
            )
        return ensemble_siblings(fits)

    @cached_property
    def test_logits(self) -> NDArray[np.float32]:
        return self.model.logits(self.splits.test.images)

    @cached_property
    def means(self) -> dict[str, NDArray[np.float32]]:
        return filter_means(self.model, self.splits.test.images)

    @cached_property
    def validated(self) -> tuple[Dataset, Dataset] | None:
        """The images that the run trained on and those that it held out, if any."""
        if self.folder.recipe.validation_fraction == 0 or self.folder.record.members:
            return None  # each member of an ensemble held out other images
        trained_on, held_out = held_out_by(self.folder, self.splits, self.start)
        assert held_out is not None
        return trained_on, held_out

    def held_out_parts(self) -> list[tuple[Model, Dataset, Dataset]]:
        """Return models, what each was trained on and images that it did not see: the run's own, or its siblings'."""
        if self.validated is not None:
            return [(self.model, *self.validated)]
        return self.siblings.parts(self.splits.train)

    def held_out_logits(self) -> tuple[NDArray[np.float32], NDArray[np.integer[Any]], str]:
        """Return logits and labels of images that the network which gave them did not see, and what these are."""
        if self.validated is not None:
            held_out = self.validated[1]
            return self.model.logits(held_out.images), held_out.labels, "validation images"
        siblings = self.siblings
        words = f"out-of-fold training images of {siblings.num_folds} sibling networks"
        return siblings.logits, siblings.labels, words


def _calibration(subject: Subject) -> Result:
    logits, labels, words = subject.held_out_logits()
    test = subject.splits.test
    measured = measure_calibration(
        subject.test_logits, test.labels, logits, labels, fitted_on=words, dataset_name=test.name, split=test.split
    )
    if not measured.is_at_bound:  # else these images do not tell it
        _store(
            subject,
            {"temperature": measured.temperature, "fitted_on": measured.fitted_on, "num_fitted": measured.num_fitted},
        )
    return measured


def _rejection(subject: Subject) -> Result:
    rule = fit_rejection(subject.model, subject.held_out_parts())
    measured = measure_rejection(rule, _calibrated(subject), subject.splits.test, seed=subject.folder.seed)
    _store(subject, {"rejection": rule.to_dict()})
    return measured


def _calibrated(subject: Subject) -> Model:
    """Return the run's model with the temperature that `convscope predict` applies, fitted now if none is kept."""
    if "temperature" not in subject.folder.load_model().calibration:
        _calibration(subject)
    return subject.folder.load_model()


def _store(subject: Subject, values: Mapping[str, Any]) -> None:
    """Keep with the model what its answers are worth, beside what is kept there already."""
    kept = subject.folder.load_model().calibration
    subject.folder.write_calibration(replace(subject.model, calibration={**kept, **values}))


def known_ablation(folder: RunFolder, model: Model) -> AblationRecord:
    """Read the ablation that the folder has, such as retrained architectures."""
    return folder.read_evidence("ablation", AblationRecord, model) or AblationRecord()


def _ablation(subject: Subject) -> Result:
    measured = ablate(subject.model, subject.splits.test, means=subject.means)
    return known_ablation(subject.folder, subject.model).merge(measured)


def _audit(subject: Subject) -> Result:
    siblings, own = subject.siblings, subject.folder.load_model().calibration.get("temperature", 1.0)
    theirs = fit_temperature(siblings.logits, siblings.labels)
    if theirs in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE):  # these images do not tell it
        theirs = 1.0
    train, test = siblings.logits.astype(np.float64) / theirs, subject.test_logits.astype(np.float64) / own
    return audit(subject.splits, softmax(train), softmax(test))


@dataclass(frozen=True)
class Topic:
    """One thing to know of a run: a file of its folder, an attribute of `Run` and a section of its page.

    The section is made by the function `NAME_section` of the module `convscope.report.evidence.NAME`.

    Attributes:
        record: the type of the file.
        measure: None where another job writes the file.
        cost: about how long it takes, in passes over the test images and at most in multiply-adds, if every run
            measures it; None leaves it to `convscope report`.
        min_images: test images that it needs.
        needs: what is predicted by networks that did not see the images: some, or each training image.
    """

    record: type[Record]
    measure: Callable[[Subject], Result] | None = None
    cost: tuple[float, float] | None = None
    min_images: int = 1
    needs: Needs | None = None


TOPICS: Mapping[str, Topic] = {
    "seeds": Topic(SeedsRecord),
    "calibration": Topic(Calibration, _calibration, min_images=MIN_CALIBRATED_IMAGES, needs="held-out images"),
    "rejection": Topic(Rejection, _rejection, min_images=MIN_CALIBRATED_IMAGES, needs="held-out images"),
    "filters": Topic(FilterCards, lambda subject: filter_cards(subject.model, subject.splits.test), cost=(25, 4e11)),
    "embedding": Topic(
        Embedding,
        lambda subject: embed(subject.model, subject.splits.test),
        cost=(8, 1e11),
        min_images=MIN_EMBEDDED_IMAGES,
    ),
    "ablation": Topic(AblationRecord, _ablation, cost=(80, 8e11)),
    "robustness": Topic(
        Robustness,
        lambda subject: measure_robustness(subject.model, subject.splits.test, seed=subject.folder.seed),
    ),
    "attacks": Topic(
        Attacks,
        lambda subject: measure_attacks(subject.model, subject.splits.test, seed=subject.folder.seed),
    ),
    "audit": Topic(AuditRecord, _audit, needs="out-of-fold predictions"),
    "exports": Topic(ParityTable),
}
"""By name, in the order of the page."""

MEASURED = tuple(name for name, topic in TOPICS.items() if topic.measure is not None)
"""The topics that are measured of a run's model."""


def read_topics(folder: RunFolder, topics: Iterable[str], model: Model) -> dict[str, Record]:
    """Read what is kept on those of `topics` that were measured of these weights, by topic.

    Raises:
        RunError: if a file is damaged.
    """
    records = {topic: folder.read_evidence(topic, TOPICS[topic].record, model) for topic in topics}
    return {topic: record for topic, record in records.items() if record is not None}


def open_topics(subject: Subject, requested: Sequence[str] = ()) -> tuple[tuple[str, ...], str]:
    """List the topics to measure, and for each the reason why this run has no such measurement ("" if it can).

    Args:
        asked: the topics, by name; with none, all that were not measured yet.

    Raises:
        RunError: if one that is asked for by name cannot be measured, or the model gives numbers that are not finite,
            which each topic would meet.
    """
    folder = subject.folder
    evaluate_run(folder, subject.model, subject.splits.test)
    known = read_topics(folder, MEASURED, subject.model)
    topics = tuple(requested) or tuple(topic for topic in MEASURED if topic not in known)
    closed = dict(_too_small(subject.splits))
    unseen, why = _closed_topics(subject)
    closed |= dict.fromkeys(unseen, why)
    reasons = [
        f"{', '.join(names)}: {why}"
        for why in dict.fromkeys(closed.values())
        if (names := [topic for topic in topics if closed.get(topic) == why])
    ]
    if requested and reasons:
        raise RunError(f"{folder.path}: {'; '.join(reasons)}")
    return tuple(topic for topic in topics if topic not in closed), "; ".join(reasons)


def quick_topics(splits: Splits) -> tuple[str, ...]:
    """Return the topics that every run measures and that these images are enough for."""
    too_small = _too_small(splits)
    return tuple(name for name, topic in TOPICS.items() if topic.cost is not None and name not in too_small)


def _too_small(splits: Splits) -> Mapping[str, str]:
    """Return the topics for which there are too few test images, and why."""
    count = len(splits.test)
    had = "1 test image is" if count == 1 else f"{count} test images are"
    return {
        name: f"{had} too few; at least {topic.min_images} are needed"
        for name, topic in TOPICS.items()
        if count < topic.min_images
    }


def _needing(*needs: Needs) -> tuple[str, ...]:
    return tuple(name for name, topic in TOPICS.items() if topic.needs in needs)


def _closed_topics(subject: Subject) -> tuple[tuple[str, ...], str]:
    """Return the topics that cannot be measured of this run, and why; they need images that no ancestor saw."""
    if subject.folder.record.imported:
        return _needing("held-out images"), (
            "the file of an imported network does not say which images it was trained on, so none are known to be new "
            "to it; to measure this, train its architecture from random weights: convscope run --architecture "
            f"{subject.folder.path / 'run.json'}"
        )
    if members := subject.folder.record.members:
        if all(member.is_from_random_weights for member in members):
            return (), ""
        return _needing(*get_args(Needs)), (
            "these need networks like each member that did not see some of the training images, but a member was "
            "imported, or trained on from another network"
        )
    start = subject.start
    if start is None:
        return (), ""
    images = len(subject.splits.train)
    seen = images if start.known is None else images - int(start.unseen(subject.splits.train).sum())
    if seen == 0:
        return (), ""
    closed = _needing("out-of-fold predictions") if subject.validated is not None else _needing(*get_args(Needs))
    if start.known is None:
        why = "nobody knows which images the network that this run started from was trained on"
    else:
        why = f"the network that this run started from was trained on {seen:,} of the {images:,} training images before"
    return closed, (
        f"{why}, so its answers to them are not those to new images; to measure this, train from random weights, or "
        "from a run with other training images"
        + ("" if subject.validated is not None else ", or hold new images out with `validation_fraction`")
    )


def topic_seconds(topic: str, model: Model, num_images: int, seconds: float) -> float:
    """Return about how many seconds a topic takes where a pass over `num_images` test images takes `seconds`."""
    cost = TOPICS[topic].cost
    assert cost is not None, topic
    passes, most_macs = cost
    return min(passes * seconds, most_macs * seconds / max(num_images * model.architecture.macs, 1)) + 0.3


def measure_topics(subject: Subject, topics: Sequence[str], timings: dict[str, float]) -> dict[str, Record]:
    """Measure each of `topics`, keep it in the run folder and tell the listeners; return all of it by topic."""
    measured = dict[str, Record]()
    for topic in topics:
        with timed(timings, topic):
            measure = TOPICS[topic].measure
            assert measure is not None, topic
            result = measure(subject)
            measured[topic] = result if isinstance(result, Record) else result.to_record()
            subject.folder.write_evidence(topic, measured[topic], subject.model)
        subject.listeners.on_topic(topic, result)
    return measured
