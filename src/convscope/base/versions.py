"""The version of convscope and the packages of its extras, read from its metadata."""

import re
from functools import cache
from importlib import import_module
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, Final, Literal

from convscope.base.errors import MissingPackageError, RunError

FORMAT: Final[Literal[1]] = 1
"""The format of model files, training states, run folders and records. A reader refuses a larger number."""


@cache
def own_version() -> str:
    """Return the version of convscope that is running, such as "0.1.0"."""
    return version("convscope")


def check_format(path: Path | str, number: Any, writer: Any) -> None:
    """Raise `RunError` unless `number` is a format that this version reads.

    Args:
        writer: the version of convscope that the file says it was written by; anything else if it does not say so.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise RunError(f"{path}: format is {number!r:.60}, which is unknown; use another copy")
    if number > FORMAT:
        known = isinstance(writer, str) and re.fullmatch(r"\d+(\.\d+)*[\w.+-]{0,20}", writer, re.ASCII)
        raise RunError(
            f"{path}: format {number} is newer than convscope {own_version()}, which reads formats up to {FORMAT}; "
            + (f"install convscope {writer} or newer" if known else "install a newer version")
        )


def install_command(extra: str, package: str = "") -> str:
    """Return the command that installs the packages of an extra, or one of them.

    It names the packages themselves, so it works wherever convscope was installed from: an index, a wheel or a
    checkout. The double quotes are those of every shell.

    >>> install_command("parquet")
    'pip install "pyarrow>=17"'
    """
    # A line of the metadata: pyarrow>=17; extra == "parquet"
    of_extra = re.compile(rf"extra == ['\"]{re.escape(extra)}['\"]")
    packages = sorted(line.partition(";")[0].strip() for line in requires("convscope") or [] if of_extra.search(line))
    packages = [line for line in packages if line.startswith(package)]
    assert packages, extra
    return " ".join(["pip install", *(f'"{package}"' for package in packages)])


def require(module: str, title: str, extra: str, package: str = "") -> Any:
    """Import a module of another program; raises `MissingPackageError`, with the next step, if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(f"{title} is not installed; run {install_command(extra, package)}") from error
