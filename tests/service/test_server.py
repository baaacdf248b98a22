"""The service as a process on loopback, where connections can be slow, cut off, malformed or too many."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image
from tests.shared import encode_picture

from convscope.base.errors import RunError
from convscope.service import Limits, Served, create_app, serve
from convscope.service.observe import SAFE_HEADERS
from convscope.service.server import _format_address

SCRIPT = """
import json, sys
from convscope.service import Limits, create_app, load_served, serve
limits = Limits(**json.loads(sys.argv[2]))
app = create_app(load_served([sys.argv[1]]), limits)
serve(app, limits, port=0, on_start=lambda address: print(address, flush=True))
"""

LIMITS = {"body_bytes": 1 << 20, "body_seconds": 1.0, "header_seconds": 1.0, "send_seconds": 1.0, "stop_seconds": 5.0}


class Service:
    """A running service: its process, address, log and use of memory."""

    def __init__(self, process: subprocess.Popen[str], address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self.port = int(address.rpartition(":")[2])
        self.log = log

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=600)

    def mib(self, key: str) -> float:
        """Return a field of /proc in MiB, such as VmRSS, the present use of memory, or VmHWM, its highest value."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition(f"{key}:")[2].split()[0]) / 1024

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running(folder: Path, log: Path, script: str = SCRIPT, **limits: object) -> Iterator[Service]:
    command = [sys.executable, "-W", "error", "-c", script, str(folder / "grey"), json.dumps(LIMITS | limits)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), log.read_text()
            yield Service(process, address, log)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(folder, tmp_path_factory.mktemp("log") / "log") as service:
        yield service


