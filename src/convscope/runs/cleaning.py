"""Write what a person needs to clean the labels that an audit doubts: a page of the suspects, and a list of them."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from msgspec import UNSET

from convscope.base.errors import RunError
from convscope.base.files import write_text
from convscope.base.sharing import last_part
from convscope.base.tables import csv_line
from convscope.data.datasets import Splits
from convscope.evidence.audit.faults import AuditRecord
from convscope.evidence.audit.label_suspects import Suspect
from convscope.runs.data import loading_words
from convscope.storage import RunFolder

PAGE, LIST = "clean.html", "suspects.csv"
_COLUMNS = ("file", "split", "index", "class", "suggested_class", "confidence")


def write_cleaner(folder: RunFolder, splits: Splits, record: AuditRecord) -> Path | None:
    """Write clean.html and suspects.csv of an audit into the run folder; return the page, or None without suspects.

    Raises:
        RunError: if the record names an image that the data do not have.
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    # Imported here, since matplotlib takes its time to load.
    from convscope.report.labelling_page import PictureToLabel, render_labelling_page

    suspects = list(_sort_suspects(record))
    if not suspects:
        return None
    by_split, names, train = {"train": splits.train, "test": splits.test}, splits.class_names, splits.train

    def read_pictures() -> Iterator[PictureToLabel]:
        for split, suspect in suspects:
            neighbours = () if suspect.neighbours is UNSET else suspect.neighbours
            if suspect.index >= len(by_split[split]) or max(neighbours, default=0) >= len(train):
                raise RunError(
                    f"{folder.locate('audit.json')}: names an image that the data do not have; measure again"
                )
            yield PictureToLabel(
                by_split[split].images[suspect.index],
                suspect.file or "",
                split,
                suspect.index,
                suspect.given_label,
                suspect.suggested_label,
                suspect.probability,
                [(train.images[index], int(train.labels[index])) for index in neighbours],
            )

    page = folder.locate(PAGE)
    number = sum(split.num_suspects for split in record.label_suspects.by_split.values())
    command = _format_command(folder, splits)
    write_text(page, render_labelling_page(splits.name, names, read_pictures(), number, command))
    lines = [csv_line(_COLUMNS)]
    for split, suspect in suspects:
        classes = (names[suspect.given_label], names[suspect.suggested_label])
        lines.append(csv_line([suspect.file or "", split, suspect.index, *classes, suspect.probability]))
    write_text(folder.locate(LIST), "".join(lines))
    return page


def _sort_suspects(record: AuditRecord) -> Iterator[tuple[str, Suspect]]:
    """Yield the suspects of both splits with their split, the most doubtful first."""
    pairs = [(split, s) for split, suspects in record.label_suspects.by_split.items() for s in suspects.suspects]
    # The order of each split's own list.
    yield from sorted(pairs, key=lambda pair: pair[1].self_confidence / pair[1].probability)


def _format_command(folder: RunFolder, splits: Splits) -> str:
    """Write the command that applies the saved list to the data of the run."""
    recorded = folder.record.dataset
    data = last_part(recorded.argument) or "data.npz"  # arrays in memory must be saved first
    out = f"{Path(data).stem}_clean{'' if splits.train.files else '.npz'}"
    return shlex.join(
        ["convscope", "data", "fix", data, "corrections.csv", *loading_words(recorded.options), "--out", out]
    )
