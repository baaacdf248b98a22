"""Everything that the service waits for has a limit in seconds, and ends at once when the service is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
