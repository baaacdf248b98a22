"""The numbers of a whole run by name, such as `test/accuracy`, from the JSON files of its folder."""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

_MEASURES = ("accuracy", "balanced_accuracy", "macro_f1")
_MOST_NAME_CHARACTERS = 60


def result_metrics(found: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of what is in `found` (file name without `.json`) and of `run.json`.

    Raises:
        KeyError, TypeError, ValueError: if something is missing, or no finite number.
    """
    values: dict[str, Any] = {
        name: record[name] for name in ("epochs_trained", "best_epoch") if record.get(name) is not None
    }
    if evaluation := found.get("evaluation"):
        values["test/loss"] = evaluation["loss"]
        for name in _MEASURES:
            values[f"test/{name}"] = evaluation[name]
            values[f"test/{name}_low"], values[f"test/{name}_high"] = evaluation[f"{name}_interval"]
    if comparison := found.get("comparison"):
        values |= _comparison("comparison", comparison)
    if seeds := found.get("seeds"):
        for group in seeds["table"]:
            name = f"seeds/{clean(group['architecture'])}"
            values |= {f"{name}/num_runs": group["num_runs"], f"{name}/mean": group["mean"]}
            if group["sd"] is not None:
                values[f"{name}/sd"] = group["sd"]
            if group["interval"] is not None:
                values[f"{name}/mean_low"], values[f"{name}/mean_high"] = group["interval"]
        if seeds["comparison"] is not None:
            values |= _comparison("seeds/comparison", seeds["comparison"])
    timings = found.get("timings", {})
    values |= {f"seconds/{clean(step)}": value for step, value in timings.items() if step != "memory"}
    return {name: _finite(name, value) for name, value in values.items()}


def logged_class_metrics(evaluation: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return a row a class: its name as text, and finite numbers, None where nothing was measured.

    Raises as `result_metrics` does.
    """
    rows = []
    for row in evaluation.get("classes", ()):
        low, high = row["recall_interval"] or (None, None)  # a class without images
        numbers = {name: row[name] for name in ("support", "precision", "recall", "f1")}
        numbers |= {"recall_low": low, "recall_high": high}
        rows.append(
            {"class_name": str(row["class_name"])}
            | {k: None if v is None else _finite(k, v) for k, v in numbers.items()}
        )
    return tuple(rows)


def clean(name: Any) -> str:
    """Return `name` with what trackers refuse in a name replaced by `_`, and not longer than they like."""
    return re.sub(r"[^\w .-]", "_", str(name), flags=re.ASCII)[:_MOST_NAME_CHARACTERS].strip() or "_"


def _comparison(name: str, comparison: Mapping[str, Any]) -> dict[str, Any]:
    low, high = comparison["accuracy_difference_interval"]
    return {
        f"{name}/accuracy_difference": comparison["accuracy_difference"],
        f"{name}/accuracy_difference_low": low,
        f"{name}/accuracy_difference_high": high,
        f"{name}/p_value": comparison["p_value"],
    }


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{name} is {value!r}, no finite number")
    return float(value)
