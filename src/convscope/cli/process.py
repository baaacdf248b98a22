"""What a command does about its process: streams that are closed at the start, and SIGTERM."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

TERMINATED = 128 + signal.SIGTERM
"""The exit status after SIGTERM."""


def open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed.

    The lowest free file handle is that of the stream, so no file gets it, and child processes inherit it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (open as long as the process runs)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """Let the first SIGTERM interrupt the block as Ctrl-C does, and set the exit status of the error that follows.

    Later ones are ignored until the process ends: `timeout` sends two. If SIGTERM is handled or ignored already, it
    stays so.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    is_terminated = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal is_terminated
        if not is_terminated:
            is_terminated = True
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except click.ClickException as error:
        if is_terminated:
            setattr(error, "exit_code", TERMINATED)  # noqa: B010 (the class has one of its own)
        raise
    finally:
        if not is_terminated:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
