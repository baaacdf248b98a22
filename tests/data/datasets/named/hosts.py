"""A server on loopback that sends files correctly, or damaged, endlessly or never, for the tests of downloads."""

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from convscope.data.datasets.named.download import download
from convscope.data.datasets.named.entries import PublishedFile

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = self.server.host
        self.num_sent = 0
        host.paths.append(self.path)
        host.passwords.append(self.headers.get("Authorization"))
        host.answers[self.path](self)
        host.num_sent += self.num_sent
        self.close_connection = True

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, content: bytes) -> bool:
        """Send bytes; False if the client has closed the connection."""
        try:
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:
            return False
        self.num_sent += len(content)
        return True

    def log_message(self, *_: object) -> None:
        pass


class Host:
    """A server on the loopback with an answer for each path."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.passwords: list[str | None] = []
        self.num_sent = 0
        self.answers: dict[str, Answer] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.server.daemon_threads = True
        self.server.host = self
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def at(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"{self.address}{path}"


def sending(content: bytes = CONTENT, **headers: object) -> Answer:
    """Send a file, by default with its length; None leaves a header out."""
    stated = {"Content_Length": len(content), **headers}

    def answer(request: Request) -> None:
        request.head(200, **{name: value for name, value in stated.items() if value is not None})
        request.body(content)

    return answer


def in_chunks(content: bytes = CONTENT, end: bytes = b"0\r\n\r\n") -> Answer:
    def answer(request: Request) -> None:
        request.protocol_version = "HTTP/1.1"
        request.head(200, Transfer_Encoding="chunked")
        request.body(f"{len(content):x}\r\n".encode() + content + b"\r\n" + end)

    return answer


def status(code: int, **headers: object) -> Answer:
    return lambda request: request.head(code, Content_Length=0, **headers)


def endless(request: Request) -> None:
    request.head(200)
    while request.num_sent < 50_000_000 and request.body(bytes(100_000)):
        pass


def stalling(request: Request) -> None:
    """Send a part, and wait until the client closes the connection."""
    request.head(200, Content_Length=len(CONTENT))
    request.body(CONTENT[:1000])
    request.connection.settimeout(60)
    with suppress(OSError):
        request.connection.recv(1)


def fetch(tmp_path: Path, *urls: str, on_progress: Callable[..., None] | None = None, **changes: object) -> Path:
    facts = {"md5": MD5, "size_bytes": len(CONTENT), **changes}
    return download(PublishedFile("file.gz", urls=urls, **facts), tmp_path / "cache" / "file.gz", on_progress)


def is_alone(path: Path) -> bool:
    """Return True if the file is complete and the only one in its folder."""
    return path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]
