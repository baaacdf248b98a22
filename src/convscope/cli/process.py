"""The process of a command: standard streams that are closed at the start, Ctrl-C and SIGTERM."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_stack
from types import FrameType
from typing import Any

import click

TERMINATED = 128 + signal.SIGTERM
"""The exit status after SIGTERM."""


def open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed, so that no other file gets its handle."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The system takes the lowest free handle: 0, 1 or 2, in this order. A data file with handle 1 would
            # receive what libraries and child processes print.
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 (open as long as the process runs)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM.

    Its own class, because Python notes a plain KeyboardInterrupt that passes through `exec` of a text, as in
    dataclasses: then `python -m convscope` ends by SIGINT and not with its exit status.
    """


def _interrupt_again(unraisable: Any) -> None:
    """Interrupt again what an exception that Python drops should have interrupted."""
    # Python drops exceptions in destructors and callbacks of weak references, where a signal may arrive too. The signal
    # is sent again when Python has left the destructor.
    if issubclass(unraisable.exc_type, Interrupted):
        _send_later(signal.SIGINT)
    else:
        sys.__unraisablehook__(unraisable)


def _send_later(number: int) -> None:
    """Send this process a signal in a moment."""
    threading.Timer(0.02, os.kill, (os.getpid(), number)).start()


def _count_imports(frame: FrameType | None) -> int:
    """Count the calls of Python's import among those that led to `frame`."""
    return sum(caller.f_code.co_filename.startswith("<frozen importlib") for caller, _ in walk_stack(frame))


@contextmanager
def interrupts() -> Iterator[None]:
    """Let Ctrl-C and the first SIGTERM interrupt the block, and set the exit status of the error that follows SIGTERM.

        Ctrl-C     raises `Interrupted` each time; after the block it has Python's handler again
        SIGTERM    raises `Interrupted` once; later ones, as `timeout` sends two, are ignored until the process ends

    During an import they wait for its end, as an extension module that is interrupted may abort the process.
    Signals that already have a handler, or are ignored, stay so: a shell that starts a command in the background has
    Ctrl-C ignored for it.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    is_terminated, num_imports = False, _count_imports(sys._getframe())

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal is_terminated
        if _count_imports(frame) > num_imports:
            _send_later(number)
        elif number != signal.SIGTERM or not is_terminated:
            is_terminated |= number == signal.SIGTERM
            raise Interrupted

    defaults: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    replaced = {number: default for number, default in defaults.items() if signal.getsignal(number) is default}
    hook = sys.unraisablehook
    try:
        for number in replaced:
            signal.signal(number, interrupt)
        sys.unraisablehook = _interrupt_again
        yield
    except click.ClickException as error:
        if is_terminated:
            setattr(error, "exit_code", TERMINATED)  # noqa: B010 (the class has one of its own)
        raise
    finally:
        sys.unraisablehook = hook
        for number, default in replaced.items():
            # After a SIGTERM its handler stays, to ignore the second one.
            if number == signal.SIGINT or not is_terminated:
                signal.signal(number, default)
