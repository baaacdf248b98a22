"""Check a request before it reaches the application: its host, and the size of its body.

A body is counted while it arrives, so no more of it than the limit is ever in memory, whatever length it declares. Its
bytes are held until the answer is sent, unless it ends early:

    refused     it is larger than `body_bytes` (413), or compressed (415)
    too slow    it is not complete after `body_seconds` (408)
    given up    all bodies and answers together exceed `held_bytes`, and this is the oldest incomplete one (503)

So a client that sends many large bodies slowly loses these, and does not keep out others.
"""

import asyncio
import ipaddress
import re
from collections.abc import Collection
from contextlib import suppress
from time import monotonic
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convscope.service.limits import Limits, Waiting, end
from convscope.service.refusal import LATER, STOPPING, RequestRefusedError, send_refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The hosts of a service that only this machine can reach."""

HEALTH = "/health"
"""The path that is answered even if the service is full."""

_TOGETHER = "the bodies of all current requests are too large together; try again in a second"

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{0,5})?")  # RFC 9110, section 7.2, without user names

_DISCARD_SECONDS = 2.0  # how long the rest of a refused body is read; otherwise many clients never read the answer


def choose_hosts(address: str, allowed: Collection[str] = ()) -> Collection[str] | None:
    """Choose the names that requests may have as their Host, `allowed` and those of this machine; None for all."""
    # A service for other machines may be reached by any name, so all are accepted unless some were listed.
    if allowed or _is_this_machine(address):
        return {name.lower() for name in allowed} | LOOPBACK
    return None


def _is_this_machine(address: str) -> bool:
    """True if only this machine can reach an address."""
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class GuardMiddleware:
    """Pure ASGI middleware around the application.

    Args:
        hosts: names that a request may have as its Host, in lower case and without a port; None for all.
    """

    def __init__(self, app: ASGIApp, limits: Limits, waiting: Waiting, hosts: Collection[str] | None) -> None:
        self.app = app
        self.limits = limits
        self.hosts = hosts
        self.waiting = waiting
        self.held_bytes = 0  # bytes of all bodies and answers that are in memory
        self.bodies = list["_Body"]()  # the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self.hosts is not None and _read_host(headers.get("host", "")) not in self.hosts:
            reason = (
                "the Host header names a host that this service does not serve; start the service with --allow-host"
            )
            await send_refusal(RequestRefusedError(421, reason), scope, receive, send)
            return
        if scope["path"] == HEALTH:
            await self.app(scope, receive, send)
            return
        await self._run_counted(scope, _Body(receive, headers, self), send)

    async def _run_counted(self, scope: Scope, body: "_Body", send: Send) -> None:
        """Run the application with a body and an answer whose bytes are counted.

        An answer `start, "ab", "cd" (last)` of the application reaches the server as `start, "ab", "cd", "" (last)`.
        """
        self.bodies.append(body)
        num_answer_bytes = 0  # of the last part of the answer, from which on it is held here

        async def send_counted(message: Message) -> None:
            """Send a part of the answer; the bytes of the last part count as held until the client has taken them."""
            # Two things come between the last part and the empty one that ends the answer: the rest of a refused body
            # is read, because the server closes the connection at the end of the answer; and the server waits until the
            # client has taken most of the bytes, as it does at the next `send`.
            nonlocal num_answer_bytes
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                num_answer_bytes = len(message.get("body", b""))
                self.hold(num_answer_bytes)
                await send({**message, "more_body": True})
                if body.is_refused:
                    await body.discard()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        try:
            await self.app(scope, body, send_counted)
        finally:  # also if the client disconnects
            self.bodies.remove(body)
            self.hold(-body.size - num_answer_bytes)

    def hold(self, num_bytes: int) -> None:
        """Count bytes that are now in memory; a negative number for bytes that no longer are."""
        self.held_bytes += num_bytes

    def make_room(self, body: "_Body") -> None:
        """Give up incomplete bodies, the oldest first, until the rest fits the limit.

        A part of `body` has just arrived. If it is incomplete, it has its place among the others by age. If it is
        complete, it is given up only after all of them: with incomplete bodies A and B, in the order A, B, `body`.
        """
        incomplete = [waiting_body for waiting_body in self.bodies if waiting_body.size and not waiting_body.complete]
        for candidate in [*incomplete, body]:
            # Before this part all bodies fitted, so once `body` is given up, no other needs to be.
            if self.held_bytes <= self.limits.held_bytes or body.is_given_up:
                break
            candidate.give_up()


class _Body:
    """The `receive` of a request, which the application calls for each part of the body.

    A call raises `RequestRefusedError` if the body is too large or too slow, or was given up while the call waited. The
    life of a body, and the bytes that count as held:

        not read yet        none: `deadline` is None
        arriving            `size`, the parts so far; between two parts `timeout` limits the wait
        `complete`          `size`, until the answer is sent
        refused, given up   none, and what still arrives is dropped
    """

    def __init__(self, receive: Receive, headers: Headers, guard: GuardMiddleware) -> None:
        self.receive = receive
        self.headers = headers
        self.guard = guard
        self.size = 0  # bytes that have arrived and count as held
        self.deadline: float | None = None  # in seconds of `monotonic`; None until the application reads the body
        self.complete = False
        # True if a part of it was refused and more may be arriving, which `discard` then reads. Not for a body that was
        # too slow or given up while it waited for a part: nothing of it was arriving.
        self.is_refused = False
        self.is_given_up = False  # dropped to make room for other bodies
        self.timeout: asyncio.Timeout | None = None  # the limit of the wait for the next part

    async def __call__(self) -> Message:
        if self.complete:  # then the next message is that the client has disconnected
            return await self.receive()
        if self.deadline is None:  # the first call: now the application reads the body
            self.deadline = monotonic() + self.guard.limits.body_seconds
            self._check_headers()
        try:
            async with self.guard.waiting.at_most(self.deadline - monotonic()) as self.timeout:
                message = await self.receive()
        except TimeoutError:
            raise self._make_timeout_error() from None
        finally:
            self.timeout = None
        self._count(message)
        return message

    def _check_headers(self) -> None:
        if (coding := self.headers.get("content-encoding", "identity").strip().lower()) not in ("", "identity"):
            self._refuse(415, f"Content-Encoding is {coding!r:.40}; send the body uncompressed")
        # A declared length is refused at once. It may be wrong or missing, so `_count` counts what arrives.
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self.guard.limits.body_bytes:
            self._refuse(413, self._describe_limit())

    def _count(self, message: Message) -> None:
        """Count a part of the body that has arrived, and refuse the body if it exceeds a limit."""
        size = len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        self.size += size
        self.guard.hold(size)
        if self.size > self.guard.limits.body_bytes:
            self._refuse(413, self._describe_limit())
        if self.guard.held_bytes > self.guard.limits.held_bytes:
            self.guard.make_room(self)
        if self.is_given_up:
            self._refuse(503, _TOGETHER, LATER)

    def give_up(self) -> None:
        """Stop counting the body, and make the call that waits for its next part raise the error."""
        self.is_given_up = True
        self.guard.hold(-self.size)
        self.size = 0
        # None if no call waits: `_count` refuses the part that has just arrived, or the next one.
        if self.timeout is not None:
            end(self.timeout)

    def _make_timeout_error(self) -> RequestRefusedError:
        closing = {"connection": "close"}  # as in `_refuse`
        if self.is_given_up:
            return RequestRefusedError(503, _TOGETHER, LATER | closing)
        if self.guard.waiting.stopped:
            return RequestRefusedError(503, STOPPING, LATER | closing)
        seconds = self.guard.limits.body_seconds
        return RequestRefusedError(408, f"the body was not complete after {seconds:g} s", closing)

    def _describe_limit(self) -> str:
        return f"the body has more than {self.guard.limits.body_bytes:,} bytes, the limit; send less"

    def _refuse(self, status: int, reason: str, headers: dict[str, str] | None = None) -> NoReturn:
        self.guard.hold(-self.size)
        self.size = 0
        # The rest of an incomplete body would be read as the next request, so the connection is closed.
        self.is_refused = not self.complete
        raise RequestRefusedError(
            status, reason, (headers or {}) | ({"connection": "close"} if self.is_refused else {})
        )

    async def discard(self) -> None:
        """Read the rest of a refused body for a moment and drop it."""
        # If the connection closed at once, a client that is still sending would get a reset instead of the answer.
        if self.headers.get("expect", "").lower() == "100-continue":
            return  # such a client sends no body before the server asks for it
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while (await self.receive()).get("more_body", False):
                    pass


def _read_host(header: str) -> str:
    """Read the name in a Host header, in lower case and without its port; "" for a malformed header."""
    match = _HOST.fullmatch(header.strip().lower())
    return match[1] if match else ""
