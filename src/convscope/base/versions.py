"""Which convscope this is, and what its extras install: as its own metadata say, so that there is no second list."""

import re
from functools import cache
from importlib.metadata import requires, version


@cache
def own_version() -> str:
    """Return the version of convscope that is running, such as "0.1.0"."""
    return version("convscope")


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra.

    It names the packages themselves, so it works wherever convscope was installed from: an index, a wheel or a
    checkout. The double quotes are those of every shell.

    >>> install_command("parquet")
    'pip install "pyarrow>=17"'
    """
    packages = sorted(line.partition(";")[0].strip() for line in requires("convscope") or [] if _is_of(line, extra))
    assert packages, extra
    return " ".join(["pip install", *(f'"{package}"' for package in packages)])


def _is_of(requirement: str, extra: str) -> bool:
    found = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
    return found is not None and found[1] == extra
