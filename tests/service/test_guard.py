"""Requests that the service refuses before it works on them: foreign hosts, and bodies too large, slow or many.

They are sent through ASGI itself, because a test client would send a body as a whole.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from convscope.base.deadline import check_deadline
from convscope.service import LOOPBACK, Limits, Served, choose_hosts, create_app
from convscope.service.logs import LOGGER
from convscope.service.refusal import STOPPING

from .conftest import Client

HOST = [(b"host", b"localhost")]


async def post(
    app: Any, chunks: AsyncIterator[bytes] | Iterable[bytes], path: str = "/v1/predict", **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Send a body chunk by chunk, and return status, headers and JSON of the response."""

    async def receive_chunks() -> AsyncIterator[dict[str, Any]]:
        if hasattr(chunks, "__aiter__"):
            async for chunk in chunks:
                yield {"type": "http.request", "body": chunk, "more_body": True}
        else:
            for chunk in chunks:
                yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    messages, source = [], receive_chunks()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    raw_headers = [*HOST, *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw_headers,
        "server": ("localhost", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await app(scope, lambda: anext(source), send)
    start, *parts = messages
    response_headers = {key.decode(): value.decode() for key, value in start["headers"]}
    return start["status"], response_headers, json.loads(b"".join(part.get("body", b"") for part in parts))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_this_machine_is_answered(client: Client, host: str):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.org", "localhost.example.org", "127.0.0.1.example.org:8000", "[::1].example.org",
        "[::1]example.org:80", "[::1]:80:80", "[::1]:8000.example.org", "localhost:80@example.org",
        "localhost@example.org", "example.org@localhost", "localhost:80.example.org", "localhost:-1",
        "localhost, example.org", "localhost/", "::1", "", "[::1", "[]",
    ],
)  # fmt: skip
def test_another_host_is_not_answered(client: Client, host: str):
    completed = client.get("/health", headers={"host": host})
    assert completed.status_code == 421
    assert "--allow-host" in completed.json()["error"]


def test_hosts_can_be_named_or_all_be_allowed(grey: Served):
    assert Client(create_app([grey], hosts={"mine"})).get("/health", headers={"host": "mine:80"}).status_code == 200
    assert Client(create_app([grey], hosts={"mine"})).get("/health").status_code == 421
    assert Client(create_app([grey], hosts=None)).get("/health", headers={"host": "any.example"}).status_code == 200


def test_a_body_is_refused_by_its_content_length(grey: Served):
    app = create_app([grey], Limits(body_bytes=1000))
    status, _, answer = asyncio.run(post(app, [b"x" * 10], content_length="1001"))
    assert status == 413
    assert answer == {"error": "the body has more than 1,000 bytes, the limit; send less"}


@pytest.mark.parametrize("length", [None, "10", "no number"])
def test_a_body_that_grows_too_long_is_refused_whatever_its_header_says(grey: Served, length: str | None):
    app = create_app([grey], Limits(body_bytes=1000))
    headers = {} if length is None else {"content_length": length}
    assert asyncio.run(post(app, [b"x" * 100] * 11, **headers))[0] == 413
    assert asyncio.run(post(app, [b"x" * 100] * 10, **headers))[0] == 400  # no picture, but not too long


def test_a_refused_body_is_freed(grey: Served):
    app = create_app([grey], Limits(body_bytes=1000, held_bytes=1000))
    held_bytes = []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000
            held_bytes.append(count_held_bytes(app))

    assert asyncio.run(post(app, endless()))[0] == 413
    assert max(held_bytes) <= 2000  # the limit, and the chunk that exceeded it
    assert count_held_bytes(app) == 0


def count_held_bytes(app: Any) -> float:
    """Ask the middleware that guards the service how many bytes of bodies it holds."""
    layer = app.middleware_stack
    if layer is None:  # before the first request
        return 0
    while not hasattr(layer, "held_bytes"):
        layer = layer.app
    return float(layer.held_bytes)


