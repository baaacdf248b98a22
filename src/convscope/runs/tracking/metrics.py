"""Collect the numbers of a run by name from the records of its folder.

test/accuracy, test/accuracy_low, test/accuracy_high    the evaluation, with the ends of its interval
comparison/p_value                                      the comparison with the baseline
seeds/cnn/mean, seeds/cnn/sd                            the runs over seeds of the network `cnn`
seconds/train                                           a step of the job
"""

import re

from msgspec import UNSET

from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.evaluation import EvaluationRecord
from convscope.experiment.records import SeedsRecord
from convscope.storage.records import RunFile
from convscope.training.memory import Memory, Timings

_MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")  # attributes of an evaluation that have an interval
_MAX_NAME_CHARACTERS = 60  # one part of a metric's name; MLflow takes 250 for the whole


def collect_metrics(
    record: RunFile,
    evaluation: EvaluationRecord | None,
    comparison: ComparisonRecord | None = None,
    seeds: SeedsRecord | None = None,
    timings: Timings | None = None,
) -> dict[str, float]:
    """Collect the measured numbers of a run, without those that are unknown."""
    values: dict[str, float | None] = {
        "epochs_trained": None if record.epochs_trained is UNSET else record.epochs_trained,
        "best_epoch": record.best_epoch or None,
    }
    if evaluation is not None:
        values["test/loss"] = evaluation.loss
        for name in _MEASURES:
            values[f"test/{name}"] = getattr(evaluation, name)
            values[f"test/{name}_low"], values[f"test/{name}_high"] = getattr(evaluation, f"{name}_interval")
    if comparison is not None:
        values |= _collect_comparison("comparison", comparison)
    if seeds is not None:
        for group in seeds.table:
            name = f"seeds/{clean_name(group.architecture)}"
            values |= {f"{name}/num_runs": group.num_runs, f"{name}/mean": group.mean, f"{name}/sd": group.sd}
            values[f"{name}/mean_low"], values[f"{name}/mean_high"] = group.interval or (None, None)
        if seeds.comparison is not None:
            values |= _collect_comparison("seeds/comparison", seeds.comparison)
    for step, seconds in (timings or {}).items():  # also `memory`, which is no time
        values[f"seconds/{clean_name(step)}"] = None if isinstance(seconds, Memory) else seconds
    return {name: float(value) for name, value in values.items() if value is not None}


def clean_name(name: str) -> str:
    """Replace characters in `name` that trackers refuse by `_`, and shorten it."""
    return re.sub(r"[^\w .-]", "_", name, flags=re.ASCII)[:_MAX_NAME_CHARACTERS].strip() or "_"


def _collect_comparison(name: str, comparison: ComparisonRecord) -> dict[str, float]:
    low, high = comparison.accuracy_difference_interval
    return {
        f"{name}/accuracy_difference": comparison.accuracy_difference,
        f"{name}/accuracy_difference_low": low,
        f"{name}/accuracy_difference_high": high,
        f"{name}/p_value": comparison.p_value,
    }
