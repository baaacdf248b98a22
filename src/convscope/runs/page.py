"""The figures and the page of a run, from what its folder holds; what is quick and not there yet is measured first."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convscope.data.datasets import Splits
from convscope.evidence.comparison import Comparison
from convscope.evidence.explanation import explain
from convscope.report import report_payload, write_figures, write_report
from convscope.report.evidence import TOPICS, render_evidence
from convscope.runs.steps import Measured, compare_runs, evaluate_run, load_baseline, load_measured, timed
from convscope.runs.topics import QUICK, Subject, measure_topics
from convscope.storage import RunFolder

_FIRST_IMAGES = 1000  # of which a model that has overflowed gives some that are not finite


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


def page_payload(found: Found, splits: Splits, index: int, timings: dict[str, float]) -> dict[str, Any]:
    """Return all that the page shows of a run, as one plain JSON document.

    Args:
        index: of the test image whose feature maps are shown.
    """
    return _payload(found, splits, index, timings)[0]


def write_run_report(found: Found, splits: Splits, index: int, timings: dict[str, float]) -> Path:
    """Draw the figures and write the page, and return its path.

    Args:
        index: of the test image whose feature maps are shown.
        timings: grows by the seconds of each topic that is measured, and by those of `explain` and `report`.
    """
    folder = found.run.folder
    payload, rendered = _payload(found, splits, index, timings)
    folder.write("explanation.json", payload["explanation"])
    if found.comparison is not None and not folder.has("comparison.json"):
        folder.write("comparison.json", found.comparison.to_dict())  # so that its times are measured once
    with timed(timings, "report"):
        write_figures(folder.place("figures"), payload, rendered)
        return write_report(folder.path, payload, rendered)


def _payload(found: Found, splits: Splits, index: int, timings: dict[str, float]) -> tuple[dict[str, Any], Any]:
    run, baseline = found.run, found.baseline
    folder, subject = run.folder, Subject(run.folder, splits, run.model)
    evidence = _topics(subject, timings)
    with timed(timings, "report"):
        rendered = render_evidence(evidence)
    with timed(timings, "explain"):
        explanation = explain(run.model, splits.test, index)
    with timed(timings, "report"):
        payload = report_payload(
            model=run.model,
            splits=splits,
            recipe=folder.recipe,
            history=run.trained.history,
            evaluation=run.evaluation,
            explanation=explanation,
            means=subject.means,
            comparison=found.comparison,
            baseline=baseline.model if baseline else None,
            baseline_history=baseline.trained.history if baseline else None,
            snapshots=folder.load_snapshots(),
            baseline_snapshots=baseline.folder.load_snapshots() if baseline else None,
            evidence=evidence,
            rendered=rendered,
            record={**folder.read("run.json"), "timings": dict(timings)},
        )
    return payload, rendered


def _topics(subject: Subject, timings: dict[str, float]) -> Mapping[str, dict[str, Any]]:
    """Return what is kept of the run by topic, after measuring what is quickly measured and not there yet."""
    known, test = subject.folder.read_evidence(TOPICS, subject.model), subject.splits.test
    missing = [topic for topic in QUICK if topic not in known]
    if missing:  # none of them can be measured of a model whose logits are not finite
        evaluate_run(subject.folder, subject.model, test.take(np.arange(min(len(test), _FIRST_IMAGES))))
    return known | measure_topics(subject, missing, timings)
