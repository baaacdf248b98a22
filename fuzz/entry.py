"""Shared by the fuzzing entries: write bytes to a file, call the reader, and let only the reader's own errors pass."""

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris


def fuzz(read: Callable[[Path], Any], own_errors: type[Exception] | tuple[type[Exception], ...], name: str) -> None:
    """Call `read` with a file called `name` of ever new bytes until the time is up or it raises another error.

    The command line is libFuzzer's: folders of seeds, `-max_total_time=SECONDS`, `-rss_limit_mb=MEGABYTES`, a file to
    be read once.
    """
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:  # noqa: PTH112
        path = Path(folder) / name

        def test_one_input(content: bytes) -> None:
            path.write_bytes(content)
            with suppress(own_errors):
                read(path)

        atheris.Setup(sys.argv, test_one_input)
        atheris.Fuzz()
