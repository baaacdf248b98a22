"""Fetch a file from the first of several hosts that has it whole.

URLs to a file, in place only when its digest is right. A connection that breaks off is taken up where it broke, in this
process or a later one (`parts`). What a server says is not believed: not the length, not where a range starts, not that
the page it sends is the file.
"""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from convscope.base.errors import DatasetError
from convscope.base.files import file_digest
from convscope.data.datasets.named.entries import OnProgress
from convscope.data.datasets.named.parts import claim_part, delete_parts, give_back

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 30.0
# A server that sends less than this in this time is given up; the next one, or the next try, goes on from there.
SLOW_BYTES, SLOW_SECONDS = 1 << 15, 60.0
MAX_TRIES = 20  # at one host, as long as each brings the file on
PAUSE_SECONDS = 1.0  # between them
_SCHEMES = ("https", "http")


def download(
    urls: tuple[str, ...],
    path: Path,
    *,
    digests: Mapping[str, str],
    size_bytes: int | None = None,
    most_bytes: int,
    on_progress: OnProgress | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Path:
    """Fetch a file to `path`, from the first of `urls` (https or http) whose bytes have the `digests`.

    Args:
        digests: algorithm of hashlib ("md5", "sha256") to hexadecimal digest; all must agree, and there must be one.
        size_bytes: of the file, where it is known; what says another size is not read at all.
        most_bytes: no more than this is ever read from a host.
        timeout_seconds: how long to wait for a connection, and for each byte.

    Returns:
        `path`.

    Raises:
        DatasetError: if no host gives the file, with what went wrong at each; or if it cannot be written. What came of
            it stays in `.partial` beside `path` for the next time, if a host may take it up.
        ValueError: if there is no digest to hold it against, or a URL is neither https nor http.
    """
    if not digests:
        raise ValueError(f"digests is empty, so {path.name} could not be verified")
    for url in urls:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError(f"{url} is neither https nor http")
    wanted = _Wanted(path.name, dict(digests), size_bytes, size_bytes or most_bytes, on_progress, timeout_seconds)
    reasons = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = claim_part(path)
        try:
            for url in urls:
                try:
                    _fetch(url, partial, wanted)
                    partial.replace(path)
                    delete_parts(path)
                    return path
                except _FailedError as failure:
                    reasons.append(f"{urlsplit(url).hostname}: {failure}")
        finally:
            give_back(partial, path, may_go_on=wanted.may_go_on)
    except OSError as error:  # of the disk: those of the network have become failures
        raise DatasetError(
            f"{path}: cannot be written ({error.strerror or error}); free some space, or set CONVSCOPE_CACHE to "
            "another folder"
        ) from error
    raise DatasetError(f"{path.name} could not be downloaded ({'; '.join(reasons)})")


class _FailedError(Exception):
    """Why a host did not give the file; what was there before is kept for the next host."""


class _WrongError(_FailedError):
    """What came is not the file."""


class _BrokenOffError(Exception):
    """A connection that ended before the file did; what came is kept.

    Attributes:
        etag: the host's name for the version that it was sending.
    """

    etag: str | None = None


@dataclass(frozen=True)
class _Wanted:
    """What is fetched, what it must be, and who is told how far it is."""

    name: str
    digests: dict[str, str]
    size_bytes: int | None
    limit_bytes: int
    on_progress: OnProgress | None
    timeout_seconds: float
    takes_up: dict[str, bool] = field(default_factory=dict)

    @property
    def may_go_on(self) -> bool:
        """Whether some host may send the rest of what is here: none has been asked, or not all have said no."""
        return not self.takes_up or any(self.takes_up.values())

    def note(self, url: str, response: HTTPResponse, asked_start: int) -> None:
        """Remember whether a host sends parts of files, as far as its answer says."""
        accepts = response.headers.get("Accept-Ranges", "").strip().lower()
        if response.status == 206 or accepts == "bytes":
            self.takes_up[url] = True
        elif accepts == "none" or asked_start:
            self.takes_up[url] = False
        else:
            self.takes_up.setdefault(url, True)

    def tell(self, done_bytes: int, total_bytes: int | None) -> None:
        if self.on_progress is not None:
            self.on_progress(self.name, done_bytes, self.size_bytes or total_bytes)

    def check(self, partial: Path) -> None:
        """Raise _WrongError if `partial` is not the file."""
        for algorithm, digest in self.digests.items():
            with partial.open("rb") as file:
                found = file_digest(file, algorithm)
            if found != digest:
                raise _WrongError(f"sent other bytes: their {algorithm.upper()} is {found}, not {digest}")


def _fetch(url: str, partial: Path, wanted: _Wanted) -> None:
    """Bring `partial` to the whole file from one host, or raise _FailedError."""
    etag: str | None = None
    for attempt in range(MAX_TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        before = partial.stat().st_size
        pieced = before > 0
        broken = None
        try:
            if before == 0 or before != wanted.size_bytes:
                etag, pieced = _receive(url, partial, wanted, etag)
        except _BrokenOffError as error:
            broken, etag = error, error.etag
        except _WrongError:
            if not pieced:
                raise
            _empty(partial)
            continue
        try:
            wanted.check(partial)
            return
        except _WrongError as wrong:
            if broken is None:
                _empty(partial)
                if not pieced:
                    raise
                # Pieces that do not fit together, perhaps of another host's file: once more, from the start.
            elif partial.stat().st_size <= before:
                raise _FailedError(str(broken)) from wrong
    raise _FailedError(f"stopped {MAX_TRIES} times")


def _receive(url: str, partial: Path, wanted: _Wanted, etag: str | None) -> tuple[str | None, bool]:
    """Add to `partial` what a host sends, from where it ends.

    Returns:
        the host's name for this version of the file, and whether the file was taken up in the middle.

    Raises:
        _BrokenOffError: if less came than was to come.
        _FailedError: if there is no connection, or what comes is no such file.
    """
    start = partial.stat().st_size
    headers = {"User-Agent": "convscope", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag and not etag.startswith("W/"):  # a weak one does not promise equal bytes
            headers["If-Range"] = etag
    with _answer(url, headers, wanted.timeout_seconds) as response:
        wanted.note(url, response, start)
        start, promised = _where(response, start, wanted)
        if start == 0:
            _empty(partial)
        etag = response.headers.get("ETag")
        try:
            _write(response, partial, start, promised, wanted)
        except _BrokenOffError as broken:
            broken.etag = etag
            raise
        return etag, start > 0


@contextmanager
def _answer(url: str, headers: dict[str, str], timeout_seconds: float) -> Iterator[HTTPResponse]:
    """Ask a host; raise _FailedError or _BrokenOffError where it gives no good answer."""
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # nothing comes after what is here, so that is no beginning of this file
                raise _WrongError("has a shorter file") from error
            raise _FailedError(f"answers {error.code} {error.reason}".rstrip()) from error
    except urllib.error.URLError as error:
        raise _FailedError(str(getattr(error.reason, "strerror", None) or error.reason)) from error
    except TimeoutError as error:
        raise _BrokenOffError(f"sent nothing for {timeout_seconds:g} s") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: an address that is none, after a redirect
        raise _BrokenOffError(f"does not respond ({_short(error)})") from error
    with response:
        yield response


def _where(response: HTTPResponse, start: int, wanted: _Wanted) -> tuple[int, int | None]:
    """Return at which byte of the file the answer starts, and how long the file is if the host says so.

    Raises:
        _FailedError: if what comes cannot be the file.
    """
    headers = response.headers
    if headers.get_content_type() == "text/html":
        raise _FailedError("sends a web page, not the file")
    length = headers.get("Content-Length", "")
    promised = int(length) if length.isdecimal() else None
    if response.status == 206:
        span, _, whole = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not span.startswith(f"{start}-"):
            raise _FailedError(f"sends another part of the file than bytes {start}- ({span[:40]})")
        promised = int(whole) if whole.isdecimal() else None if promised is None else start + promised
    else:
        start = 0  # it does not resume, or its file is another than the one begun
    if promised is not None:
        if wanted.size_bytes is not None and promised != wanted.size_bytes:
            raise _FailedError(f"has a file of {promised:,} bytes, not {wanted.size_bytes:,}")
        if promised > wanted.limit_bytes:
            raise _FailedError(f"has a file of {promised:,} bytes; the limit is {wanted.limit_bytes:,}")
    return start, promised


def _write(response: HTTPResponse, partial: Path, start: int, promised: int | None, wanted: _Wanted) -> None:
    """Write what comes; raise _FailedError if it is too much, _BrokenOffError if too little or too slow."""
    done = marked = start
    mark = time.monotonic()
    with partial.open("ab") as file:
        wanted.tell(done, promised)
        while piece := _piece(response, wanted.timeout_seconds):
            done += len(piece)
            if done > wanted.limit_bytes:
                file.truncate(0)
                raise _FailedError(f"sends more than {wanted.limit_bytes:,} bytes")
            file.write(piece)
            wanted.tell(done, promised)
            if (now := time.monotonic()) - mark > SLOW_SECONDS:
                if done - marked < SLOW_BYTES:
                    raise _BrokenOffError(f"sent {done - marked:,} bytes in {now - mark:.0f} s")
                mark, marked = now, done
        file.flush()
        os.fsync(file.fileno())
    expected = promised if promised is not None else wanted.size_bytes
    if expected is not None and done < expected:
        raise _BrokenOffError(f"stopped after {done:,} of {expected:,} bytes")


def _piece(response: HTTPResponse, timeout_seconds: float) -> bytes:
    """Return what has come, at least a byte, or none at the end."""
    try:
        return response.read1(CHUNK_BYTES)
    except TimeoutError as error:
        raise _BrokenOffError(f"sent nothing for {timeout_seconds:g} s") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a length of a chunk that is not a number
        raise _BrokenOffError(f"stopped ({_short(error)})") from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _empty(partial: Path) -> None:
    os.truncate(partial, 0)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https and http only, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        allowed = _SCHEMES[:1] if req.type == "https" else _SCHEMES
        if urlsplit(newurl).scheme not in allowed:
            raise _FailedError(f"redirects to {newurl[:100]!r}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens https and http and nothing else: no file:, no ftp:, no data:."""
    opener = urllib.request.OpenerDirector()
    handlers: tuple[Any, ...] = (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _Redirects,
    )
    for handler in handlers:
        opener.add_handler(handler())
    return opener
