"""Read a user's pictures, classify them in batches, and put the predictions on a page."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from convscope.base.errors import ImageFileError
from convscope.base.files import write_text
from convscope.data.datasets.readers.unlabelled import UnlabelledImages, is_table, read_unlabelled
from convscope.data.handwriting import STEPS, Step
from convscope.data.image_files import MAX_FILE_BYTES, Picture, read_picture
from convscope.prediction import (
    Prediction,
    StringReading,
    map_predictions,
    predict,
    predict_images,
    preparation_of,
    read_strings,
)
from convscope.prediction.records import LabelledPredictionRecord, PredictionRecord, StringsRecord, UnreadPicture
from convscope.runs.scoring import Score, TrueClass
from convscope.training.model import Model

if TYPE_CHECKING:
    from convscope.report.prediction_page import PredictionPage

_BATCH = 32  # pictures that are classified together
_BATCH_ROWS = 500  # images of a table that are classified together
_BATCH_PIXELS = 20_000_000  # limit for a batch, so that large photos do not fill the memory

STDIN = Path("-")
"""Stands for a picture on standard input."""


class Suggestion(NamedTuple):
    """A predicted label and its probability."""

    label: int
    probability: float


@dataclass(frozen=True, eq=False)
class PredictionOutcome:
    """The result for one file: a prediction, the digits read in it, or an error."""

    file: str
    result: Prediction | StringReading | None
    error: str = ""
    true_class: TrueClass | None = None

    def to_record(self) -> PredictionRecord | StringsRecord | UnreadPicture:
        if self.result is None:
            return UnreadPicture(file=self.file, error=self.error)
        record = self.result.to_record()
        if self.true_class is None or isinstance(record, StringsRecord):
            return record
        label, name = self.true_class
        return LabelledPredictionRecord(**structs.asdict(record), true_label=label, true_class_name=name)


@dataclass(frozen=True, eq=False)
class Reader:
    """Classifies pictures by a model.

    Attributes:
        page: gets each prediction.
        score: gets each prediction, if classes of pictures are known.
        errors: gets an error for each file that cannot be read.
        suggestions: gets the label and the probability predicted for each file, or None if it cannot be read.
    """

    model: Model
    page: "PredictionPage | None" = None
    score: Score | None = None
    # Both grow while outcomes are taken from an iterator below.
    errors: list[str] = field(default_factory=list)
    suggestions: list[Suggestion | None] = field(default_factory=list)

    def classify(self, paths: Sequence[Path], steps: tuple[Step, ...] | None) -> Iterator[PredictionOutcome]:
        """Yield the outcome for each of `paths`, in their order; `steps` are by default the model's own."""
        for batch in read_batches(paths):
            # The content of a file is a picture, or a text with the error of reading it.
            readable = [(path, content) for path, content in batch if not isinstance(content, str)]
            pictures = [picture for _, picture in readable]
            names = [format_path(path) for path, _ in readable]
            predictions = predict(self.model, pictures, names=names, steps=steps)
            self._explain(predictions, pictures)
            next_prediction = iter(predictions)  # one for each file of the batch that is no failure
            for path, content in batch:
                if isinstance(content, str):
                    yield self._report_failure(format_path(path), content)
                    continue
                prediction = next(next_prediction)
                self.suggestions.append(Suggestion(prediction.answer.label, prediction.answer.probability))
                true_class = None if self.score is None else self.score.add(path, prediction)
                if self.page is not None and true_class is not None:
                    self.page.true_names[prediction.file] = true_class.class_name
                yield PredictionOutcome(prediction.file, prediction, true_class=true_class)

    def classify_table(
        self, table: UnlabelledImages, path: Path, steps: tuple[Step, ...] | None
    ) -> Iterator[PredictionOutcome]:
        """Yield the outcome for each image of the table at `path`; those of the network's shape need no preparation."""
        is_ready = steps is None and table.images.shape[1:] == self.model.architecture.input.shape
        for start in range(0, len(table.images), _BATCH_ROWS):
            images = table.images[start : start + _BATCH_ROWS]
            names = [f"{format_path(path)}, image {number}" for number in range(start + 1, start + len(images) + 1)]
            if is_ready:
                predictions: Sequence[Prediction] = predict_images(self.model, images, names)
            else:
                predictions = predict(self.model, list(images), names=names, steps=steps)
            self._explain(predictions, list(images))
            yield from (PredictionOutcome(prediction.file, prediction) for prediction in predictions)

    def classify_strings(self, paths: Sequence[Path]) -> Iterator[PredictionOutcome]:
        """Yield the characters read in each of `paths`, in their order."""
        for path in paths:
            name, picture = format_path(path), _read(path)
            if isinstance(picture, str):
                yield self._report_failure(name, picture)
                continue
            reading, page = read_strings(self.model, picture, name=name), self.page
            if page is not None:
                digits = [digit.prediction for digit in reading.digits]
                # Explained only if the page shows them: a page has a limit of pictures and one of digits.
                shown = digits[: 0 if page.is_full else page.num_digits_left]
                page.add_strings(reading, picture, map_predictions(self.model, shown))
            yield PredictionOutcome(name, reading)

    def write_page(self, path: Path, command: str) -> bool:
        """Write the page with its `command`; return False if there is no picture to show."""
        if self.page is None or not self.page.num_pictures:
            return False
        from convscope.report.prediction_page import render_prediction_page

        write_text(path, render_prediction_page(self.page, command))
        return True

    def _report_failure(self, name: str, error: str) -> PredictionOutcome:
        self.errors.append(error)
        self.suggestions.append(None)
        return PredictionOutcome(name, None, error.removeprefix(f"{name}: "))  # an outcome names the file itself

    def _explain(self, predictions: Sequence[Prediction], pictures: Sequence[Picture]) -> None:
        """Add predictions to the page, if there is one; a full page only counts them."""
        if self.page is None or not predictions:
            return
        if self.page.is_full:
            for prediction in predictions:
                self.page.count(prediction)
            return
        # If the page becomes full within the batch, `add` only counts the rest.
        maps = map_predictions(self.model, predictions)
        for prediction, picture, attribution in zip(predictions, pictures, maps, strict=True):
            self.page.add(prediction, picture, attribution)


