"""What one service takes on at most: sizes, numbers and times; and waiting, which ends in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields

from convscope.experiment.machine import count_cores

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds that hold for every request, so that neither one client nor all together can exhaust the machine.

    Attributes:
        body_bytes: of one request's body; a photo of a phone has 2 to 10 MB.
        held_bytes: of all bodies and answers that are in memory at one moment; by default 128 MiB, or four bodies where
            these are more.
        pixels: of one picture; decoding it takes up to twelve bytes a pixel, and one is decoded at a time.
        images: of one request for inference.
        requests: that are computed or wait for it at once; more are turned away with 503. A request whose body is still
            arriving, or whose answer is being sent, is none of them.
        connections: that are open at once; of more, the one whose request has been awaited longest is closed.
        threads: that compute; by default one a core.
        header_seconds: from the opening of a connection, or the first byte of a request, to the end of its headers.
        body_seconds: until a body must be complete.
        answer_seconds: from a complete body to its answer, waiting for a thread included; then it is 503.
        send_seconds: that a client may take to accept one more piece of an answer.
        stop_seconds: that requests may take when the service is told to stop; then they are answered with 503, and
            five seconds later the process has ended.

    Raises:
        ValueError: for a value that is not a number above zero.
    """

    body_bytes: int = 16 * MIB
    held_bytes: int = 0
    pixels: int = 25_000_000
    images: int = 256
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
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < 1e15:
                what = "a number" if limit.name.endswith("_seconds") else "a whole number"
                raise ValueError(f"{limit.name} is {value!r}; it must be {what} above 0")


class Waiting:
    """The waits of one service; used in its event loop alone.

    Attributes:
        stopped: whether `stop` was called: from then on nothing is waited for.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._timeouts = set[asyncio.Timeout]()

    @asynccontextmanager
    async def at_most(self, seconds: float) -> AsyncIterator[asyncio.Timeout]:
        """Raise `TimeoutError` out of the block when it takes longer, or the service stops."""
        async with asyncio.timeout(0 if self.stopped else seconds) as timeout:
            self._timeouts.add(timeout)
            try:
                yield timeout
            finally:
                self._timeouts.discard(timeout)

    def stop(self) -> None:
        """End all waits, those of later requests included."""
        self.stopped = True
        for timeout in self._timeouts:
            end(timeout)


def end(timeout: asyncio.Timeout) -> None:
    """Let a wait end now."""
    if not timeout.expired():
        timeout.reschedule(asyncio.get_running_loop().time())
