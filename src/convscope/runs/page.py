"""The page of a run: written as soon as the run is measured, and again whenever more of it is known."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import structs

from convscope.base.figure_style import FigureStyle
from convscope.base.records import Record, from_attributes
from convscope.base.sharing import shareable
from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.explanation import explain
from convscope.report import Replay, RunContents, write_figures, write_report
from convscope.report.evidence import RenderedSection, render_evidence
from convscope.report.records import PageRecord
from convscope.runs.listeners import SILENT, Listeners
from convscope.runs.steps import Measured, compare_runs, evaluate_run, load_baseline, load_measured, timed
from convscope.runs.topics import TOPICS, Subject, measure_topics, quick_topics, read_topics
from convscope.storage import RunFolder

_FIRST_IMAGES = 1000  # enough to see that the logits of a model are not finite


@dataclass(frozen=True, eq=False)
class Found:
    """The measurements of a run, and of the run that it is compared with, if any."""

    run: Measured
    baseline: Measured | None = None
    comparison: Comparison | None = None


def load_found(folder: RunFolder, splits: Splits) -> Found:
    """Load the folder of a trained run; a comparison that is missing is computed."""
    run, baseline = load_measured(folder, splits), load_baseline(folder, splits)
    return Found(run, baseline, None if baseline is None else compare_runs(run, baseline, splits))


class RunPage:
    """The page of a run, which can be written again and again: what has not changed is drawn and packed once."""

    def __init__(
        self,
        measured: Found,
        splits: Splits,
        index: int,
        timings: dict[str, float],
        listeners: Listeners = SILENT,
        beside: Executor | None = None,
    ) -> None:
        """Take up what the folder holds on each topic.

        Args:
            index: of the test image whose feature maps are shown.
            timings: grows by the seconds of each topic that is measured, and by those of `explain` and `report`.
            beside: where the engine computes while the page is drawn; by default here.
        """
        run = measured.run
        self._run, self._splits, self._index, self._timings = run, splits, index, timings
        self._subject = Subject(run.folder, splits, run.model, listeners)
        self._comparison, self._baseline = measured.comparison, _replay(measured.baseline)
        self._evidence = read_topics(run.folder, TOPICS, run.model)
        self._sections = dict[str, RenderedSection]()
        self._contents: RunContents | None = None
        self._beside = beside

    @property
    def missing(self) -> Sequence[str]:
        """The topics that take seconds and were not measured yet, in the order in which a run measures them."""
        return [topic for topic in quick_topics(self._splits) if topic not in self._evidence]

    def measure(self, topics: Iterable[str]) -> None:
        """Measure `topics`, and keep them in the folder."""
        for topic, record in measure_topics(self._subject, list(topics), self._timings).items():
            self.add(topic, record)

    def add(self, topic: str, record: Record) -> None:
        """Show what was measured on a topic, in place of what was shown."""
        self._evidence[topic] = record
        self._sections.pop(topic, None)

    def compare(self, baseline: Measured, comparison: Comparison) -> None:
        """Show the comparison with another run."""
        self._baseline, self._comparison = _replay(baseline), comparison

    def contents(self) -> RunContents:
        """Return all that the page shows now."""
        run, folder = self._run, self._run.folder
        with timed(self._timings, "report"):
            for topic in self._evidence.keys() - self._sections.keys():
                (self._sections[topic],) = render_evidence({topic: self._evidence[topic]})
        evidence = [self._sections[topic] for topic in TOPICS if topic in self._sections]
        record = from_attributes(PageRecord, shareable(folder.read_record()), timings=dict(self._timings))
        if self._contents is not None:
            self._contents = self._contents.with_changes(record, self._baseline, self._comparison, evidence)
            return self._contents
        with timed(self._timings, "explain"):
            explanation = explain(run.model, self._splits.test, self._index)
        means = partial(getattr, self._subject, "means")
        waited_for = means if self._beside is None else self._beside.submit(means).result
        self._contents = RunContents(
            splits=self._splits,
            recipe=folder.recipe,
            trained=Replay(run.model, run.history, folder.load_snapshots(), waited_for),
            evaluation=run.evaluation,
            explanation=explanation,
            record=structs.replace(record, timings=dict(self._timings)),
            baseline=self._baseline,
            comparison=self._comparison,
            evidence=evidence,
        )
        return self._contents

    def write(self) -> Path:
        """Write the page, and return its path."""
        folder, is_first = self._run.folder, self._contents is None
        contents = self.contents()
        if is_first:
            folder.write("explanation.json", contents.explanation.to_dict())
        if self._comparison is not None and not folder.has("comparison.json"):
            folder.write("comparison.json", self._comparison.to_dict())  # so that its times are measured once
        with timed(self._timings, "report"):
            return write_report(folder.path, contents)


def complete_page(
    measured: Found, splits: Splits, index: int, timings: dict[str, float], listeners: Listeners = SILENT
) -> RunPage:
    """Return the page of a run after measuring what takes seconds and is missing; the arguments are `RunPage`'s.

    `listeners.on_step` hears of each topic.
    """
    page, test = RunPage(measured, splits, index, timings), splits.test
    if page.missing:  # none of them can be measured of a model whose logits are not finite
        evaluate_run(measured.run.folder, measured.run.model, test.take(np.arange(min(len(test), _FIRST_IMAGES))))
        missing = list(page.missing)
        for done, topic in enumerate(missing):
            listeners.on_step(f"measuring {topic}", done, len(missing))
            page.measure([topic])
    return page


def write_run_figures(
    folder: RunFolder, splits: Splits, index: int, names: Sequence[str], style: FigureStyle, out: Path | None
) -> list[Path]:
    """Write a run's figures and return their paths.

    Args:
        index: of the test image whose feature maps are shown.
        names: as `convscope.report.write_figures` takes them.
        out: the folder; None is figures/ in the run folder.

    Raises:
        FigureError: if there is no figure of a name.
    """
    contents = RunPage(load_found(folder, splits), splits, index, {}).contents()
    return write_figures(out or folder.place("figures"), contents, names, style)


def _replay(run: Measured | None) -> Replay | None:
    return None if run is None else Replay(run.model, run.history, run.folder.load_snapshots())
