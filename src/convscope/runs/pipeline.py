"""The jobs: train and measure; the main job, which also compares, looks inside and writes the page; and evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.evidence.explanation import EmbeddingMethod
from convscope.runs.jobs import Job, check_index
from convscope.runs.listeners import Listeners
from convscope.runs.run_json import job_record
from convscope.runs.seeds import SeedRuns, train_seeds
from convscope.runs.steps import (
    Measured,
    baseline_folder,
    compare_runs,
    measure_run,
    memory_of,
    timed,
    train_run,
)
from convscope.runs.topics import Subject, measure_topics, open_topics
from convscope.runs.tracking import Trackers
from convscope.storage import RunFolder
from convscope.training.memory import Memory


@dataclass(frozen=True, eq=False)
class JobOutcome:
    """What a job has come to.

    Attributes:
        timings: seconds by step, and of all as `total`.
        report: the page; None of a job that only trains.
    """

    evaluation: Evaluation
    timings: dict[str, float]
    memory: Memory
    comparison: Comparison | None = None
    seeds: SeedRuns | None = None
    report: Path | None = None


def train_job(job: Job, timings: dict[str, float], tracking: Trackers, listeners: Listeners) -> JobOutcome:
    """Train to the end of the recipe, from wherever the folder stands, and evaluate on the test images."""
    folder = job.folder
    with tracking.following(folder.path):
        measured, memory = _train(job, timings, tracking, listeners)
        return _finish(job, JobOutcome(measured.evaluation, timings, memory))


def main_job(job: Job, timings: dict[str, float], tracking: Trackers, listeners: Listeners) -> JobOutcome:
    """Train, evaluate, compare with the dense network and over seeds, look inside, and write the page."""
    folder, splits, options = job.folder, job.splits, job.options
    assert options is not None, "the main job has options"
    with tracking.following(folder.path):
        run, memory = _train(job, timings, tracking, listeners)
        measured, comparison = [run], None
        other = baseline_folder(folder, splits) if options.baseline else None
        if other is not None:
            trained = train_run(other, splits, timings, "baseline", tracking, listeners)
            with timed(timings, "baseline"):
                measured.append(measure_run(trained, splits))
                other.finish()
            comparison = compare_runs(run, measured[1], splits)
            folder.write("comparison.json", comparison.to_dict())
        seeds = train_seeds(measured, splits, comparison, options.seeds, timings, listeners)
        if seeds is not None:
            folder.write_evidence("seeds", seeds.to_dict(), run.model)
        count = 1 if seeds is None else len({one.seed for one in seeds.experiment.runs})
        record = folder.read("run.json")  # another machine would find time for another number
        command = job_record(folder.path, record, replace(options, seeds=count))["command"]
        folder.write("run.json", {**record, "command": command})
        with timed(timings, "report"):  # matplotlib takes its time to load
            from convscope.runs.page import Found, write_run_report

        found = Found(run, measured[1] if other is not None else None, comparison)
        report = write_run_report(found, splits, options.index, timings)
        return _finish(job, JobOutcome(run.evaluation, timings, memory, comparison, seeds, report))


@dataclass(frozen=True)
class EvidenceRequest:
    """What is asked of the evidence job.

    Attributes:
        topics: by name; with none, all that were not measured yet.
        embedding: how the last hidden layer comes into the plane.
        index: of the test image whose feature maps the page shows.
    """

    topics: Sequence[str] = ()
    embedding: EmbeddingMethod = "pca"
    index: int = 0


def evidence_job(
    folder: RunFolder, splits: Splits, request: EvidenceRequest, timings: dict[str, float], listeners: Listeners
) -> tuple[dict[str, dict[str, Any]], Path]:
    """Measure topics of a trained run and write its page; return what was measured by topic, and the page's path.

    `listeners` hear what is left out, and each topic when it has been measured, which is kept then.
    """
    from convscope.runs.page import load_found, write_run_report  # matplotlib takes its time to load

    check_index(request.index, splits)
    subject = Subject(folder, splits, folder.load_model(), listeners, request.embedding)
    topics, left_out = open_topics(subject, request.topics)
    if left_out:
        listeners.on_left_out(left_out)
    measured = measure_topics(subject, topics, timings)
    return measured, write_run_report(load_found(folder, splits), splits, request.index, timings)


def _train(job: Job, timings: dict[str, float], tracking: Trackers, listeners: Listeners) -> tuple[Measured, Memory]:
    trained = train_run(job.folder, job.splits, timings, "train", tracking, listeners)
    memory = memory_of(job.folder, job.splits)
    with timed(timings, "evaluate"):
        return measure_run(trained, job.splits), memory


def _finish(job: Job, outcome: JobOutcome) -> JobOutcome:
    timings = outcome.timings
    timings["total"] = sum(timings.values())
    job.folder.write("timings.json", {**timings, "memory": outcome.memory.to_dict()})
    job.folder.finish()
    return outcome
