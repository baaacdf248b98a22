"""What classes look like when they are the right way up: digits as in MNIST, and letters as fonts draw them.

Class names to mean images (M, 28, 28) of the classes that are known; of all others nothing is known here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import load_dataset
from convscope.data.handwriting import Handwriting
from convscope.data.inspection.letters import LETTERS, draw_letters, find_fonts

SIDE = 28
FORM = Handwriting(ink="light", target=20)
"""The form of MNIST's images, which the references have and images are brought into."""

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DRAWN_PER_LETTER = 20

Templates = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reference:
    """Mean images of known classes.

    Attributes:
        name: where they come from, in words.
        labels: (M,) of which classes they are.
        templates: (M, 28, 28), light on dark.
    """

    name: str
    labels: NDArray[np.int64]
    templates: Templates


def references_for(class_names: Sequence[str]) -> list[Reference]:
    """Return what the names of the classes may mean: none, or one or two references of at least three classes each.

    A name means a character if it is one, or its lower- and upper-case forms ("A", "a/A"), or an English digit
    ("zero"). Numbers from 0 to 25 or 26 may also count the letters, as in EMNIST's files.
    """
    found = [_reference([_characters(name) for name in class_names])]
    if len(class_names) in (26, 27) and list(class_names) == [str(label) for label in range(len(class_names))]:
        letters = _ALPHABET if len(class_names) == 26 else f" {_ALPHABET}"
        found.append(_reference([letter.strip() for letter in letters]))
    return [reference for reference in found if reference is not None]


def _characters(name: str) -> str:
    """Return the characters that a class of this name shows, none if that is unknown."""
    plain = name.strip()
    if plain.lower() in _WORDS:
        return str(_WORDS.index(plain.lower()))
    if re.fullmatch(r"[0-9A-Za-z]", plain):
        return plain
    both = re.fullmatch(r"([A-Za-z])\W*([A-Za-z])", plain)
    return both[1] + both[2] if both and both[1].lower() == both[2].lower() else ""


def _reference(characters: Sequence[str]) -> Reference | None:
    """Return the mean images of classes that show these characters, both cases of a letter that has one class."""
    digits = {label: int(one) for label, one in enumerate(characters) if one.isdecimal()}
    single = "".join(characters)
    letters = {
        label: "".join(other for other in dict.fromkeys(one + one.swapcase()) if other in one or other not in single)
        for label, one in enumerate(characters)
        if one and not one.isdecimal()
    }
    templates = {label: _digit_templates()[digit] for label, digit in digits.items()}
    drawn = _letter_templates() if any(set(one) & set(LETTERS) for one in letters.values()) else {}
    for label, either in letters.items():
        if kinds := [drawn[letter] for letter in either if letter in drawn]:
            templates[label] = np.mean(kinds, axis=0)
    if len(templates) < 3:
        return None
    sources = ["MNIST's digits"] * bool(digits) + ["letters of fonts"] * (len(templates) > len(digits))
    return Reference(
        " and ".join(sources),
        np.array(list(templates), np.int64),
        np.stack(list(templates.values())).astype(np.float32),
    )


@cache
def _digit_templates() -> Templates:
    """Return (10, 28, 28), the mean of MNIST's test images of each digit."""
    test = load_dataset("mnist").test
    return np.stack([test.images[test.labels == digit].mean(axis=0)[..., 0] for digit in range(10)]).astype(np.float32)


@cache
def _letter_templates() -> dict[str, Templates]:
    """Return the mean image of each letter that no digit looks like, (28, 28); none where there is no font."""
    fonts = find_fonts()
    if not fonts:
        return {}
    images, letters = draw_letters((SIDE, SIDE, 1), FORM, _DRAWN_PER_LETTER * len(LETTERS), fonts)
    which = np.array(letters)
    return {
        letter: images[which == letter].mean(axis=0)[..., 0].astype(np.float32) for letter in dict.fromkeys(letters)
    }
