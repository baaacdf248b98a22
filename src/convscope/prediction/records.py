"""Predictions as records, printed by `convscope predict` and sent by the service."""

from convscope.base.records import Count, Fraction, Record


class Answer(Record):
    """A class and its probability."""

    label: Count
    class_name: str
    probability: Fraction


class PredictionRecord(Answer, kw_only=True):
    """A prediction without its pictures; the attributes are those of `Prediction`.

    Attributes:
        clipped: see `Prepared`.
    """

    file: str | None
    runner_up: Answer
    probabilities: tuple[Fraction, ...]
    is_calibrated: bool
    none_of_these: bool | None
    size: tuple[Count, Count]
    is_as_made: bool
    is_assumed: bool
    steps: tuple[str, ...]
    hints: tuple[str, ...]
    clipped: Fraction


class LabelledPredictionRecord(PredictionRecord, kw_only=True):
    """A prediction for a picture whose folder names its class."""

    true_label: Count
    true_class_name: str


class DigitRecord(PredictionRecord, kw_only=True):
    """One character of several; the attributes are those of `ReadCharacter`."""

    box: tuple[int, int, int, int]
    line: Count


class StringsRecord(Record, kw_only=True):
    """A `StringReading` as a record, with the same attributes."""

    file: str | None
    text: str
    lines: tuple[str, ...]
    size: tuple[Count, Count]
    num_specks: Count
    num_rules: Count
    notices: tuple[str, ...]
    digits: tuple[DigitRecord, ...]


class UnreadPicture(Record, kw_only=True):
    """A picture that could not be read, and why."""

    file: str
    error: str
