"""Fetch a published file with pooch, from the first of its hosts that has it."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import pooch
from requests import RequestException

from convscope.base.errors import DatasetError
from convscope.data.datasets.named.entries import OnProgress, PublishedFile

CHUNK_BYTES = 1 << 16  # progress is reported, and the size checked, after each
TIMEOUT_SECONDS = 30.0  # limit for a connection, and for each chunk

pooch.get_logger().setLevel(logging.WARNING)  # by default it prints each download and its digest


class _TooLargeError(Exception):
    """A host sends more bytes than the file may have."""


class _Progress:
    """Passes pooch's progress on, and stops a download that is too large."""

    total = 0  # set by pooch to the length that the host states, 0 without

    def __init__(self, file: PublishedFile, on_progress: OnProgress | None) -> None:
        self._file, self._on_progress, self._done = file, on_progress, 0

    def update(self, num_bytes: int) -> None:
        self._done += num_bytes
        # pooch adds a whole chunk even for the last, shorter one.
        if max(self.total, self._done - CHUNK_BYTES) > self._file.limit_bytes:
            raise _TooLargeError
        if self._on_progress is not None:
            total = self._file.size_bytes or self.total or None
            self._on_progress(self._file.name, self._done if total is None else min(self._done, total), total)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Do nothing; pooch calls it at the end."""


def download(file: PublishedFile, path: Path, on_progress: OnProgress | None = None) -> Path:
    """Download a file to `path`, with the published digest or not at all.

    Raises:
        DatasetError: if no host gives the file, with what went wrong at each; or if it cannot be written.
    """
    algorithm, digest = list(file.digests.items())[-1]  # SHA-256 if it is published, else MD5
    reasons = []
    for url in file.urls:
        downloader = pooch.HTTPDownloader(
            progressbar=_Progress(file, on_progress),
            chunk_size=CHUNK_BYTES,
            timeout=TIMEOUT_SECONDS,
            # Otherwise requests unpacks what a host packed, and the published digest would not fit.
            headers={"User-Agent": "convscope", "Accept-Encoding": "identity"},
            auth=lambda request: request,  # without it, requests sends the password that ~/.netrc has for the host
        )
        host = urlsplit(url).hostname
        try:
            pooch.retrieve(url, f"{algorithm}:{digest}", path.name, path.parent, downloader=downloader)
            return path
        except RequestException as error:
            reasons.append(f"{host}: {_describe(error)}")
        except _TooLargeError:
            reasons.append(f"{host}: sends more than {file.limit_bytes:,} bytes")
        except ValueError:  # pooch raises it for another digest
            reasons.append(f"{host}: sent other bytes; their {algorithm.upper()} is not {digest}")
        except OSError as error:
            raise DatasetError(
                f"{path}: cannot be written ({error.strerror or error}); free some space, or set CONVSCOPE_CACHE to "
                "another folder"
            ) from error
    raise DatasetError(f"{path.name} could not be downloaded ({'; '.join(reasons)})")


def _describe(error: RequestException) -> str:
    if error.response is not None and not error.response.ok:
        return f"answers {error.response.status_code} {error.response.reason}".rstrip()
    return " ".join(str(error).rpartition(": ")[2].split())[:100].rstrip("'\")")  # requests nests its causes