def make_explaining_reader(model: Model, name: Path, score: Score | None = None) -> Reader:
    """Make a reader that explains its predictions on a page; `name` is the path of the model."""
    from convscope.report.prediction_page import PredictionPage  # matplotlib takes its time to load

    return Reader(model, PredictionPage(format_path(name), model.class_names), score)


def read_image_table(arguments: Sequence[Path], model: Model) -> UnlabelledImages | None:
    """Read the images of a table that is the only argument; None if the arguments are pictures.

    Raises:
        ImageFileError: for a table beside other arguments.
        DatasetError: as `read_unlabelled` does.
    """
    table = next((path for path in arguments if is_table(path) and not os.path.isdir(path)), None)  # noqa: PTH112
    if table is None:
        return None
    if len(arguments) > 1:
        raise ImageFileError(f"{table}: is a table of images; classify it without other files")
    image = model.architecture.input
    return read_unlabelled(table, (image.height, image.width))


def choose_steps(model: Model, also: Sequence[Step], without: Sequence[Step]) -> tuple[Step, ...] | None:
    """Choose the model's own steps with additions and omissions; None, which means its own, without changes."""
    if not also and not without:
        return None
    usual = preparation_of(model).handwriting.steps
    # In the order of `STEPS`, as each step needs the result of those before it.
    return tuple(step for step in STEPS if (step in usual or step in also) and step not in without)


def read_batches(paths: Sequence[Path]) -> Iterator[list[tuple[Path, Picture | str]]]:
    """Yield batches of paths, each with its picture or its error."""
    batch, num_pixels = list[tuple[Path, Picture | str]](), 0
    for path in paths:
        content = _read(path)
        num_pixels += 0 if isinstance(content, str) else content.size  # an unreadable file takes no memory
        batch.append((path, content))
        if len(batch) == _BATCH or num_pixels > _BATCH_PIXELS:
            yield batch
            batch, num_pixels = [], 0
    if batch:
        yield batch


def _read(path: Path) -> Picture | str:
    """Read a picture, or return the error of reading it."""
    try:
        # Standard input may never end, so no more is read than shows that it is too large.
        source = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if path == STDIN else path
        return read_picture(source, format_path(path))
    except ImageFileError as error:
        return str(error)


def format_path(path: Path) -> str:
    """Format a path as text; bytes that are not UTF-8 are replaced."""
    return os.fsencode(path).decode(errors="replace")
