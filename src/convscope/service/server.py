"""Run an application under uvicorn until it is stopped, with limits on slow clients.

uvicorn waits without limit for headers, and for a client that does not read its answer. `_Protocol` does not. Of a
connection are bounded:

    headers   from the first wait until they are complete         `header_seconds`, then 408
    body      here only the rest of one that is answered already  `header_seconds`, then closed
    answer    each time that the client takes no bytes of it      `send_seconds`, then closed
    idle      between two requests                                uvicorn's own 5 s

A stop takes these steps, with the default limit of 30 s:

    0 s       SIGINT or SIGTERM: new connections are refused, and requests in progress go on
    30 s      (or at a second signal) those that are left get 503, and their threads end at their next check
    32 s      uvicorn gives up requests that are still open
    34.5 s    the process is killed, if a thread has not ended
"""

import asyncio
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from types import FrameType
from typing import Any, TextIO

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from convscope.base.errors import RunError
from convscope.service.limits import Limits
from convscope.service.logs import LOGGER, log_only_json, make_log_config
from convscope.service.observe import SAFE_HEADERS
from convscope.service.refusal import LATER
from convscope.service.work import Work

_CLOSING_SECONDS = 2  # time after `stop_seconds` for the last answers to be sent
# Time after `stop_seconds`, for threads to check their deadline. With the end of the process, it stays below the five
# seconds that `serve` promises.
_LAST_SECONDS = 4.5
_BACKLOG = 128  # connections that the system queues until they are accepted


