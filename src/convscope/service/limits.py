"""The limits of a service: sizes, numbers and times; and waits that end in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields

from convscope.experiment.machine import count_cores

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits for every request, so that neither one client nor all together can exhaust the machine.

    Attributes:
        body_bytes: the size of a request's body; a photo of a phone has 2 to 10 MB.
        held_bytes: all bodies and answers in memory at a time; by default 128 MiB, or four bodies if these are more.
        pixels: those of a picture. Decoding takes up to twelve bytes for each; one picture is decoded at a time.
        requests: the number in progress or waiting for a thread; further ones get 503. A request whose body is
            arriving, or whose answer is being sent, does not count.
        connections: the number of open connections; if there are more, the one that has sent no request for longest is
            closed.
        threads: the number of threads that compute; by default one for each core.
        header_seconds: from the opening of a connection, or the first byte of a request, to the end of its headers.
        body_seconds: until a body must be complete.
        answer_seconds: from a complete body to its answer, with the wait for a thread; then it is 503.
        send_seconds: until a client must accept a further part of an answer.
        stop_seconds: for requests in progress when the service stops; then they get 503, and five seconds later the
            process ends.

    Raises:
        ValueError: for a value that is not a number above zero.
    """

    body_bytes: int = 16 * MIB
    held_bytes: int = 0
    pixels: int = 25_000_000
    requests: int = 64
    connections: int = 512
    threads: int = field(default_factory=count_cores)
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    send_seconds: float = 30.0
    stop_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.held_bytes == 0:
            object.__setattr__(self, "held_bytes", max(128 * MIB, 4 * self.body_bytes))
        for limit in fields(self):
            value = getattr(self, limit.name)
            kinds = int | float if limit.name.endswith("_seconds") else int
            # The upper bound keeps out infinity and numbers that a timer does not take.
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < 1e15:
                what = "a number" if limit.name.endswith("_seconds") else "a whole number"
                raise ValueError(f"{limit.name} is {value!r}; it must be {what} above 0")


class Waiting:
    """The waits of a service, all in its event loop.

    Attributes:
        stopped: True once `stop` was called; then every wait ends at once.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._timeouts = set[asyncio.Timeout]()

    @asynccontextmanager
    async def at_most(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Raise `TimeoutError` if the block takes longer than `seconds`, or the service stops."""
        async with asyncio.timeout(0 if self.stopped else seconds) as timeout:
            self._timeouts.add(timeout)  # so that `stop` can end the wait early
            try:
                yield timeout
            finally:
                self._timeouts.discard(timeout)

    def stop(self) -> None:
        """End all waits, also those of later requests."""
        self.stopped = True
        for timeout in self._timeouts:
            end(timeout)


def end(timeout: asyncio.Timeout) -> None:
    """End a wait now."""
    if not timeout.expired():  # `reschedule` raises an error for one that has ended
        timeout.reschedule(asyncio.get_running_loop().time())
