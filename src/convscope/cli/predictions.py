"""The output of `convscope predict`: JSON, CSV or text, one picture after another."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from convscope.base.tables import clip, confidence_text, csv_line, display_width, printable, text_table
from convscope.cli.output import echo
from convscope.prediction import Prediction, StringReading
from convscope.runs.predicting import PredictionOutcome, format_path
from convscope.runs.scoring import Score

_FILE_WIDTH, _CLASS_WIDTH = 40, 24  # columns, at most
_BOX = ("left", "top", "right", "bottom")
_CSV_COLUMNS = (
    "file", "label", "class_name", "probability", "runner_up_label", "runner_up_class_name", "runner_up_probability",
    "none_of_these", "is_calibrated", "height", "width", "is_as_made", "steps", "hints", "error",
)  # fmt: skip
_CSV_TRUE_COLUMNS = ("true_label", "true_class_name")
_CSV_STRING_COLUMNS = ("file", "line", *_BOX, *_CSV_COLUMNS[1:9], "error")  # from "label" to "is_calibrated"
_WRONG_HEADER = ("File", "True", "Predicted", "Probability")
_MAX_WRONG_SHOWN = 50
# In words; other notices of a reading are shown on its page alone.
_NOTICES = {"too many": "only the largest pieces of ink were read", "not cut": "touching characters were not separated"}


def print_outcomes_json(outcomes: Iterable[PredictionOutcome]) -> None:
    """Print one JSON list, one object at a time, so that thousands of files need little memory."""
    # JSON has no comma after the last object, and which is the last is not known yet. So each object is printed with
    # the comma before it.
    separator = "["
    for outcome in outcomes:
        echo(separator + "\n" + json.dumps(outcome.to_record().to_dict(), indent=1, allow_nan=False), nl=False)
        separator = ","
    echo("\n]")


def print_outcomes_csv(outcomes: Iterable[PredictionOutcome], strings: bool, has_true_classes: bool = False) -> None:
    """Print a row per picture, or for `strings` per digit; an unreadable file has a row with its error.

    If classes of pictures are known, they are the last columns.
    """
    columns: tuple[str, ...] = _CSV_STRING_COLUMNS if strings else _CSV_COLUMNS
    columns += _CSV_TRUE_COLUMNS if has_true_classes else ()
    echo(csv_line(columns), nl=False)
    for outcome in outcomes:
        for values in _csv_values(outcome):
            echo(csv_line(values.get(column) for column in columns), nl=False)


def print_predictions(
    outcomes: Iterable[PredictionOutcome], files: Sequence[str], class_names: Sequence[str], run_path: Path
) -> None:
    """Print a table with a row per picture, each as soon as it is classified, and notes on missing evidence.

    For a single picture that cannot be read, nothing is printed, since its error is the error of the command.
    """
    # Rows are printed before the later ones are known, so the widths come from the names of files and classes. The
    # runner-up, such as "seven (12 %)", has room for its probability.
    file_width = max(len("file"), *(min(display_width(printable(name)), _FILE_WIDTH) for name in files))
    width = max(len("prediction"), *(min(display_width(printable(name)), _CLASS_WIDTH) for name in class_names))
    widths = (file_width, width, len("probability"), width + len(" (< 0.1 %)"), len("none of these"))
    header = _format_row(
        ("file", "prediction", "probability", "runner-up", "none of these", "preparation (height × width)"), widths
    )
    last = None  # a prediction of the model, for the notes on it
    for number, outcome in enumerate(outcomes):
        if outcome.result is None and len(files) == 1:
            return
        if number == 0:  # not before there is a row: the header of a table without rows would mislead
            echo(f"{header}\n{'-' * display_width(header)}")
        echo(_format_row(_format_cells(outcome), widths))
        last = outcome.result or last
    if isinstance(last, Prediction):
        _print_notes(last, run_path)


def print_score(score: Score, arguments: Sequence[Path], run_path: Path, is_explained: bool) -> None:
    """Print the accuracy, the confused pairs and the wrong pictures, if any class is known; a page may explain them."""
    if (evaluation := score.evaluate(arguments)) is None:
        return
    echo(f"\nThe folders name the true classes.\n{evaluation.brief}")
    rows = [
        (
            _shorten_path(score.files[mistake.index], 2 * _FILE_WIDTH),
            clip(score.class_names[mistake.true], _CLASS_WIDTH),
            clip(score.class_names[mistake.predicted], _CLASS_WIDTH),
            confidence_text(mistake.probability),
        )
        for mistake in evaluation.mistakes[:_MAX_WRONG_SHOWN]
    ]
    if rows:
        more = f"\nand {n:,} more; --csv lists all pictures" if (n := len(evaluation.mistakes) - len(rows)) else ""
        hint = "" if is_explained else "\n\nTo see the pixels behind these answers, add --explain PAGE.html"
        echo(f"\nWrong predictions, most confident first\n{text_table(_WRONG_HEADER, rows, left=3)}{more}{hint}")
    run = shlex.quote(format_path(run_path))
    echo(f"\nTo answer over HTTP: convscope serve {run}; in C: convscope export {run} --format c")


def print_strings(outcomes: Iterable[PredictionOutcome], num_files: int, run_path: Path) -> None:
    """Print the lines of text in each picture, then a table of its characters with their boxes."""
    last = None  # a prediction of the model, for the notes on it
    for number, outcome in enumerate(outcomes):
        if outcome.result is None and num_files == 1:  # as in `print_predictions`
            return
        echo(("\n" if number else "") + _shorten_path(outcome.file, 3 * _FILE_WIDTH))
        if outcome.result is None or isinstance(outcome.result, Prediction):
            echo(printable(f"  not read: {' '.join(outcome.error.split())}"))
            continue
        for line in outcome.result.lines or ("no writing found",):
            echo(printable(f"  {line}"))
        for notice in outcome.result.notices:
            if notice in _NOTICES:
                echo(f"  ({_NOTICES[notice]})")
        if outcome.result.digits:
            echo(f"\n{_format_digit_table(outcome.result)}")
            last = outcome.result.digits[0].prediction
    if last is not None:
        _print_notes(last, run_path)


def _format_digit_table(reading: StringReading) -> str:
    rows = [
        (str(digit.line + 1), *_format_prediction(digit.prediction), *(str(round(edge)) for edge in digit.box))
        for digit in reading.digits
    ]
    return text_table(("line", "prediction", "probability", "runner-up", "none of these", *_BOX), rows, left=5)


def _csv_values(outcome: PredictionOutcome) -> Iterator[dict[str, Any]]:
    """Yield a row for each prediction: its values by column. A column without a value stays empty.

    The columns of a prediction are the fields of its record, such as `label`, and those of its runner-up, such as
    `runner_up_label`; further fields, which are no columns, are not printed.
    """
    result = outcome.result
    if result is None:
        yield {"file": outcome.file, "error": outcome.error}
    elif isinstance(result, Prediction):
        true_values = () if outcome.true_class is None else zip(_CSV_TRUE_COLUMNS, outcome.true_class, strict=True)
        yield {**_collect_csv_values(result), **dict(true_values)}
    else:
        for digit in result.digits:
            box = dict(zip(_BOX, digit.box, strict=True))
            yield {**_collect_csv_values(digit.prediction), "file": outcome.file, "line": digit.line + 1, **box}


def _collect_csv_values(prediction: Prediction) -> dict[str, Any]:
    runner = {f"runner_up_{name}": value for name, value in asdict(prediction.runner_up).items()}
    words = {"steps": " ".join(prediction.steps), "hints": " ".join(prediction.hints)}
    height, width = prediction.size
    return {**asdict(prediction.to_record()), **runner, **words, "height": height, "width": width}


def _format_cells(outcome: PredictionOutcome) -> tuple[str, ...]:
    result = outcome.result
    file = _shorten_path(outcome.file, _FILE_WIDTH)
    if not isinstance(result, Prediction):
        return file, "-", "-", "-", "-", f"not read: {' '.join(outcome.error.split())}"
    # `done` says already that a picture was inverted.
    hints = [hint for hint in result.hints if hint != "inverted"]
    return file, *_format_prediction(result), result.done + (f"; {', '.join(hints)}" if hints else "")


def _format_prediction(prediction: Prediction) -> tuple[str, str, str, str]:
    return (
        clip(prediction.class_name, _CLASS_WIDTH),
        confidence_text(prediction.probability),
        f"{clip(prediction.runner_up.class_name, _CLASS_WIDTH)} ({confidence_text(prediction.runner_up.probability)})",
        {True: "yes", False: "no", None: "?"}[prediction.none_of_these],  # None: the model has no rule
    )


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = [printable(cell) for cell in cells]
    # The last column has no width and is not padded.
    padded = [cell + " " * (width - display_width(cell)) for cell, width in zip(shown, widths, strict=False)]
    return "  ".join([*padded, *shown[len(widths) :]]).rstrip()


def _shorten_path(path: str, width: int) -> str:
    """Shorten a path at its beginning, because the ends of paths differ."""
    text = printable(path)
    if display_width(text) <= width:
        return text
    # A character may be two columns wide; one column is for the ellipsis.
    while display_width(text) > width - 1:
        text = text[1:]
    return f"…{text}"


def _print_notes(prediction: Prediction, run_path: Path) -> None:
    """Print the limits of this model's predictions, and the commands that remove them."""
    notes, run_folder = [], shlex.quote(format_path(run_path))
    if prediction.is_assumed:
        notes.append(
            "The model does not record how its images were made; the format was guessed from its data set's name."
        )
    if not prediction.steps and not prediction.is_as_made:
        notes.append(
            "Your pictures were only resized, because the training images are not centred on a plain background. "
            "--with polarity inverts dark pictures on a light background."
        )
    if not prediction.is_calibrated:
        notes.append(
            f"The probabilities are not calibrated. To calibrate them, run: convscope report {run_folder} calibration"
        )
    if prediction.none_of_these is None:
        notes.append(
            f'This model cannot answer "none of these" yet. To add that, run: convscope report {run_folder} rejection'
        )
    if notes:
        echo("\n" + "\n".join(notes))
