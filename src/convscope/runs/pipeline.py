"""The jobs: train and evaluate; the main job, which also measures and writes the page; and the page alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from convscope.base.blas import one_blas_thread
from convscope.base.records import Record
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.evaluation import Evaluation
from convscope.runs.jobs import Job, baseline_job, check_index
from convscope.runs.listeners import Listeners
from convscope.runs.steps import EvaluatedRun, compare_runs, measure_job_memory, measure_run, measure_time, train_run
from convscope.storage import RunFolder
from convscope.training.memory import Memory, give_back_memory

# What only the main job needs is imported in it: these modules take longer to load than a short training.
if TYPE_CHECKING:
    from convscope.runs.evidence import EvidenceRecords
    from convscope.runs.page import RunPage
    from convscope.runs.seeds import SeedRuns


@dataclass(frozen=True, eq=False)
class JobResult:
    """The result of a job.

    Attributes:
        timings: seconds by step, with their `total`.
        report: the page; None for a job that only trains.
    """

    evaluation: Evaluation
    timings: dict[str, float]
    memory: Memory
    comparison: Comparison | None = None
    seeds: "SeedRuns | None" = None
    report: Path | None = None


_MIN_PAGE_SECONDS = 3.0  # a page that would be replaced earlier is not written; writing it takes about 0.3


def train_job(job: Job, timings: dict[str, float], listeners: Listeners) -> JobResult:
    """Train for the remaining epochs and evaluate on the test images."""
    measured, memory = _train(job, timings, listeners)
    return _finish(job, JobResult(measured.evaluation, timings, memory))


def main_job(job: Job, timings: dict[str, float], listeners: Listeners) -> JobResult:
    """Train, evaluate and write the page; then measure in phases, and update the page before a long one and at the end.

    train | evaluate | page    comparison | filters | embedding | ablation | page    seeds | page
                                                                                     a long phase
    """
    # The engine has its own threads. One more Python thread loads and computes parts of the page beside the main one.
    with one_blas_thread(), ThreadPoolExecutor(1) as executor:
        loading = executor.submit(_load_page)
        run, memory = _train(job, timings, listeners)
        with measure_time(timings, "report"):
            loading.result()  # raises an error of the import here
            from convscope.runs.page import MeasuredRun, RunPage

        assert job.options is not None, "the main job has options"
        page = RunPage(MeasuredRun(run), job.splits, job.options.index, timings, listeners, executor)
        listeners.on_page(run.evaluation, page.write())  # a first page within seconds, before the phases
        phases = _Phases(job, page, run, timings, listeners)
        plan = phases.plan()
        written = perf_counter()
        try:
            for number, phase in enumerate(plan):
                # Estimated anew before each phase: by now the seconds of the baseline may be known.
                seconds = [remaining.seconds() for remaining in plan[number:]]
                if number > 0 and perf_counter() - written + seconds[0] > _MIN_PAGE_SECONDS:
                    page.write()
                    written = perf_counter()
                listeners.on_phase(phase.title, sum(seconds))
                give_back_memory()  # drawing the page, and each phase, takes about 30 MB for a moment
                phase.work()
                give_back_memory()
        except BaseException:  # Ctrl-C, for example; what is finished is on the page
            with suppress(Exception):
                page.write()
            raise
        result = JobResult(run.evaluation, timings, memory, phases.comparison, phases.seeds, page.write())
        return _finish(job, result)


def _load_page() -> None:
    """Import the modules of the page, which takes half a second (mostly matplotlib), while a training runs."""
    import convscope.runs.page  # noqa: F401 (loaded here, used later)
    from convscope.report import load_parts

    load_parts()


@dataclass(frozen=True)
class _Phase:
    """A part of the main job after the evaluation; `seconds` estimates its duration."""

    title: str
    seconds: Callable[[], float]
    work: Callable[[], None]


class _Phases:
    """The measurements of the main job after the first page, with the quick and informative ones first."""

    def __init__(
        self, job: Job, page: "RunPage", run: EvaluatedRun, timings: dict[str, float], listeners: Listeners
    ) -> None:
        assert job.options is not None, "the main job has options"
        self._folder, self._splits, self._options = job.folder, job.splits, job.options
        self._page, self._timings, self._listeners = page, timings, listeners
        self._measured = [run]  # the baseline is added once it is trained
        self._baseline_job = baseline_job(job.folder, job.splits) if job.options.baseline else None
        self.comparison: Comparison | None = None
        self.seeds: SeedRuns | None = None

    def plan(self) -> list[_Phase]:
        """List the phases in their order."""
        from convscope.runs.topics import estimate_seconds

        # A topic's cost is known in passes over the test images, of which the evaluation was one.
        seconds, model = self._timings["evaluate"], self._measured[0].model
        topics = [
            _Phase(
                topic,
                partial(estimate_seconds, topic, model, len(self._splits.test), seconds),
                partial(self._page.measure, [topic]),
            )
            for topic in self._page.missing
        ]
        compared = [] if self._baseline_job is None else [_Phase("comparison", self._estimate_baseline, self._compare)]
        seeds = [] if self._options.seeds == 1 else [_Phase("seeds", self._estimate_seeds, self._train_seeds)]
        return [*compared, *topics, *seeds]

    def _estimate_baseline(self) -> float:
        return self._timings.get("baseline", self._timings["train"])  # until it is measured, as long as the run's own

    def _compare(self) -> None:
        assert self._baseline_job is not None, "it is planned only then"
        baseline = train_baseline(self._baseline_job, self._timings, self._listeners)
        self.comparison = compare_runs(self._measured[0], baseline, self._splits)
        self._measured.append(baseline)
        self._folder.write("comparison.json", self.comparison.to_dict())
        self._page.compare(baseline, self.comparison)

    def _estimate_seeds(self) -> float:
        from convscope.runs.seeds import choose_seed_count

        seconds_each = self._timings["train"] + (0.0 if self._baseline_job is None else self._estimate_baseline())
        return seconds_each * (choose_seed_count(self._options.seeds, seconds_each)[0] - 1)  # the first is trained

    def _train_seeds(self) -> None:
        from convscope.runs.seeds import train_seeds

        self.seeds = train_seeds(
            self._measured, self._splits, self.comparison, self._options.seeds, self._timings, self._listeners
        )
        if self.seeds is not None:
            record = self.seeds.to_record()
            self._folder.write_evidence("seeds", record, self._measured[0].model)
            self._page.add("seeds", record)


ALL, VARIANTS = "all", "architectures"
"""Names for `report_job`, in addition to the topics: all missing topics, and retrained variants of the network."""


def report_job(
    folder: RunFolder,
    splits: Splits,
    topics: Sequence[str],
    index: int,
    executor: str | None,
    timings: dict[str, float],
    listeners: Listeners,
) -> "tuple[EvidenceRecords, RunPage]":
    """Measure topics of a trained run; return the evidence by topic, and the page, which is not written yet.

    Args:
        topics: their names, `ALL` or `VARIANTS`; without any, only the page is made.
        index: that of the test image whose feature maps the page shows.
        executor: trains variants, see `open_executor`; None for this process.
    """
    from convscope.runs.ablation import retrain_variants
    from convscope.runs.evidence import EvidenceRecords
    from convscope.runs.page import complete_page, load_measured_run
    from convscope.runs.topics import Subject, measure_topics, open_topics

    check_index(index, splits)
    measured = dict[str, Record]()
    if requested := [topic for topic in topics if topic != VARIANTS]:
        subject = Subject(folder, splits, folder.load_model(), listeners)
        to_measure, left_out = open_topics(subject, [] if ALL in requested else requested)
        if left_out:
            listeners.on_left_out(left_out)
        measured = dict(measure_topics(subject, to_measure, timings))
    if VARIANTS in topics:
        with measure_time(timings, VARIANTS):
            measured["ablation"] = retrain_variants(folder, splits, executor, listeners)
    return EvidenceRecords(**measured), complete_page(load_measured_run(folder, splits), splits, index, timings)


def _train(job: Job, timings: dict[str, float], listeners: Listeners) -> tuple[EvaluatedRun, Memory]:
    trained = train_run(job, timings, "train", listeners)
    memory = measure_job_memory(job)  # now, since what follows may use more memory than the training
    with measure_time(timings, "evaluate"):
        return measure_run(trained, job.splits), memory


def train_baseline(job: Job, timings: dict[str, float], listeners: Listeners) -> EvaluatedRun:
    """Train and evaluate the dense network that a run is compared with."""
    trained = train_run(job, timings, "baseline", listeners)
    with measure_time(timings, "baseline"):
        baseline = measure_run(trained, job.splits)
        job.folder.finish()  # only a finished baseline is read again, see `load_baseline`
    return baseline


def _finish(job: Job, result: JobResult) -> JobResult:
    timings = result.timings
    timings["total"] = sum(timings.values())
    job.folder.write("timings.json", {**timings, "memory": result.memory.to_dict()})
    job.folder.finish()  # last, as it says that all files are there
    return result
