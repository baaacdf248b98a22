"""The findings of a payload in words: the titles of the figures, each computed from the numbers below it."""

from math import floor
from typing import Any

import numpy as np

from convscope.base import tables
from convscope.base.tables import clip
from convscope.evidence.comparison.words import SIGNIFICANCE, p_text


def percent(fraction: float, digits: int = 2) -> str:
    """Return a fraction as text in percent."""
    return f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def confidence_text(probability: float, digits: int = 1) -> str:
    """Return what `tables.confidence_text` gives, on one line."""
    return tables.confidence_text(probability, digits).replace(" ", "\N{NO-BREAK SPACE}")


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
        return f"{name.capitalize()} is still changing in the last epoch: {percent(measured[-1])}"
    return f"{name.capitalize()} is within 0.5 points of {percent(measured[-1])} by epoch {near}"


def loss_finding(history: dict[str, Any]) -> str:
    """Return how the loss on the kept images ended against the training loss."""
    loss, measured = history["loss"], history["val_loss"]
    if not measured:
        return f"Training loss ends at {loss[-1]:.3f}"
    name = f"{history['val_split'].capitalize()} loss"
    if len(measured) == 1:
        return f"{name} is {measured[0]:.3f} after one epoch"
    best = int(np.argmin(measured)) + 1
    if best < len(measured):
        return f"{name} is lowest in epoch {best} and ends at {measured[-1]:.3f}"
    return f"{name} is still falling in the last epoch: {measured[-1]:.3f}"


def measured_sentence(payload: dict[str, Any]) -> str:
    """Return which images were measured after each epoch, and what was chosen by them."""
    if payload["history"]["val_split"] == "test":
        return "The test images were measured after each epoch but were not used to choose anything."
    fraction = payload["recipe"]["validation_fraction"]
    held_out = f", {100 * fraction:.4g}\N{NO-BREAK SPACE}% of the training images," if fraction else ""
    decided = (
        f"and used for early stopping ({payload['choice']})" if payload["choice"] else "but not used to choose anything"
    )
    return (
        f"The validation images{held_out} were measured after each epoch {decided}. The test images were not used "
        "for this."
    )


def balance_finding(counts: list[int], names: list[str]) -> str:
    """Return how many times the largest class is as large as the smallest."""
    most, least = int(np.argmax(counts)), int(np.argmin(counts))
    if counts[most] == counts[least]:
        return f"All {len(counts)} classes have {counts[0]:,} training images"
    if counts[least] == 0:
        return f"Class {clip(names[least], 12)} has no training image"
    ratio = counts[most] / counts[least]
    return f"Class {clip(names[most], 12)} has {ratio:.2f} times as many images as class {clip(names[least], 12)}"


def confusion_finding(evaluation: dict[str, Any]) -> str:
    """Return the most frequent mistake."""
    if not evaluation["confused_pairs"]:
        return f"No mistakes on {evaluation['num_images']:,} images"
    pair = evaluation["confused_pairs"][0]
    names, total = evaluation["class_names"], evaluation["classes"][pair["true"]]["support"]
    true, predicted = clip(names[pair["true"]], 12), clip(names[pair["predicted"]], 12)
    return f"Most frequent mistake: {true} predicted as {predicted}, {pair['count']:,} of {total:,} images"


def classes_finding(evaluation: dict[str, Any]) -> str:
    """Return what all classes but the weakest reach."""
    found = sorted((c["recall"], c["class_name"]) for c in evaluation["classes"] if c["support"])
    if len(found) < 3:
        text = "; ".join(f"recall of class {clip(name, 24)} is {percent(recall)}" for recall, name in found)
        return text[:1].upper() + text[1:]
    threshold = floor(found[1][0] * 200) / 200
    others = f"all {len(found)}" if found[0][0] >= threshold else f"{len(found) - 1} of {len(found)}"
    rest = f"Recall is {percent(threshold, 1)} or higher for {others} classes"
    return f"{rest}; the lowest is {percent(found[0][0])} (class {clip(found[0][1], 24)})"


def mistakes_finding(evaluation: dict[str, Any]) -> str:
    """Return how many of the mistakes the model was nearly certain of."""
    mistakes, total = evaluation["mistakes"], evaluation["num_mistakes"]
    if not mistakes:
        return "No mistakes to show"
    certain = sum(mistake["probability"] >= 0.99 for mistake in mistakes)
    more = "at least " if certain == len(mistakes) < total else ""
    return f"Confidence was 99 % or higher in {more}{certain:,} of {total:,} mistakes"


def kernels_finding(kernel: Any, limit: float) -> str:
    """Return which part of a bank's weights is positive, and how large they get."""
    return (
        f"{100 * float((kernel > 0).mean()):.0f} % of the weights are positive; the largest absolute value is "
        f"{limit:.3g}."
    )


def maps_finding(summary: dict[str, Any]) -> str:
    """Return how many of a layer's maps answer to the image."""
    count = summary["shape"][-1]
    answering = count - summary["num_dead_maps"]
    part = "all" if answering == count else f"{answering} of"
    return (
        f"{summary['layer']}: {part} {count} maps are active, in {100 * summary['active_fraction']:.0f} % of their "
        "cells"
    )


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
        return f"No {noun} is needed; accuracy is significantly higher without any one of {better:,} of {len(silent):,}"
    if not missed:
        return f"Removing any one of the {len(silent):,} {noun}s has no significant effect"
    worst = min(missed, key=lambda lesion: lesion["accuracy_change"])
    cost = f"{-100 * worst['accuracy_change']:.2f}\N{NO-BREAK SPACE}points"
    return (
        f"{len(missed):,} of {len(silent):,} {noun}s matter significantly; removing {noun} {worst['filter']} of "
        f"{worst['layer']} costs most, {cost} of accuracy"
    )
