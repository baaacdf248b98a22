"""Write the service's logs, of requests and everything else, as a JSON object in each line."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import TextIO

LOGGER = "convscope.service"

_MAX_LINE_BYTES = 4096  # limit for text from C libraries in a record


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object: time, level, logger and message, then the record's `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)  # in ASCII, so that no text of a client can break the line


@contextmanager
def log_only_json() -> Iterator[TextIO]:
    """Turn everything that is written to standard error in the block into records; yield the stream for records.

    C libraries write warnings straight to file descriptor 2. In the block it leads into a pipe, and a thread makes a
    record of each line:

        libraries ──2──▶ sink ═pipe═ source ──▶ thread ──record──▶ log handlers ──▶ stream, where 2 led before

    The stream is never closed, because log handlers keep it.
    """
    sys.stderr.flush()
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    source, sink = os.pipe()
    os.set_blocking(sink, False)  # if the pipe is full, text is lost; otherwise a C library would block the service
    os.dup2(sink, 2)
    os.close(sink)
    thread = Thread(target=_log_lines, args=(source,), name="convscope-stderr", daemon=True)
    thread.start()
    try:
        yield stream
    finally:
        sys.stderr.flush()
        os.dup2(stream.fileno(), 2)  # closes the pipe's last writing end, and so ends the thread
        thread.join(1)


def _log_lines(source: int) -> None:
    log = logging.getLogger(LOGGER)
    with os.fdopen(source, "rb") as lines:
        while line := lines.readline(_MAX_LINE_BYTES):
            if text := line.decode(errors="replace").strip():
                log.warning("%s", text)


def make_log_config(stream: TextIO) -> dict[str, object]:
    """Make the configuration of `logging`: our records and the server's as JSON lines on `stream`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": stream}},
        "loggers": {
            LOGGER: {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        },
    }
