"""Stop work in time: long loops call `check_deadline`, which raises once the deadline of their thread is over.

A thread cannot be ended from outside, so the work itself has to look. Without a deadline nothing is checked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from time import monotonic

_POLL_SECONDS = 0.05  # time between two checks of the deadline while a thread waits for a lock


class DeadlineError(Exception):
    """Work that was stopped because its deadline has passed or it was cancelled."""


class Deadline:
    """A moment, `seconds` from now, at which work ends; any thread may cancel it earlier."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def cancel(self) -> None:
        self._end = float("-inf")

    @property
    def is_over(self) -> bool:
        return monotonic() >= self._end


# A context variable, because requests of the service run as asyncio tasks of one thread as well as in threads.
_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Let `deadline` hold for what this thread, or this asyncio task, does inside the block."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


def check_deadline() -> None:
    """Raise `DeadlineError` if the deadline of the calling thread is over; do nothing where there is none."""
    deadline = _current.get()
    if deadline is not None and deadline.is_over:
        raise DeadlineError("the work was stopped because it took too long")


@contextmanager
def hold(lock: Lock) -> Iterator[None]:
    """Hold a lock inside the block; waiting for it ends at the deadline.

    Raises:
        DeadlineError: if the deadline passes before the lock is free.
    """
    while not lock.acquire(timeout=-1 if _current.get() is None else _POLL_SECONDS):
        check_deadline()
    try:
        yield
    finally:
        lock.release()
