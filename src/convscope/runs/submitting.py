"""Write predictions as competitions want them: a column of ids and one of predicted classes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from convscope.base.errors import ImageFileError
from convscope.base.files import write_text
from convscope.base.tables import csv_line
from convscope.data.datasets.readers.unlabelled import UnlabelledImages
from convscope.prediction import Prediction
from convscope.runs.predicting import PredictionOutcome, format_path


class Columns(NamedTuple):
    """The names of the two columns."""

    identifier: str
    label: str


_SIGNS = ("=", "+", "-", "@")

KAGGLE = Columns("ImageId", "Label")
"""The columns of Kaggle's competition on MNIST, whose images are numbered from 1."""


class Ids(NamedTuple):
    """The ids of images in their order, and what they are in words."""

    values: Sequence[str]
    meaning: str


def choose_ids(paths: Sequence[Path], table: UnlabelledImages | None, columns: Columns | None) -> Ids:
    """Choose the ids: those of the table, else names of files if the user names the columns, else numbers from 1.

    Raises:
        ImageFileError: if two files have the same name without its ending.
    """
    if table is not None and table.ids is not None:
        return Ids(table.ids, "the table's own")
    if table is not None:
        return Ids([str(number) for number in range(1, len(table.images) + 1)], "the rows of the table, from 1")
    if columns is None:
        meaning = "the pictures from 1, in natural order of their names (2 before 10)"
        return Ids([str(number) for number in range(1, len(paths) + 1)], meaning)
    path_of = dict[str, Path]()
    for path in paths:
        if (first := path_of.setdefault(format_path(Path(path.stem)), path)) is not path:
            raise ImageFileError(f"{first} and {path}: would have the same id {path.stem!r}; rename one of them")
    return Ids(list(path_of), "the names of the files without their endings")


def write_submission(
    path: Path, outcomes: Iterable[PredictionOutcome], ids: Sequence[str], columns: Columns | None
) -> None:
    """Write a row with the id and the predicted class for each outcome.

    Raises:
        ImageFileError: if a picture could not be read; nothing is written then.
        ConvscopeError: if the file cannot be written.
    """
    lines, errors = [csv_line(columns or KAGGLE)], list[str]()
    for name, outcome in zip(ids, outcomes, strict=True):
        if isinstance(outcome.result, Prediction):
            lines.append(_format_row(name, outcome.result.class_name))
        else:
            errors.append(f"{outcome.file}: {outcome.error}")
    if errors:
        more = f" (and {len(errors) - 1:,} more)" if len(errors) > 1 else ""
        raise ImageFileError(f"{errors[0]}{more}; {path} was not written, since it needs a row for each picture")
    write_text(path, "".join(lines))


def _format_row(name: str, class_name: str) -> str:
    # A sign alone is no formula, and a class of handwritten symbols; the apostrophe of `csv_line` would make it wrong.
    return csv_line([name, ""])[:-1] + f"{class_name}\n" if class_name in _SIGNS else csv_line([name, class_name])
