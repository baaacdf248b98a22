"""Write the page of a run as soon as the run is measured, and again after each further measurement."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import structs

from convscope.base.figure_style import FigureStyle
from convscope.base.records import Record, from_attributes
from convscope.base.sharing import shareable
from convscope.data.datasets import Splits
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.comparison import Comparison
from convscope.evidence.explanation import Explanation, explain
from convscope.report import Replay, RunContents, write_figures, write_report
from convscope.report.evidence import RenderedSection, render_evidence
from convscope.report.records import PageRecord
from convscope.runs.cleaning import write_cleaner
from convscope.runs.listeners import SILENT, Listeners
from convscope.runs.steps import EvaluatedRun, compare_runs, evaluate_run, load_baseline, load_run, measure_time
from convscope.runs.topics import TOPICS, Subject, list_quick_topics, measure_topics, read_topics
from convscope.storage import RunFolder

_FIRST_IMAGES = 1000  # enough to see that the logits of a model are not finite


@dataclass(frozen=True, eq=False)
class MeasuredRun:
    """The measurements of a run and of its baseline, if it has one."""

    run: EvaluatedRun
    baseline: EvaluatedRun | None = None
    comparison: Comparison | None = None


def load_measured_run(folder: RunFolder, splits: Splits) -> MeasuredRun:
    """Load a trained run with its baseline and their comparison."""
    run, baseline = load_run(folder, splits), load_baseline(folder, splits)
    return MeasuredRun(run, baseline, None if baseline is None else compare_runs(run, baseline, splits))


class RunPage:
    """The page of a run, which can be written again and again; unchanged parts are drawn and packed once."""

    def __init__(
        self,
        measured: MeasuredRun,
        splits: Splits,
        index: int,
        timings: dict[str, float],
        listeners: Listeners = SILENT,
        executor: Executor | None = None,
    ) -> None:
        """Read the evidence in the folder.

        Args:
            index: that of the test image whose feature maps are shown.
            timings: grows by the seconds of each measured topic, and by those of `explain` and `report`.
            executor: computes with the engine while the page is drawn; by default this thread does both.
        """
        run = measured.run
        self._run, self._splits, self._index, self._timings = run, splits, index, timings
        self._subject = Subject(run.folder, splits, run.model, listeners)
        self._comparison, self._baseline = measured.comparison, _make_replay(measured.baseline)
        self._evidence = read_topics(run.folder, TOPICS, run.model)
        self._sections = dict[str, RenderedSection]()  # drawn, by topic; `add` drops those of old evidence
        self._contents: RunContents | None = None  # None until the page is made for the first time
        self._executor = executor
        self.cleaner: Path | None = None
        """The page of the suspect labels, once it is written."""

    @property
    def missing(self) -> Sequence[str]:
        """The quick topics that were not measured yet, in the order in which a run measures them."""
        topics = list_quick_topics(self._splits)
        if self._run.folder.record.members:  # of thousands of filters, none of which matters alone
            topics = tuple(topic for topic in topics if topic not in ("filters", "ablation"))
        return [topic for topic in topics if topic not in self._evidence]

    def measure(self, topics: Iterable[str]) -> None:
        """Measure `topics`, and write them to the folder."""
        for topic, record in measure_topics(self._subject, list(topics), self._timings).items():
            self.add(topic, record)

    def add(self, topic: str, record: Record) -> None:
        """Show new evidence on a topic."""
        self._evidence[topic] = record
        self._sections.pop(topic, None)
        self.cleaner = None if topic == "audit" else self.cleaner

    def compare(self, baseline: EvaluatedRun, comparison: Comparison) -> None:
        """Show the comparison with another run."""
        self._baseline, self._comparison = _make_replay(baseline), comparison

    def contents(self) -> RunContents:
        """Collect everything that the page shows; later calls keep what has not changed."""
        with measure_time(self._timings, "report"):
            for topic in self._evidence.keys() - self._sections.keys():  # not drawn yet
                (self._sections[topic],) = render_evidence({topic: self._evidence[topic]})
        evidence = [self._sections[topic] for topic in TOPICS if topic in self._sections]
        # Read again, because the training has added results to the record since the folder was opened.
        record = from_attributes(PageRecord, shareable(self._run.folder.read_record()), timings=dict(self._timings))
        if self._contents is None:
            self._contents = self._make_contents(record, evidence)
        else:
            self._contents = self._contents.with_changes(record, self._baseline, self._comparison, evidence)
        return self._contents

    def _make_contents(self, record: PageRecord, evidence: Sequence[RenderedSection]) -> RunContents:
        """Make the contents for the first time, with the explanation of the test image."""
        run = self._run
        with measure_time(self._timings, "explain"):
            explanation = explain(run.model, self._splits.test, self._index)
            if run.folder.record.members:
                explanation = _show_first_member(explanation)
        # A function that returns the means of the filters. Without an executor they are computed when it is called.
        # With one, another thread begins now, and the function waits for it. The subject keeps the means, so the topic
        # "ablation" does not compute them again.
        compute_means = partial(getattr, self._subject, "means")
        get_means = compute_means if self._executor is None else self._executor.submit(compute_means).result
        return RunContents(
            splits=self._splits,
            recipe=run.folder.recipe,
            trained=Replay(run.model, run.history, run.folder.load_snapshots(), get_means),
            evaluation=run.evaluation,
            explanation=explanation,
            record=structs.replace(record, timings=dict(self._timings)),  # with the seconds of `explain`
            baseline=self._baseline,
            comparison=self._comparison,
            evidence=evidence,
        )

    def write(self) -> Path:
        """Write the page, and return its path."""
        folder, is_first = self._run.folder, self._contents is None
        contents = self.contents()
        if is_first:
            folder.write("explanation.json", contents.explanation.to_dict())
        if self._comparison is not None and not folder.has("comparison.json"):
            # Kept, because its times of predictions would be others when measured again.
            folder.write("comparison.json", self._comparison.to_dict())
        with measure_time(self._timings, "report"):
            audit = self._evidence.get("audit")
            if isinstance(audit, AuditRecord) and self.cleaner is None:
                self.cleaner = write_cleaner(folder, self._splits, audit)
            return write_report(folder.path, contents)


def _show_first_member(explanation: Explanation) -> Explanation:
    """Leave out the layers of all members of an ensemble but the first, whose names begin with m1_."""
    layers = {name: outputs for name, outputs in explanation.activations.items() if name.startswith("m1_")}
    kernels = tuple(bank for bank in explanation.kernels if bank.layer in layers)
    return replace(explanation, activations=layers, kernels=kernels)


def complete_page(
    measured: MeasuredRun, splits: Splits, index: int, timings: dict[str, float], listeners: Listeners = SILENT
) -> RunPage:
    """Make the page of a run after measuring its missing quick topics; the arguments are `RunPage`'s."""
    page, test = RunPage(measured, splits, index, timings), splits.test
    if page.missing:  # no topic can be measured if the logits are not finite: this raises the error for all of them
        evaluate_run(measured.run.folder, measured.run.model, test.take(np.arange(min(len(test), _FIRST_IMAGES))))
        missing = list(page.missing)  # a copy, as `measure` makes the property shorter
        for done, topic in enumerate(missing):
            listeners.on_step(f"measuring {topic}", done, len(missing))
            page.measure([topic])
    return page


def write_run_figures(
    folder: RunFolder, splits: Splits, index: int, names: Sequence[str], style: FigureStyle, out: Path | None
) -> list[Path]:
    """Write a run's figures and return their paths; the arguments are those of `Run.figures`."""
    contents = RunPage(load_measured_run(folder, splits), splits, index, {}).contents()
    return write_figures(out or folder.locate("figures"), contents, names, style)


def _make_replay(run: EvaluatedRun | None) -> Replay | None:
    return None if run is None else Replay(run.model, run.history, run.folder.load_snapshots())
