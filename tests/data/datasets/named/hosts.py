"""A server on the loopback that does whatever a host of files may do, and a download from it."""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from convscope.data.datasets.named.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
MOST_DRIPS = 60_000
Answer = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """One request: which bytes it asks for, and how many were sent."""

    def do_GET(self) -> None:
        host = self.server.host
        self.start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        record = {"path": self.path, "start": self.start, "if_range": self.headers.get("If-Range"), "sent": 0}
        self.record = record
        with host.lock:
            host.requests.append(record)
            answers = host.answers[self.path]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)
        self.close_connection = True

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, content: bytes) -> None:
        try:
            self.wfile.write(content)
            self.wfile.flush()
            self.record["sent"] += len(content)
        except OSError:  # the other side has had enough
            pass

    def wait_until_left(self) -> None:
        """Wait until the client closes the connection, so that no clock decides who gives up first."""
        self.connection.settimeout(60)
        with suppress(OSError):
            self.connection.recv(1)

    def log_message(self, *_: object) -> None:
        pass


class Host:
    """A server on the loopback that gives each path the answers it is told to; the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.answers: dict[str, list[Answer]] = {}
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.server.daemon_threads = True
        self.server.host = self
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def at(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return f"{self.address}{path}"

    @property
    def starts(self) -> list[int]:
        return [request["start"] for request in self.requests]

    @property
    def sent(self) -> int:
        return sum(request["sent"] for request in self.requests)


# What a host may do


def whole(content: bytes = CONTENT, etag: str | None = '"one"', stop: int | None = None) -> Answer:
    """Send the file, or the rest of it that is asked for; break off after `stop` bytes."""

    def answer(asked: Asked) -> None:
        tag = {"ETag": etag} if etag else {}
        rest = content[asked.start :]
        if asked.start and asked.headers.get("If-Range") not in (None, etag):
            asked.start, rest = 0, content
        if asked.start >= len(content):
            asked.head(416, Content_Range=f"bytes */{len(content)}")
        elif asked.start:
            span = f"bytes {asked.start}-{len(content) - 1}/{len(content)}"
            asked.head(206, Content_Length=len(rest), Content_Range=span, **tag)
        else:
            asked.head(200, Content_Length=len(rest), **tag)
        asked.body(rest[:stop])

    return answer


def without_range(stop: int | None = None) -> Answer:
    def answer(asked: Asked) -> None:
        asked.head(200, Content_Length=len(CONTENT))
        asked.body(CONTENT[:stop])

    return answer


def saying_length(length: object, content: bytes = CONTENT) -> Answer:
    def answer(asked: Asked) -> None:
        asked.head(200, Content_Length=length)
        asked.body(content)

    return answer


def without_length(content: bytes = CONTENT) -> Answer:
    def answer(asked: Asked) -> None:
        asked.head(200)
        asked.body(content)

    return answer


def in_chunks(content: bytes = CONTENT, end: bytes = b"0\r\n\r\n") -> Answer:
    def answer(asked: Asked) -> None:
        asked.protocol_version = "HTTP/1.1"
        asked.head(200, Transfer_Encoding="chunked")
        asked.body(f"{len(content):x}\r\n".encode() + content + b"\r\n" + end)

    return answer


def status(code: int, **headers: object) -> Answer:
    def answer(asked: Asked) -> None:
        asked.head(code, Content_Length=0, **headers)

    return answer


def web_page(code: int = 200) -> Answer:
    def answer(asked: Asked) -> None:
        asked.head(code, Content_Type="text/html; charset=utf-8")
        asked.body(b"<html>Sign in to the network</html>")

    return answer


def another_part(asked: Asked) -> None:
    asked.head(206, Content_Length=10, Content_Range=f"bytes 5-14/{len(CONTENT)}")
    asked.body(CONTENT[5:15])


def endless(asked: Asked) -> None:
    asked.head(200)
    while asked.record["sent"] < 50_000_000:
        before = asked.record["sent"]
        asked.body(bytes(100_000))
        if asked.record["sent"] == before:
            return


def stalling(asked: Asked) -> None:
    asked.head(200, Content_Length=len(CONTENT))
    asked.body(CONTENT[:1000])
    asked.wait_until_left()


def silent(asked: Asked) -> None:
    asked.wait_until_left()


def dripping(asked: Asked) -> None:
    asked.head(200, Content_Length=len(CONTENT))
    for place in range(MOST_DRIPS):
        asked.body(CONTENT[place : place + 1])
        if asked.record["sent"] == place:
            return
        time.sleep(0.001)


def fetch(tmp_path: Path, *urls: str, **options: object) -> Path:
    settings = {"digests": {"md5": MD5}, "size_bytes": len(CONTENT), "most_bytes": 0, "timeout_seconds": 20}
    return download(urls, tmp_path / "cache" / "file.gz", **{**settings, **options})


def is_whole(path: Path) -> bool:
    """The file is there, and nothing beside it."""
    return path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]


def left_over(tmp_path: Path) -> list[int]:
    """Return the sizes of all files that a fetch left: the parts in one folder, or nothing beside it."""
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert all(path.parent.name == ".partial" for path in left)
    return [path.stat().st_size for path in left]


def part(tmp_path: Path, kind: str) -> Path:
    """Return the place of a part of the file, in a folder that is there."""
    folder = tmp_path / "cache" / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"file.gz.{kind}.partial"
