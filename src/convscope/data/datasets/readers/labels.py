"""Number labels that are text: each different text is a class, and classes are sorted in natural order."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import check_name
from convscope.data.datasets.data_file import DataFileError

MAX_CLASSES = 4096  # above the 3,832 of Kuzushiji-Kanji; confusion matrices take K × K numbers

_WHOLE = re.compile(r"(-?[0-9]+)\.0*")  # pandas writes whole numbers so, if a value of their column was missing


class TextLabels:
    """Collects text labels and numbers them in the order in which they first come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # by name, and by each text that means it, as "3.0" means "3"
        self._names: list[str] = []
        self._labels: list[int] = []

    def extend(self, texts: Iterable[str], called: str, first_row: int = 1) -> None:
        """Add labels; `called` is the word for a row in errors, such as "line".

        Raises:
            DataFileError: if a label is empty or too long, or there are more than MAX_CLASSES different labels.
        """
        numbers, labels = self._numbers, self._labels
        for row, text in enumerate(texts, first_row):
            number = numbers.get(text)
            if number is None:
                number = self._new(text, f"{called} {row:,}")
            labels.append(number)

    def _new(self, text: str, where: str) -> int:
        name = clean_name(text)
        if not name:
            raise DataFileError(f"{where} has no label; label every image, or remove it")
        check_name(name, f"{where}: the label", DataFileError)
        number = self._numbers.get(name, len(self._names))
        if number >= MAX_CLASSES:
            raise DataFileError(
                f"has more than {MAX_CLASSES} different labels (such as {name!r} in {where}); is this the label column?"
            )
        if number == len(self._names):
            self._names.append(name)
        self._numbers[name] = self._numbers[text] = number
        return number

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each number."""
        return tuple(self._names)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,), the number of each label."""
        return np.array(self._labels, dtype=np.int64)


def clean_name(text: str) -> str:
    """Convert a label to a name: without surrounding blanks, as valid text, and 3.0 as 3."""
    name = text.strip().encode(errors="replace").decode()
    whole = _WHOLE.fullmatch(name)
    return whole[1] if whole else name


def natural_key(name: str) -> tuple[tuple[str, int, str], ...]:
    """Make a key that sorts "2" before "10", and "a2" before "a10".

    >>> sorted(["10", "a10", "9", "a9"], key=natural_key)
    ['9', '10', 'a9', 'a10']
    """
    pieces = re.split(r"([0-9]+)", name)
    digits = [*pieces[1::2], ""]
    # Numbers are compared by their length, then by their digits: Python refuses to make an int of 5,000 digits.
    numbers = [(len(number.lstrip("0")), number.lstrip("0") or "0") for number in digits]
    return tuple((text, *number) for text, number in zip(pieces[::2], numbers, strict=True))


def sort_names(*names: tuple[str, ...]) -> tuple[str, ...]:
    """List every name once, in natural order; of names with the same key, such as "1" and "01", the text decides."""
    return tuple(sorted({name for group in names for name in group}, key=lambda name: (natural_key(name), name)))
