"""The findings of a payload in words: the titles of the figures, each computed from the numbers below it."""

from collections.abc import Callable, Mapping, Sequence
from math import floor

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from convscope.base.records import JsonObject
from convscope.base.tables import clip
from convscope.evidence.ablation import FilterAblation
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.comparison.words import SIGNIFICANCE, format_p_value
from convscope.evidence.evaluation import NEARLY_CERTAIN, Evaluation, EvaluationRecord, caution_facts
from convscope.evidence.explanation.kernels_and_maps import LayerSummary
from convscope.evidence.records import ClassesRecord, ImagesRecord
from convscope.texts import Figure, Sentence, figure, format_rounded, format_signed, say
from convscope.training.records import HistoryRecord


def percent_within(fraction: float, interval: Sequence[float] | UnsetType) -> Sentence | Figure:
    """Format a fraction in percent with its interval, if there is one."""
    if interval is UNSET:
        return percent(fraction)
    low, high = map(percent, interval)
    return say("within", value=percent(fraction), low=low, high=high)


def percent(fraction: float, digits: int = 2) -> Figure:
    """Format a fraction in percent."""
    return Figure(f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%", 100 * fraction, digits, "%")


def confidence_text(probability: float, digits: int = 1) -> str:
    """Format a confidence as `tables.confidence_text` does; a value that rounds to 100 % or 0 % becomes a limit."""
    number, step = percent(probability, digits), 10.0**-digits
    rounded_number = round(100 * probability, digits)
    if rounded_number >= 100:
        return say("above", value=percent(1 - step / 100, digits))
    return say("below", value=percent(step / 100, digits)) if rounded_number <= 0 else number


def between(bounds: Sequence[float], text: Callable[[float], str] = percent) -> Sentence:
    """Write an interval as its two ends in words."""
    return say("to", low=text(bounds[0]), high=text(bounds[1]))


def format_interval(interval: Sequence[float | None], digits: int = 2, factor: float = 100) -> str:
    """Format an interval as its two ends in brackets, in percent or points; None is infinite."""
    low, high = ("\N{INFINITY}" if end is None else f"{factor * end:.{digits}f}" for end in interval)
    return f"[{low}, {high}]".replace("-", "\N{MINUS SIGN}")


def count_images(measured: ImagesRecord | ClassesRecord) -> Sentence:
    """Say on how many images a value was measured, and how many were left out."""
    images, left_out = say(f"counted.{measured.split}", n=measured.num_images), measured.num_images_left_out
    return say("counted.sampled", images=images, leftOut=left_out) if left_out else images


def accuracy_finding(history: HistoryRecord) -> Sentence:
    """Say which accuracy the training ended with, and when it first came within half a point of it."""
    measured = history.val_accuracy or history.accuracy
    split = history.val_split if history.val_accuracy else "training"
    accuracy = percent(measured[-1])
    # The last epoch always fulfils this.
    near = next(epoch for epoch, value in enumerate(measured, 1) if abs(value - measured[-1]) <= 0.005)
    if near == len(measured):
        return say(f"accuracyChanging.{split}", accuracy=accuracy)
    return say(f"accuracySettled.{split}", accuracy=accuracy, half=figure(0.5, 1), epoch=near)


def loss_finding(history: HistoryRecord) -> Sentence:
    """Say how the loss on the measured images ended, and after which epoch it was lowest."""
    measured, split = history.val_loss, history.val_split
    if not measured:
        return say("lossTraining", loss=figure(history.loss[-1], 3))
    loss = figure(measured[-1], 3)
    best = int(np.argmin(measured)) + 1
    if best < len(measured):
        return say(f"lossLowest.{split}", loss=loss, epoch=best)
    return say(f"lossFalling.{split}", loss=loss)


def choice_sentence(history: HistoryRecord, recipe: JsonObject) -> Sentence | None:
    """Say after which epoch a training ended and which epoch's weights it took; None without early stopping."""
    stopping, epochs = recipe["early_stopping"], recipe["epochs"]
    if stopping is None:
        return None
    done, best = len(history.loss), history.best_epoch
    ended = say("choice.all", n=done)
    if done < epochs:
        monitor, patience = stopping["monitor"], stopping["patience"]
        ended = say("choice.stopped", n=patience, epoch=done, epochs=epochs, monitor=monitor)
    return say("choice.weights", ended=ended, epoch=best or done)


def caution_sentences(evaluation: Evaluation) -> list[Sentence]:
    """Write the cautions about too few or unevenly spread test images."""
    return [
        say(f"caution.{kind}", **{name: percent(value) if name == "share" else value for name, value in facts.items()})
        for kind, facts in caution_facts(evaluation).items()
    ]


def curves_sentence(history: HistoryRecord, recipe: JsonObject) -> Sentence:
    """Say which images were measured after each epoch, and what was chosen by them."""
    if history.val_split == "test":
        return say("measuredTest")
    fraction, choice = recipe["validation_fraction"], choice_sentence(history, recipe)
    share = format_rounded(100 * fraction, 4)
    if fraction:
        return say("measuredShareStopped", share=share, choice=choice) if choice else say("measuredShare", share=share)
    return say("measuredStopped", choice=choice) if choice else say("measuredValidation")


def balance_finding(counts: Sequence[int], names: Sequence[str]) -> Sentence:
    """Say how many times as large as the smallest class the largest is."""
    largest, smallest = int(np.argmax(counts)), int(np.argmin(counts))
    if counts[largest] == counts[smallest]:
        return say("balanceEqual", classes=len(counts), images=counts[0])
    if counts[smallest] == 0:
        return say("balanceNone", name=clip(names[smallest], 12))
    ratio = figure(counts[largest] / counts[smallest], 2)
    return say("balanceRatio", most=clip(names[largest], 12), ratio=ratio, least=clip(names[smallest], 12))


def confusion_finding(evaluation: EvaluationRecord) -> Sentence:
    """Say which mistake is the most frequent."""
    if not evaluation.confused_pairs:
        return say("confusionNone", images=evaluation.num_images)
    pair = evaluation.confused_pairs[0]
    names, total = evaluation.class_names, evaluation.classes[pair.true].support
    true, predicted = clip(names[pair.true], 12), clip(names[pair.predicted], 12)
    return say("confusionMost", true=true, predicted=predicted, images=pair.count, total=total)


def classes_finding(evaluation: EvaluationRecord) -> Sentence:
    """Say which accuracy all classes but the weakest reach."""
    by_recall = sorted((c.recall, c.class_name) for c in evaluation.classes if c.recall is not None)
    recalls = [{"recall": percent(recall), "name": clip(name, 24)} for recall, name in by_recall[:2]]
    if len(by_recall) == 1:
        return say("recallOne", **recalls[0])
    if len(by_recall) == 2:
        first, second = recalls
        return say("recallTwo", **first, otherRecall=second["recall"], other=second["name"])
    # The second lowest recall, rounded down to half a percent: all classes but the weakest reach it.
    threshold = floor(by_recall[1][0] * 200) / 200
    values: dict[str, str | int] = {**recalls[0], "threshold": percent(threshold, 1), "classes": len(by_recall)}
    if by_recall[0][0] >= threshold:
        return say("recallAll", **values)
    return say("recallMost", **values, reached=len(by_recall) - 1)


def mistakes_finding(evaluation: EvaluationRecord) -> Sentence:
    """Say in how many mistakes, and in how many predictions, the model was nearly certain.

    "0 of 68 mistakes" says nothing about a model that is hardly ever certain. If fewer than 1 % of the predictions are
    certain, or they were not counted, the finding is the highest confidence in a mistake.
    """
    mistakes, total, images = evaluation.mistakes, evaluation.num_mistakes, evaluation.num_images
    if not mistakes:
        return say("mistakesNone")
    certain = evaluation.num_nearly_certain
    if isinstance(certain, UnsetType) or certain < images / 100:
        return say("mistakesHighest", confidence=confidence_text(mistakes[0].probability))
    wrong = sum(mistake.probability >= NEARLY_CERTAIN for mistake in mistakes)
    # The record lists only the surest mistakes: where all of those are certain, there may be more.
    key = "mistakesCertainAtLeast" if wrong == len(mistakes) < total else "mistakesCertain"
    return say(key, mistakes=wrong, total=total, certain=certain, images=images)


def kernels_finding(kernel: NDArray[np.float32], limit: float) -> Sentence:
    """Say which part of a bank's weights is positive, and how large they get."""
    return say("kernelsPositive", share=round(100 * float((kernel > 0).mean())), most=format_rounded(limit, 3))


def maps_finding(summary: LayerSummary, name: str) -> Sentence:
    """Say how many maps of the layer `name` are active for the image."""
    count = summary.shape[-1]
    num_active = count - summary.num_dead_maps
    values: dict[str, str | int] = {"layer": name, "maps": count, "share": round(100 * summary.active_fraction)}
    return say("mapsAll", **values) if num_active == count else say("mapsSome", **values, active=num_active)


def comparison_finding(comparison: ComparisonRecord) -> Sentence:
    """Say which of two runs makes fewer errors by McNemar's test, or that the test shows no difference."""
    names = [clip(name, 12) for name in comparison.names]
    p = format_p_value(comparison.p_value)
    if comparison.p_value >= SIGNIFICANCE:
        return say("comparisonNone", first=names[0], second=names[1], p=p)
    first, second = names if comparison.accuracy_difference > 0 else reversed(names)
    return say("comparisonFewer", first=first, second=second, p=p)


def points(change: float) -> Figure:
    """Format a change of a fraction in percentage points, with its sign."""
    return format_signed(100 * change, 2)


def ablation_finding(filters: Sequence[FilterAblation], noun: str, names: Mapping[str, str]) -> Sentence:
    """Name the filter with the largest significant loss of accuracy, or say that no loss is significant.

    Args:
        names: the layers' names in words.
    """
    ablations = [ablation for ablation in filters if ablation.replacement == "zero"] or filters
    losses = [ablation for ablation in ablations if ablation.is_significant and ablation.accuracy_change < 0]
    num_significant = sum(ablation.is_significant for ablation in ablations)
    if not losses and num_significant:
        return say(f"evidence.ablation.higher.{noun}", better=num_significant, total=len(ablations))
    if not losses:
        return say(f"evidence.ablation.none.{noun}", total=len(ablations))
    worst = min(losses, key=lambda ablation: ablation.accuracy_change)
    counts = {"significant": len(losses), "total": len(ablations)}
    index, layer, cost = str(worst.filter), names[worst.layer], figure(-100 * worst.accuracy_change, 2)
    return say(f"evidence.ablation.worst.{noun}", **counts, index=index, layer=layer, cost=cost)