def test_a_client_that_expects_100_continue_is_refused_before_it_sends_its_body(grey: Served):
    app = create_app([grey], Limits(body_bytes=1000))
    reads = []

    async def body() -> AsyncIterator[bytes]:
        reads.append(True)
        yield b"x"

    status, headers, _ = asyncio.run(post(app, body(), content_length="1001", expect="100-continue"))
    assert (status, headers["connection"], reads) == (413, "close", [])  # the body was not read


def test_a_slow_sender_is_cut_off(grey: Served):
    app = create_app([grey], Limits(body_seconds=0.2))

    async def drops() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    status, headers, answer = asyncio.run(post(app, drops()))
    assert (status, headers["connection"]) == (408, "close")
    assert answer == {"error": "the body was not complete after 0.2 s"}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x" * 1000])
def test_a_compressed_body_is_refused(grey: Served, coding: str):
    status, _, answer = asyncio.run(post(create_app([grey]), [b"x"], content_encoding=coding))
    assert status == 415
    assert "uncompressed" in answer["error"]


def start_slow_requests(end: asyncio.Event, app: Any, count: int, size: int = 1) -> list[asyncio.Task[Any]]:
    """Start requests that send `size` bytes, and then nothing until `end` is set."""

    async def slow_body() -> AsyncIterator[bytes]:
        yield b"x" * size
        await end.wait()

    return [asyncio.create_task(post(app, slow_body())) for _ in range(count)]


def test_bodies_that_are_still_arriving_do_not_count_as_requests_in_progress(grey: Served):
    app = create_app([grey], Limits(requests=1, body_seconds=30))

    async def crowd() -> None:
        end = asyncio.Event()
        tasks = start_slow_requests(end, app, 5)
        assert await wait_until(lambda: count_held_bytes(app) == 5)
        assert (await post(app, [b"x"]))[0] == 400  # no picture: so it was read, and not refused with 503
        end.set()
        assert {response[0] for response in await asyncio.gather(*tasks)} <= {400, 503}

    asyncio.run(crowd())


