"""The service's logs: one JSON object a line, of requests and of everything else."""

import json
import logging
from datetime import UTC, datetime

LOGGER = "convscope.service"


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


def log_config(level: str = "INFO") -> dict[str, object]:
    """Return what `logging.config.dictConfig` takes: our records and the server's as JSON lines on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {
            LOGGER: {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
        },
    }
