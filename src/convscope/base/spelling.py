"""Suggest the intended name for an unknown one."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the closest of the `known` names, as the end of a sentence; "" if none is close.

    >>> did_you_mean("mnits", ["mnist", "qmnist"])
    "; did you mean 'mnist'?"
    >>> did_you_mean("letters", ["mnist", "qmnist"])
    ''
    """
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def is_path(text: str) -> bool:
    """True if `text` looks like a path: it has a folder, or an ending such as .json.

    >>> is_path("nets/mine"), is_path("mine.json"), is_path("cnn")
    (True, True, False)
    """
    return "/" in text or os.sep in text or bool(Path(text).suffix)
