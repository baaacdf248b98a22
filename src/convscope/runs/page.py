"""The figures and the page of a run, from what its folder holds; what is quick and not there yet is measured first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.explanation import explain
from convscope.report import Replay, RunContents, write_figures, write_report
from convscope.report.evidence import TOPICS, render_evidence
from convscope.runs.steps import Measured, compare_runs, evaluate_run, load_baseline, load_measured, timed
from convscope.runs.topics import QUICK, Subject, measure_topics
from convscope.storage import RunFolder

_FIRST_IMAGES = 1000  # enough to see that the logits of a model are not finite


@dataclass(frozen=True, eq=False)
class Found:
    """What was measured of a run, and of the run that it is compared with, if there is one."""

    run: Measured
    baseline: Measured | None = None
    comparison: Comparison | None = None


def load_found(folder: RunFolder, splits: Splits) -> Found:
    """Return what the folder of a trained run holds; a comparison that is not there is made of what is."""
    run, baseline = load_measured(folder, splits), load_baseline(folder, splits)
    return Found(run, baseline, None if baseline is None else compare_runs(run, baseline, splits))


def run_contents(found: Found, splits: Splits, index: int, timings: dict[str, float]) -> RunContents:
    """Return all that the page of a run shows.

    Args:
        index: of the test image whose feature maps are shown.
        timings: grows by the seconds of each topic that is measured, and by those of `explain` and `report`.
    """
    run, folder, subject = found.run, found.run.folder, Subject(found.run.folder, splits, found.run.model)
    evidence = _topics(subject, timings)
    with timed(timings, "report"):
        sections = render_evidence(evidence)
    with timed(timings, "explain"):
        explanation = explain(run.model, splits.test, index)
    return RunContents(
        splits=splits,
        recipe=folder.recipe,
        trained=_replay(run, subject.means),
        evaluation=run.evaluation,
        explanation=explanation,
        record={**folder.read("run.json"), "timings": dict(timings)},
        baseline=None if found.baseline is None else _replay(found.baseline),
        comparison=found.comparison,
        evidence=sections,
    )


def write_run_report(found: Found, splits: Splits, index: int, timings: dict[str, float]) -> Path:
    """Draw the figures and write the page, and return its path.

    Args: as for `run_contents`.
    """
    folder, contents = found.run.folder, run_contents(found, splits, index, timings)
    folder.write("explanation.json", contents.explanation.to_dict())
    if found.comparison is not None and not folder.has("comparison.json"):
        folder.write("comparison.json", found.comparison.to_dict())  # so that its times are measured once
    with timed(timings, "report"):
        write_figures(folder.place("figures"), contents)
        return write_report(folder.path, contents)


def _replay(run: Measured, means: Mapping[str, NDArray[np.float32]] | None = None) -> Replay:
    return Replay(run.model, run.trained.history, run.folder.load_snapshots(), means)


def _topics(subject: Subject, timings: dict[str, float]) -> Mapping[str, dict[str, Any]]:
    """Return what is kept of the run by topic, after measuring what is quickly measured and not there yet."""
    known, test = subject.folder.read_evidence(TOPICS, subject.model), subject.splits.test
    missing = [topic for topic in QUICK if topic not in known]
    if missing:  # none of them can be measured of a model whose logits are not finite
        evaluate_run(subject.folder, subject.model, test.take(np.arange(min(len(test), _FIRST_IMAGES))))
    return known | measure_topics(subject, missing, timings)
