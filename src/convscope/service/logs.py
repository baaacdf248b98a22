"""The service's logs: one JSON object a line, of requests and of everything else."""

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

_LONGEST_LINE = 4096  # bytes of foreign text that become one record


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger and message, then what the record's `facts` hold."""

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
        return json.dumps(entry, default=str)  # ASCII: no name of a client's can break a line


@contextmanager
def only_json() -> Iterator[TextIO]:
    """Turn all that is written to standard error inside the block into records; give the stream that takes records.

    C libraries write warnings to the file descriptor itself, past Python. It leads into a pipe meanwhile, and a thread
    makes a record of each line. The stream is never closed, as log handlers keep it.
    """
    sys.stderr.flush()
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    source, sink = os.pipe()
    os.set_blocking(sink, False)  # text that comes faster than it is read is lost, and holds nobody up
    os.dup2(sink, 2)
    os.close(sink)
    thread = Thread(target=_log_lines, args=(source,), name="convscope-stderr", daemon=True)
    thread.start()
    try:
        yield stream
    finally:
        sys.stderr.flush()
        os.dup2(stream.fileno(), 2)  # closes the pipe's last end, unless a child process has it
        thread.join(1)


def _log_lines(source: int) -> None:
    log = logging.getLogger(LOGGER)
    with os.fdopen(source, "rb") as lines:
        while line := lines.readline(_LONGEST_LINE):
            if text := line.decode(errors="replace").strip():
                log.warning("%s", text)


def log_config(stream: TextIO) -> dict[str, object]:
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