class EndlessPrediction:
    """Replaces the prediction of pictures by a computation that runs until its deadline or the end of the service."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began = self.ended = 0  # how many computations
        monkeypatch.setattr("convscope.service.pictures.answer_picture", self)

    def __call__(self, *_arguments: Any) -> None:
        self.began += 1
        try:
            while True:
                time.sleep(0.01)
                check_deadline()
        finally:
            self.ended += 1


async def wait_until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 600
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return condition()


def test_a_full_service_answers_503_except_for_health(grey: Served, monkeypatch: pytest.MonkeyPatch):
    app, endless = create_app([grey], Limits(requests=2, threads=2)), EndlessPrediction(monkeypatch)

    async def crowd() -> None:
        tasks = [asyncio.create_task(post(app, [b"x"])) for _ in range(2)]
        assert await wait_until(lambda: endless.began == 2)
        status, headers, answer = await post(app, [b"x"])
        assert (status, headers["retry-after"]) == (503, "1")
        assert "2 requests are in progress" in answer["error"]
        assert (await post(app, [], path="/health"))[0] == 405  # it is POST; but not 503
        app.state.work.stop()
        stopped = await asyncio.gather(*tasks)
        assert [(status, answer["error"]) for status, _, answer in stopped] == [(503, STOPPING)] * 2
        assert await wait_until(lambda: endless.ended == 2)

    asyncio.run(crowd())


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_given_up_and_its_thread_freed(grey: Served, monkeypatch: pytest.MonkeyPatch):
    app, endless = create_app([grey], Limits(threads=1, answer_seconds=2)), EndlessPrediction(monkeypatch)

    async def two() -> None:
        first = asyncio.create_task(post(app, [b"x"]))
        assert await wait_until(lambda: endless.began == 1)
        second = asyncio.create_task(post(app, [b"x"]))
        status, headers, answer = await first
        assert (status, "retry-after" in headers) == (503, False)
        assert answer["error"].startswith("the answer was not ready after 2 s, so it was cancelled")
        assert (await second)[0] == 503
        assert await wait_until(lambda: endless.ended == endless.began)

    asyncio.run(two())


def test_a_request_that_waits_until_its_deadline_gets_a_reason(grey: Served):
    app = create_app([grey], Limits(threads=1, answer_seconds=0.2))
    end = threading.Event()

    async def wait() -> None:
        app.state.work.threads.submit(end.wait)  # keeps the only thread busy
        status, headers, answer = await post(app, [b"x"])
        end.set()
        assert (status, headers["retry-after"]) == (503, "1")
        assert "earlier requests are still running" in answer["error"]

    asyncio.run(wait())


def test_a_body_that_is_arriving_is_refused_when_the_service_stops(grey: Served):
    app = create_app([grey], Limits(body_seconds=60))

    async def stop() -> None:
        tasks = start_slow_requests(asyncio.Event(), app, 1)
        assert await wait_until(lambda: count_held_bytes(app) == 1)
        app.state.work.stop()
        status, headers, answer = await tasks[0]
        assert (status, headers["connection"], answer["error"]) == (503, "close", STOPPING)

    asyncio.run(stop())


def test_all_bodies_together_are_bounded_and_the_slowest_gives_way(grey: Served):
    app = create_app([grey], Limits(body_bytes=1000, held_bytes=1500, body_seconds=60))

    async def crowd() -> None:
        tasks = start_slow_requests(asyncio.Event(), app, 1, 1000)
        assert await wait_until(lambda: count_held_bytes(app) == 1000)
        assert (await post(app, [b"x" * 1000]))[0] == 400
        status, headers, answer = await tasks[0]
        assert (status, headers["retry-after"]) == (503, "1")
        assert "too large together" in answer["error"]
        assert count_held_bytes(app) == 0

    asyncio.run(crowd())


def test_a_body_is_refused_while_others_fill_the_memory(grey: Served, monkeypatch: pytest.MonkeyPatch):
    app, endless = (
        create_app([grey], Limits(body_bytes=1000, held_bytes=1500, threads=1)),
        EndlessPrediction(monkeypatch),
    )

    async def crowd() -> None:
        first = asyncio.create_task(post(app, [b"x" * 1000]))
        assert await wait_until(lambda: endless.began == 1)
        status, headers, _ = await post(app, [b"x" * 1000])
        assert (status, headers["retry-after"]) == (503, "1")
        app.state.work.stop()
        await first
        assert count_held_bytes(app) == 0

    asyncio.run(crowd())


def test_a_client_that_goes_away_is_no_failure(grey: Served, caplog: pytest.LogCaptureFixture):
    app = create_app([grey])

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: dict[str, Any]) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/v1/predict", "query_string": b"", "headers": HOST}
    with caplog.at_level(logging.INFO, LOGGER):
        asyncio.run(app(scope, gone, send))
    (record,) = [record for record in caplog.records if record.name == LOGGER]
    assert (record.levelname, record.exc_info, record.facts["status"]) == ("INFO", None, 499)  # type: ignore[attr-defined]
    assert count_held_bytes(app) == 0


def test_a_websocket_is_closed(grey: Served):
    sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    async def go() -> None:
        await create_app([grey])({"type": "websocket", "path": "/", "headers": []}, send, send)

    asyncio.run(go())
    assert sent == ["websocket.close"]


@pytest.mark.parametrize(
    ("address", "allowed", "names"),
    [
        ("127.0.0.1", (), LOOPBACK),
        ("localhost", (), LOOPBACK),
        ("[::1]", ("Digits.Example",), LOOPBACK | {"digits.example"}),
        ("0.0.0.0", ("digits.example",), LOOPBACK | {"digits.example"}),
        ("0.0.0.0", (), None),
    ],
)
def test_a_service_for_other_machines_accepts_every_host_unless_hosts_are_named(address, allowed, names):
    assert choose_hosts(address, allowed) == names


def test_four_bodies_fit_into_memory_together():
    assert Limits().held_bytes == 128 * 2**20
    assert Limits(body_bytes=64 * 2**20).held_bytes == 256 * 2**20
    assert Limits(held_bytes=1000).held_bytes == 1000
