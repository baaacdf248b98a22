"""What the numbers of a payload say, in words: the titles of the figures, each computed from what it stands over."""

from math import floor
from typing import Any

import numpy as np

from convscope.base.tables import clip
from convscope.evidence.comparison.words import SIGNIFICANCE, p_text


def percent(fraction: float, digits: int = 2) -> str:
    """Return a fraction as text in percent."""
    return f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def chart_titles(payload: dict[str, Any]) -> dict[str, str]:
    """Return the title of each chart of a run by the chart's name."""
    data, evaluation = payload["data"], payload["evaluation"]
    titles = {
        "class-balance": balance_finding(data["train"]["class_counts"], evaluation["class_names"]),
        "confusion-matrix": confusion_finding(evaluation),
    }
    if payload["history"]["loss"]:
        titles["training-accuracy"] = accuracy_finding(payload["history"])
        titles["training-loss"] = loss_finding(payload["history"])
    if payload["comparison"] is not None:
        titles["comparison"] = comparison_finding(payload["comparison"])
    return titles


def accuracy_finding(history: dict[str, Any]) -> str:
    """Return where the accuracy ended, and when it first came within half a point of that."""
    measured = history["val_accuracy"] or history["accuracy"]
    name = f"{history['val_split']} accuracy" if history["val_accuracy"] else "training accuracy"
    if len(measured) == 1:
        return f"{name.capitalize()} is {percent(measured[0])} after one epoch"
    near = next(epoch for epoch, value in enumerate(measured, 1) if abs(value - measured[-1]) <= 0.005)
    if near == len(measured):
        return f"{name.capitalize()} still moves in the last epoch: {percent(measured[-1])}"
    return f"{name.capitalize()} is within 0.5 points of {percent(measured[-1])} by epoch {near}"


def loss_finding(history: dict[str, Any]) -> str:
    """Return how the loss on the kept images ended against the training loss."""
    loss, measured = history["loss"], history["val_loss"]
    if not measured:
        return f"Training loss ends at {loss[-1]:.3f}"
    name = f"{history['val_split'].capitalize()} loss"
    best = int(np.argmin(measured)) + 1
    if best < len(measured):
        return f"{name} is lowest in epoch {best} and ends at {measured[-1]:.3f}"
    return f"{name} still falls in the last epoch: {measured[-1]:.3f}"


def measured_sentence(payload: dict[str, Any]) -> str:
    """Return which images were measured after each epoch, and what was chosen by them."""
    if payload["history"]["val_split"] == "test":
        return "The test images were measured after each epoch, but nothing was chosen by them."
    fraction = payload["recipe"]["validation_fraction"]
    held_out = f", {100 * fraction:.4g}\N{NO-BREAK SPACE}% of the training images," if fraction else ""
    decided = f"and decided: {payload['choice']}" if payload["choice"] else "but nothing was chosen by them"
    return (
        f"The validation images{held_out} were measured after each epoch {decided}. The test images took no part in it."
    )


def balance_finding(counts: list[int], names: list[str]) -> str:
    """Return how many times the largest class is as large as the smallest."""
    most, least = int(np.argmax(counts)), int(np.argmin(counts))
    if counts[most] == counts[least]:
        return f"All {len(counts)} classes have {counts[0]:,} training images"
    if counts[least] == 0:
        return f"Class {clip(names[least], 12)} has no training image"
    ratio = counts[most] / counts[least]
    return f"Class {clip(names[most], 12)} is {ratio:.2f} times as frequent as class {clip(names[least], 12)}"


def confusion_finding(evaluation: dict[str, Any]) -> str:
    """Return the most frequent mistake."""
    if not evaluation["confused_pairs"]:
        return f"No mistake on {evaluation['num_images']:,} images"
    pair = evaluation["confused_pairs"][0]
    names, total = evaluation["class_names"], evaluation["classes"][pair["true"]]["support"]
    true, predicted = clip(names[pair["true"]], 12), clip(names[pair["predicted"]], 12)
    return f"Most often {true} is taken for {predicted}: {pair['count']:,} of {total:,}"


def classes_finding(evaluation: dict[str, Any]) -> str:
    """Return what all classes but the weakest reach."""
    found = sorted((c["recall"], c["class_name"]) for c in evaluation["classes"] if c["support"])
    if len(found) < 3:
        text = "; ".join(
            f"class {clip(name, 24)} is found in {percent(recall)} of its images" for recall, name in found
        )
        return text[:1].upper() + text[1:]
    threshold = floor(found[1][0] * 200) / 200
    rest = f"{len(found) - 1} of {len(found)} classes are found in {percent(threshold, 1)} of their images or more"
    return f"{rest}; the weakest is {clip(found[0][1], 24)} with {percent(found[0][0])}"


def mistakes_finding(evaluation: dict[str, Any]) -> str:
    """Return how many of the mistakes the model was nearly certain of."""
    mistakes, total = evaluation["mistakes"], evaluation["num_mistakes"]
    if not mistakes:
        return "No mistake to show"
    certain = sum(mistake["probability"] >= 0.99 for mistake in mistakes)
    more = "at least " if certain == len(mistakes) < total else ""
    return f"In {more}{certain:,} of {total:,} mistakes the model was at least 99 % sure"


def kernels_finding(kernel: Any, limit: float) -> str:
    """Return which part of a bank's weights is positive, and how large they get."""
    return f"{100 * float((kernel > 0).mean()):.0f} % of the weights are positive; the largest has size {limit:.3g}."


def maps_finding(summary: dict[str, Any]) -> str:
    """Return how many of a layer's maps answer to the image."""
    count = summary["shape"][-1]
    answering = count - summary["num_dead_maps"]
    part = "all" if answering == count else f"{answering} of"
    return f"{summary['layer']}: {part} {count} maps answer, {100 * summary['active_fraction']:.0f} % of their cells"


def comparison_finding(comparison: dict[str, Any]) -> str:
    """Return which of two runs makes fewer errors by McNemar's test, or that the test shows no difference."""
    names = [clip(name, 12) for name in comparison["names"]]
    p = p_text(comparison["p_value"])
    if comparison["p_value"] >= SIGNIFICANCE:
        return f"No significant difference between these runs of {names[0]} and {names[1]} ({p})"
    first, second = names if comparison["accuracy_difference"] > 0 else reversed(names)
    return f"This run of {first} makes fewer errors than this run of {second} ({p})"


def points(change: float) -> str:
    """Return a change of a fraction as text in percentage points, with its sign."""
    value = round(100 * change, 2)
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") if value else "0.00"


def ablation_finding(filters: list[dict[str, Any]], noun: str) -> str:
    """Return which filter's removal costs most, of those whose cost stays significant among all, or that none does."""
    silent = [lesion for lesion in filters if lesion["replacement"] == "zero"] or filters
    missed = [lesion for lesion in silent if lesion["is_significant"] and lesion["accuracy_change"] < 0]
    better = sum(lesion["is_significant"] for lesion in silent)
    if not missed and better:
        return f"No {noun} is missed; without any one of {better:,} of {len(silent):,} accuracy is higher"
    if not missed:
        return f"None of the {len(silent):,} {noun}s has an effect that can be told from zero"
    worst = min(missed, key=lambda lesion: lesion["accuracy_change"])
    cost = f"{-100 * worst['accuracy_change']:.2f}\N{NO-BREAK SPACE}points"
    return (
        f"{len(missed):,} of {len(silent):,} {noun}s are missed; the largest measured loss is {cost} "
        f"({worst['layer']}, {noun} {worst['filter']})"
    )
