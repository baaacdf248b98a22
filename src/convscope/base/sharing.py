"""Shorten paths to their last part, so that pages, cards and trackers name no folder of this machine.

`run.json` keeps the whole paths, because `--resume` reads them.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from msgspec import convert

from convscope.base.records import Record

_Kind = TypeVar("_Kind", bound=Record)

# A path in a call, as `repr` writes it: in double quotes if it holds an apostrophe.
_QUOTED_PATH = re.compile(r"""(['"])((?:/|\.\./|~|[A-Za-z]:\\\\)(?:(?!\1).)*)\1""")
# Keys of `run.json` whose values are paths: `argument` of data, `run` of a run that training started from, or that
# gave an ensemble a member.
_PATHS = ("argument", "run")


def last_part(word: str) -> str:
    """Shorten a path that is absolute or leaves the folder to its last part; other words stay.

    >>> [last_part(word) for word in ("/home/ann/digits.npz", "../ann/digits.npz", "digits/train.npz", "mnist", "/")]
    ['digits.npz', 'digits.npz', 'digits/train.npz', 'mnist', '/']
    """
    # Both kinds of paths, since a run may come from another system.
    for path in (PurePosixPath(word), PureWindowsPath(word)):
        if path.is_absolute() or word.startswith(("~", "..")):
            return path.name or word
    return word


def without_folders(command: str) -> str:
    """Shorten each path in commands, one a line, or in a call of `cs.run`, to its last part.

    >>> without_folders("convscope train /home/ann/digits.npz"), without_folders("cs.run('/home/ann/digits.npz')")
    ('convscope train digits.npz', "cs.run('digits.npz')")
    >>> path = "/home/o'neil/digits.npz"
    >>> without_folders(f"cs.run({path!r})")
    "cs.run('digits.npz')"
    """
    if "\n" in command:
        return "\n".join(map(without_folders, command.splitlines()))
    if not command.startswith("convscope "):
        return _QUOTED_PATH.sub(lambda path: repr(last_part(path[2])), command)
    try:
        words = shlex.split(command)
    except ValueError:  # the command is damaged: a quote does not end
        words = command.split()
    return shlex.join(map(_shorten_word, words))


def _shorten_word(word: str) -> str:
    """Shorten a word of a command that is a path, or the paths among the values that it gives an option.

    >>> [_shorten_word(word) for word in ("/home/ann/a=b.npz", "--out=/home/ann/run", "recipe=fast,/home/ann/r.json")]
    ['a=b.npz', '--out=run', 'recipe=fast,r.json']
    """
    if "=" not in word or last_part(word) != word:
        return last_part(word)
    option, _, values = word.partition("=")
    return f"{option}={','.join(map(_shorten_word, values.split(',')))}"


def shareable(record: _Kind) -> _Kind:
    """Copy the record of `run.json`, with each path shortened to its last part."""
    return convert(_shorten_paths(record.to_dict()), type(record))


def _shorten_paths(record: Any, key: str = "") -> Any:
    if isinstance(record, Mapping):
        return {name: _shorten_paths(value, name) for name, value in record.items()}
    if isinstance(record, list):
        return [_shorten_paths(value) for value in record]
    if isinstance(record, str) and key == "command":
        return without_folders(record)
    return last_part(record) if isinstance(record, str) and key in _PATHS else record