@pytest.fixture(scope="module")
def narrow_service(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that keeps one connection open."""
    with running(folder, tmp_path_factory.mktemp("log") / "log", connections=1, header_seconds=30) as service:
        yield service


def head(length: str = "", path: str = "/v1/predict") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode()


def begin(connection: socket.socket, length: int, path: str = "/v1/predict") -> None:
    """Send the headers of a request, and wait until the service asks for the body."""
    connection.sendall(head(f"Content-Length: {length}\r\nExpect: 100-continue\r\n", path))
    expected = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.recv(len(expected), socket.MSG_WAITALL) == expected


def refuses(service: Service) -> bool:
    try:
        service.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def read_response(connection: socket.socket) -> tuple[int, dict]:
    """Read a response, check that it has the headers `SAFE_HEADERS`, and return its status and JSON."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = dict(line.lower().rstrip().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
        assert {name.encode(): value.encode() for name, value in SAFE_HEADERS.items()}.items() <= headers.items()
        return status, json.loads(file.read(int(headers[b"content-length"])))


def is_closed(connection: socket.socket) -> bool:
    """Wait until the service has closed."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_it_answers_over_a_connection_that_stays_open(service: Service):
    with httpx.Client(base_url=service.address, timeout=600) as client:
        for _ in range(3):
            assert client.get("/health").json() == {"ready": True}
        assert "server" not in client.get("/health").headers


def picture(pixels: int, kind: str) -> bytes:
    """A square white picture, which takes little as a file and much in memory."""
    return encode_picture(Image.new("L", (int(pixels**0.5),) * 2, 255), kind)


@pytest.mark.slow
def test_hostile_bodies_are_refused_and_take_less_than_32_mib(service: Service):
    largest, bomb, small = (1 << 20) - 1000, picture(100_000_000, "PNG"), picture(1_000_000, "PNG")
    corpus = [
        ("/v1/predict", bomb),
        ("/v1/predict", bomb[:5000]),
        ("/v1/predict", small[: len(small) // 2]),
        ("/v1/predict", b"\x89PNG\r\n\x1a\n" * (largest // 8)),
        ("/v1/predict", os.urandom(largest)),
    ]
    with httpx.Client(base_url=service.address, timeout=600) as client:
        client.get("/health")
        before = service.mib("VmHWM")
        for path, body in corpus:
            completed = client.post(path, content=body)
            assert completed.status_code in (400, 413), (path, body[:40])
            assert list(completed.json()) == ["error"]
        assert service.mib("VmHWM") - before < 32


@pytest.mark.slow
@pytest.mark.parametrize("drops", [[], [b"GET /health HTTP/1.1\r\n"], [b"G", b"E", b"T", b" "]])
def test_slow_headers_are_cut_off(service: Service, drops: list[bytes]):
    with service.connect() as connection:
        for drop in drops:
            connection.sendall(drop)
            time.sleep(0.01)
        assert read_response(connection) == (408, {"error": "the headers were not complete after 1 s"})
        assert is_closed(connection)


def send_slowly(connection: socket.socket) -> None:
    for _ in range(900):
        connection.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.slow
def test_a_body_that_nobody_wants_does_not_keep_a_connection_open(service: Service):
    with service.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        assert read_response(connection)[0] == 200
        with pytest.raises(OSError, match=r"reset|pipe"):
            send_slowly(connection)


@pytest.mark.slow
def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(folder: Path, tmp_path: Path):
    large = tmp_path / "grey"
    large.mkdir()
    (large / "model.safetensors").write_bytes((folder / "grey" / "model.safetensors").read_bytes())
    (large / "report.html").write_bytes(b"x" * (64 << 20))
    with running(tmp_path, tmp_path / "log") as service, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wait_for(lambda: any(line.get("path") == "/" for line in service.lines()))
        assert service.mib("VmRSS") < 200


def wait_for(condition: Callable[[], bool], seconds: float = 600) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


GET, CHUNKED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n", b"Transfer-Encoding: chunked\r\n"
NO_HTTP = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "words": b"no http\r\n\r\n",
    "bytes": bytes(range(128, 256)) * 10 + b"\r\n\r\n",
    "a long path": b"GET /" + b"a" * (80 << 10),
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a long header": GET + b"X: " + b"a" * (80 << 10),
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "no chunk": head(CHUNKED.decode()) + b"zz\r\n",
    "no second chunk": head(CHUNKED.decode()) + b"5\r\nabcde\r\nzz\r\n",
    "a huge chunk": head(CHUNKED.decode()) + b"f" * 21 + b"\r\n",
    "a malformed trailer": head(CHUNKED.decode()) + b"1\r\na\r\n0\r\nX Y\r\n\r\n",
    "no chunk where no body is read": GET + CHUNKED + b"\r\nzz\r\n",
    "no chunk to another host": b"GET /health HTTP/1.1\r\nHost: evil\r\n" + CHUNKED + b"\r\nzz\r\n",
}


@pytest.mark.parametrize("case", NO_HTTP)
def test_malformed_http_is_refused_as_json(service: Service, case: str):
    with service.connect() as connection:
        connection.sendall(NO_HTTP[case])
        assert read_response(connection) == (400, {"error": "Invalid HTTP request received."})
        assert is_closed(connection)
    httpx.get(
        service.address + "/health", timeout=600
    )  # after this response the log has the line of the request before
    assert not [line for line in service.lines() if line["level"] == "error" or "exception" in line]


UNUSUAL = {
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n", [200]),
    "HTTP/1.0 without a host": (b"GET /health HTTP/1.0\r\n\r\n", [421]),
    "the start of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [421, 400]),
    "lines that end in LF": (b"GET /health HTTP/1.1\nHost: localhost\n\n", [200]),
    "a folded header": (GET + b"X: 1\r\n 2\r\n\r\n", [200]),
    "an upgrade": (GET + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", [200]),
    "a proxy": (b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "a path that is no text": (b"GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "two requests at once": (GET + b"\r\n" + GET + b"\r\n", [200, 200]),
    "a request, then none": (GET + b"\r\nno http\r\n\r\n", [200, 400]),
    "an empty connection": (b"", []),
    "half of the headers": (GET, []),
    "half of a body": (head("Content-Length: 10\r\n") + b"abc", []),
    "half of a chunk": (head(CHUNKED.decode()) + b"5\r\nab", []),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_requests_are_answered_or_closed(service: Service, case: str):
    text, statuses = UNUSUAL[case]
    with service.connect() as connection, connection.makefile("rb") as file:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)  # the client closes its side at once
        responses = file.read().split(b"HTTP/1.1 ")[1:]
    assert [int(response[:3]) for response in responses] == statuses
    safe_lines = [f"{name}: {value}\r\n".encode() for name, value in SAFE_HEADERS.items()]
    assert all(line in response for response in responses for line in safe_lines)
    assert not [line for line in service.lines() if line["level"] == "error" or "exception" in line]


@pytest.mark.slow
def test_of_too_many_connections_the_slowest_is_closed(folder: Path, tmp_path: Path):
    with (
        running(folder, tmp_path / "log", connections=2, header_seconds=30) as service,
        service.connect() as first,
        service.connect() as second,
    ):
        begin(first, 1000)
        assert httpx.get(service.address + "/health", timeout=600).status_code == 200
        status, answer = read_response(first)
        assert (status, answer["error"][:24]) == (503, "2 connections are open, ")
        assert is_closed(first)
        second.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_response(second)[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize(("request_start", "response_start"), [
    (b"", b""), (GET[:10], b"HTTP/1.1 503"), (GET + b"\r\n", b"")
], ids=["idle", "begun", "answered"])  # fmt: skip
def test_of_too_many_connections_an_idle_one_is_closed_without_a_response(
    narrow_service: Service, request_start: bytes, response_start: bytes
):
    """Without a response, because a client would take it for the response to its next request."""
    with narrow_service.connect() as first, first.makefile("rb") as file:
        first.sendall(request_start)
        if request_start.endswith(b"\r\n\r\n"):
            assert read_response(first)[0] == 200
        time.sleep(0.1)
        assert httpx.get(narrow_service.address + "/health", timeout=600).status_code == 200
        assert file.read()[:12] == response_start


@pytest.mark.slow
def test_it_finishes_open_requests_after_sigterm_and_exits_with_0(folder: Path, tmp_path: Path):
    body = picture(4096, "PNG")
    with running(folder, tmp_path / "log", body_seconds=10) as service:
        with service.connect() as connection, service.connect() as idle:
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert idle.recv(4096).startswith(b"HTTP/1.1 200")
            begin(connection, len(body))
            connection.sendall(body[:50])
            service.process.terminate()
            assert wait_for(lambda: refuses(service))
            connection.sendall(body[50:])
            status, answer = read_response(connection)
        assert (status, answer["model"]) == (200, "grey")
        assert service.process.wait(600) == 0
    assert all({"time", "level", "message"} <= line.keys() for line in service.lines())
    assert not [line for line in service.lines() if line["level"] == "error"]


@pytest.mark.slow
def test_the_service_ends_at_once_at_a_second_sigint(folder: Path, tmp_path: Path):
    with running(folder, tmp_path / "log", body_seconds=60, stop_seconds=60) as service:
        with service.connect() as connection:
            begin(connection, 1000)
            service.process.send_signal(signal.SIGINT)
            assert wait_for(lambda: refuses(service))
            service.process.send_signal(signal.SIGINT)
            assert read_response(connection)[0] == 503
        assert service.process.wait(30) == 0
    assert not [line for line in service.lines() if line["level"] == "error" or "exception" in line]


def test_an_address_that_is_taken_is_refused(grey: Served):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"127.0.0.1:{port}: cannot bind .* choose another --host or --port"):
            serve(create_app([grey]), Limits(), port=port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 70 + ".invalid", "999.1.1.1"])
def test_an_invalid_address_is_refused(grey: Served, host: str):
    with pytest.raises(RunError, match="cannot bind"):
        serve(create_app([grey]), Limits(), host=host, port=0)


@pytest.mark.parametrize(
    ("host", "own"), [("0.0.0.0", "203.0.113.7"), ("::", "2001:db8::7"), ("127.0.0.1", "127.0.0.1")]
)
def test_a_service_for_others_prints_an_address_that_they_can_open(host, own, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(socket.socket, "connect", lambda _probe, _address: None)
        monkeypatch.setattr(socket.socket, "getsockname", lambda _probe: (own, 8000))
        shown = f"[{own}]" if ":" in own else own
        assert _format_address(listener, host) == f"http://{shown}:8000"
