"""The figures of a run: from what it measured to named drawings, and to files for slides and papers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from convscope.base.errors import FigureError
from convscope.base.figure_style import FigureStyle
from convscope.base.files import write_bytes
from convscope.base.spelling import did_you_mean
from convscope.report import findings
from convscope.report.charts import (
    Measure,
    draw_accuracies,
    draw_class_balance,
    draw_confusion_matrix,
    draw_training_curves,
)
from convscope.report.evidence.section import Table
from convscope.report.numbers import balance_table, curves_table
from convscope.report.payload import RunContents
from convscope.report.pictures import draw_feature_maps, draw_image, draw_kernels, draw_mistakes, draw_samples
from convscope.report.style import Drawing, figure_bytes
from convscope.texts import Sentence, say
from convscope.training.records import HistoryRecord

Makers = dict[str, Callable[[], Drawing]]
"""Functions that draw, by the name of the drawing."""


@dataclass(frozen=True)
class RunChart:
    """A chart of a run.

    Attributes:
        title: what it shows, in words.
        draw: draws it under its title.
        numbers: its table; None for the confusion matrix and the comparison, whose tables the page has.
    """

    title: Sentence
    draw: Callable[[str], Drawing]
    numbers: Table | None = None


def run_charts(contents: RunContents) -> dict[str, RunChart]:
    """Make the charts of a run, by name."""
    facts, evaluation, comparison = contents.facts, contents.evaluation, contents.comparison
    trained, baseline, data = contents.trained, contents.baseline, facts.data
    names = evaluation.class_names
    counts = data.train.class_counts, data.test.class_counts
    charts = {
        "class-balance": RunChart(
            findings.balance_finding(counts[0], names), partial(draw_class_balance, *counts, names), balance_table(data)
        ),
        "confusion-matrix": RunChart(
            findings.confusion_finding(facts.evaluation),
            partial(draw_confusion_matrix, evaluation.confusion_matrix, names),
        ),
    }
    if len(trained.history.loss) > 1:  # a single epoch has no curve
        histories = {trained.model.architecture.name: trained.history}
        if baseline is not None and baseline.history.loss:
            histories[say("baseline") if comparison is None else comparison.names[1]] = baseline.history
        measures: dict[Measure, Callable[[HistoryRecord], Sentence]]
        measures = {"accuracy": findings.accuracy_finding, "loss": findings.loss_finding}
        for measure, finding in measures.items():
            draw, table = partial(draw_training_curves, histories, measure), curves_table(facts, measure)
            charts[f"training-{measure}"] = RunChart(finding(facts.history), draw, table)
    if facts.comparison is not None:
        sides = facts.comparison.a, facts.comparison.b
        accuracies, intervals = [side.accuracy for side in sides], [side.accuracy_interval for side in sides]
        charts["comparison"] = RunChart(
            findings.comparison_finding(facts.comparison),
            partial(draw_accuracies, facts.comparison.names, accuracies, intervals),
        )
    return charts


def chart_makers(contents: RunContents) -> Makers:
    """Make the functions that draw a run's charts, each with its finding as its title."""
    return {name: partial(chart.draw, chart.title) for name, chart in run_charts(contents).items()}


def picture_makers(contents: RunContents) -> Makers:
    """Make the functions that draw a run's pictures: images, mistakes, kernels and feature maps."""
    evaluation, explanation, shown = contents.evaluation, contents.explanation, contents.pictures
    names, train = evaluation.class_names, contents.splits.train
    pictures: Makers = {
        "image": partial(draw_image, shown.example, f"Training image 0: {names[train.labels[0]]}"),
        "classes": partial(
            draw_samples,
            [(name, pictures) for name, (_, pictures) in zip(names, shown.samples, strict=True)],
            "The first training images of each class",
        ),
    }
    if shown.mistakes:
        pictures["mistakes"] = partial(
            draw_mistakes,
            [
                (picture, names[mistake.true], names[mistake.predicted], mistake.probability)
                for picture, mistake in zip(shown.mistakes, evaluation.mistakes, strict=False)
            ],
            findings.mistakes_finding(contents.facts.evaluation),
        )
    for bank in explanation.kernels:
        draw = partial(draw_kernels, bank.kernel, bank.layer, limit=bank.limit)
        pictures[f"kernels-{bank.layer}"] = draw
        if bank.kind == "Conv2D":  # a depthwise filter reads one channel, so the first picture shows all its kernels
            pictures[f"kernels-{bank.layer}-all"] = partial(draw, channel=None)
    for layer, maps in explanation.feature_maps.items():
        pictures[f"maps-{layer}"] = partial(draw_feature_maps, maps, layer)
    return pictures


def write_figures(
    folder: Path, contents: RunContents, names: Sequence[str] = (), style: FigureStyle | None = None
) -> list[Path]:
    """Write figures of a run into `folder`, each as a file of its name, and return the files' paths.

    The same contents give the same bytes.

    Args:
        names: the names of the figures; with none, all that there are.
        style: format, theme and resolution; None is `FigureStyle()`.

    Raises:
        FigureError: if there is no figure of a name; this is a ValueError too.
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    style = style or FigureStyle()
    drawings = chart_makers(contents) | picture_makers(contents)
    for section in contents.evidence:  # drawn already, so that a look-up suffices
        drawings |= {name: partial(section.drawings.__getitem__, name) for name in section.drawings}
    if unknown := [name for name in names if name not in drawings]:
        hint = did_you_mean(unknown[0], drawings) or f"; this run has {', '.join(drawings)}"
        raise FigureError(f"there is no figure {unknown[0]!r:.80}{hint}")
    paths = [folder / f"{name}.{style.format}" for name in names or drawings]
    # A name that was given twice is drawn once.
    for path in dict.fromkeys(paths):
        write_bytes(path, figure_bytes(drawings[path.stem](), style))
    return paths
