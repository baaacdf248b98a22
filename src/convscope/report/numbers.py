"""The charts as tables: for each chart its numbers as texts, and the confusion matrix as cells."""

import numpy as np

from convscope.base.tables import printable
from convscope.evidence.confusion_colours import confusion_opacities
from convscope.report.evidence.section import Table
from convscope.report.findings import percent
from convscope.report.records import PageData, PageFacts
from convscope.texts import say, translate_name
from convscope.training.records import HistoryRecord

_CELLS = ((16, 40), (26, 32), (100_000, 24))  # (most classes, pixels of a cell); a table of 26 classes fits the page
_LONGEST_LEVEL = 4  # letters of a class name that fit into a column; longer names are turned upright


def balance_table(data: PageData) -> Table:
    """Make the table of each class's number of images."""
    train, test = data.train.class_counts, data.test.class_counts
    rows = [
        [printable(name), f"{a:,}", percent(a / sum(train)), f"{b:,}", percent(b / sum(test))]
        for name, a, b in zip(data.train.class_names, train, test, strict=True)
    ]
    of_all = say("head.ofAll")
    return Table("", "", [say("head.class"), say("split.train"), of_all, say("split.test"), of_all], rows)


def epoch_table(page: PageFacts) -> Table | None:
    """Make the table of accuracy and loss after a training of a single epoch; None after any other.

          | cnn test | cnn train | ann test | ...
    Loss  |   0.1217 |    0.6512 |   0.1804 |
    """
    if len(page.history.loss) != 1:
        return None
    header = [""]
    rows: list[list[str]] = [[say("head.accuracy")], [say("head.loss")]]
    for name, history in _histories(page):
        for split, prefix in ((history.val_split, "val_"), ("train", "")):
            measured = [getattr(history, prefix + measure) for measure in ("accuracy", "loss")]
            if all(measured):
                header.append(say("charts.curve", model=name, split=translate_name("curve", split)))
                rows[0].append(percent(measured[0][-1]))
                rows[1].append(f"{measured[1][-1]:.4f}")
    return Table("", "", header, rows)


def _histories(page: PageFacts) -> list[tuple[str, HistoryRecord]]:
    """List the histories of the run and of its baseline, if that has one, with the names of the networks."""
    comparison, baseline = page.comparison, page.baseline_history
    histories = [(page.model.architecture["name"], page.history)]
    if baseline is not None and baseline.loss:
        histories.append((say("baseline") if comparison is None else comparison.names[1], baseline))
    return histories


def curves_table(page: PageFacts, measure: str) -> Table:
    """Make the table of a measure by epoch, in training and on the measured images, with the seconds of each epoch.

    The baseline has three columns of its own, after those of the run. A column without values is left out.

        epoch | cnn, test | cnn, training | cnn, seconds | ann, test | ...
        1     |   97.10 % |       93.20 % |         0.91 |   94.00 % |
    """
    histories = _histories(page)
    header: list[str] = [say("head.epoch")]
    columns = []  # without that of the epochs
    for name, history in histories:
        titles = (translate_name("curve", history.val_split), say("curve.train"), say("head.seconds"))
        for title, column in zip(titles, (f"val_{measure}", measure, "seconds"), strict=True):
            if getattr(history, column):
                header.append(say("charts.curve", model=name, split=title) if len(histories) > 1 else title)
                columns.append(
                    [f"{v:.2f}" if column == "seconds" else _value(v, measure) for v in getattr(history, column)]
                )
    # Two trainings may have different numbers of epochs: the shorter one's cells stay empty.
    epochs = max(map(len, columns))
    rows = [
        [str(epoch + 1), *(column[epoch] if epoch < len(column) else "" for column in columns)]
        for epoch in range(epochs)
    ]
    return Table("", "", header, rows)


def _value(value: float, measure: str) -> str:
    return percent(value) if measure == "accuracy" else f"{value:.4f}"


def matrix_view(page: PageFacts, title: str) -> dict[str, object]:
    """Describe the confusion matrix for the template: names, and rows of cells with count, kind and opacity."""
    matrix = page.evaluation.confusion_matrix
    names = [printable(name) for name in page.evaluation.class_names]
    opacities = confusion_opacities(np.array(matrix)).tolist()
    rows = []
    for label, row in enumerate(matrix):
        cells = []
        for column, (count, opacity) in enumerate(zip(row, opacities[label], strict=True)):
            kind = "" if not count else "right" if label == column else "wrong"
            cells.append({"count": count, "kind": kind, "opacity": f"{opacity:.3f}"})
        rows.append({"label": label, "cells": cells})
    return {
        "title": title,
        "names": names,
        "rows": rows,
        "turned": any(len(name) > _LONGEST_LEVEL for name in names),
        "is_tall": len(names) > _CELLS[1][0],
        "cell": next(pixels for max_classes, pixels in _CELLS if len(names) <= max_classes),
    }