def serve(
    app: FastAPI,
    limits: Limits,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Answer requests until SIGINT or SIGTERM, then finish those in progress and return; only from the main thread.

    Requests without an answer after `limits.stop_seconds`, or at a second signal, get 503. If a thread still works five
    seconds after that time, the process is killed. `app` cannot be served again.

    Args:
        port: 0 for any that is free.
        on_start: called with the address, such as http://127.0.0.1:8000, once connections are accepted.

    Raises:
        RunError: if the address cannot be bound.
    """
    listener = _bind(host, port)
    try:
        with log_only_json() as stream:
            _run(app, limits, listener, stream, lambda: on_start(_format_address(listener, host)) if on_start else None)
    finally:
        listener.close()


def _run(app: FastAPI, limits: Limits, listener: socket.socket, stream: TextIO, on_start: Callable[[], None]) -> None:
    """Serve until a signal stops the service; requests in progress may still take `limits.stop_seconds`."""
    config = uvicorn.Config(
        app,
        http=type("Protocol", (_Protocol,), {"limits": limits}),  # uvicorn makes the connections, from their class
        ws="none",
        loop="asyncio",
        lifespan="off",  # the application has none, and its task would log a traceback if the start fails
        log_config=make_log_config(stream),
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asks
        timeout_keep_alive=5,  # seconds for the next request on an idle connection, uvicorn's default
        timeout_graceful_shutdown=ceil(limits.stop_seconds) + _CLOSING_SECONDS,
    )
    work: Work = app.state.work
    server = _Server(config, work, limits.stop_seconds)
    server.on_start = on_start
    # uvicorn raises the signal again once it has stopped, which would end the process with an error.
    handlers = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run([listener])
        work.threads.shutdown(cancel_futures=True)
    finally:
        server.last_resort.cancel()
        if server.last_resort.is_alive():
            server.last_resort.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    """uvicorn's server, which calls `on_start`, and takes the steps of a stop that the module describes."""

    on_start: Callable[[], None] | None = None
    loop: asyncio.AbstractEventLoop

    def __init__(self, config: uvicorn.Config, work: Work, stop_seconds: float) -> None:
        super().__init__(config)
        self.work = work
        self.stop_seconds = stop_seconds
        self.last_resort = threading.Timer(stop_seconds + _LAST_SECONDS, _kill)
        self.last_resort.daemon = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.on_start is not None:
            self.on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at the second signal, answer all open requests with 503."""
        # uvicorn itself would drop them and log tracebacks.
        if self.should_exit:
            self.loop.call_soon_threadsafe(self.work.stop)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.last_resort.start()
        grace_timer = asyncio.get_running_loop().call_later(self.stop_seconds, self.work.stop)
        await super().shutdown(sockets)  # waits for the open requests
        grace_timer.cancel()
        self.work.stop()  # a thread may still compute for a client that has gone


def _kill() -> None:
    """End the process whatever its threads do: none of them can be ended by itself."""
    logging.getLogger(LOGGER).error("a thread is still running after the shutdown time; the process is killed")
    os.kill(os.getpid(), signal.SIGKILL)


class _Protocol(H11Protocol):
    """A connection that is closed if headers come too slowly, its client reads no answer, or there are too many.

    If there are too many, the oldest whose request has not arrived is closed, so that slow clients keep nobody out.
    """

    limits: Limits
    since: float  # when it was opened, in seconds of the event loop
    _header_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > self.limits.connections:
            connections = [connection for connection in self.connections if isinstance(connection, _Protocol)]
            slow = [connection for connection in connections if connection.is_awaited]  # at least this new one
            oldest = min(slow, key=lambda connection: connection.since)
            oldest._close_with(503, f"{self.limits.connections} connections are open, which is the limit")
        self._watch_headers()

    @property
    def is_awaited(self) -> bool:
        """True while headers or a body have not arrived, as on a new connection."""
        return self.conn.their_state is not h11.DONE and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._header_timer, self._send_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timer when the write buffer is full, as the client does not read."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(self.limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._send_timer is not None:
            self._send_timer.cancel()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # `close` would wait for a client that reads nothing
        else:
            super().timeout_keep_alive_handler()

    def _watch_headers(self) -> None:
        """Start the timer while headers are missing, and stop it once they are complete.

        It also bounds the wait for the rest of a body whose request is already answered.
        """
        # In h11, each side of a connection goes from IDLE over sending to DONE; when both are DONE, both begin again:
        #
        #     theirs    IDLE: no complete headers yet    SEND_BODY: headers are here    DONE: the body is, too
        #     ours      IDLE: no request yet             SEND_...: answering            DONE: answered
        #
        # While theirs is SEND_BODY and ours is not DONE, the application reads the body, with a limit of its own.
        is_missing = self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE
        is_waiting = is_missing and self.timeout_keep_alive_task is None  # uvicorn's own timer for an idle connection
        if is_waiting and self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_seconds, self._refuse_late_headers)
        elif not is_waiting and self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _refuse_late_headers(self) -> None:
        self._header_timer = None
        if self.conn.our_state is h11.IDLE:
            self._close_with(408, f"the headers were not complete after {self.limits.header_seconds:g} s")
        elif self.conn.our_state is h11.DONE:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP; uvicorn calls this, and its own answer is not JSON."""
        self._close_with(400, msg)

    def _close_with(self, status: int, reason: str) -> None:
        """Answer outside of the application and close; a connection without a request is only closed.

        The application may still be computing an answer: its output is dropped, or if some of it was sent already,
        there is no second answer.
        """
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:  # uvicorn's state of the current request
            self.cycle.disconnected = True  # further output of the application is dropped
        if status == 503 and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.transport.close()  # a client would read an answer here as the answer to its next request
            return
        body = json.dumps({"error": reason}).encode()
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            *SAFE_HEADERS.items(),
            *(LATER.items() if status == 503 else []),
        ]
        try:
            head = self.conn.send(h11.Response(status_code=status, headers=headers))
            self.transport.write((head or b"") + body)
        except h11.LocalProtocolError:
            pass  # another answer is already being sent
        self.transport.close()


def _bind(host: str, port: int) -> socket.socket:
    """Open a socket that listens on `host` and `port`; raises `RunError` if that is impossible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            # Otherwise a restarted service could not bind until the system has forgotten its old connections.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        raise RunError(f"{host}:{port}: cannot bind ({error}); choose another --host or --port") from error
    listener.set_inheritable(False)
    return listener


def _format_address(listener: socket.socket, host: str) -> str:
    # From elsewhere nobody can open 0.0.0.0, but the address that this machine would send from. A connected UDP socket
    # has it, and connecting sends nothing. Both addresses are kept for documentation (RFC 5737 and RFC 3849).
    if (elsewhere := {"0.0.0.0": "192.0.2.1", "::": "2001:db8::1"}.get(host)) is not None:
        with suppress(OSError), socket.socket(listener.family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            host = probe.getsockname()[0]
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"  # an IPv6 address in brackets


def _ignore(_number: int, _frame: object) -> None:
    """Replace the default handlers while uvicorn has its own."""
