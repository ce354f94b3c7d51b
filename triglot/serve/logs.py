"""One JSON object a line: what happened, when, and nothing of what was asked unless that was wished for."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger("triglot.serve")


def tell(event: str, **about: Any) -> None:
    """Log an event with what is known about it."""
    if log.isEnabledFor(logging.INFO):
        log.info(event, extra={"about": about})


class Lines(logging.Formatter):
    """A record as a line of JSON; those of other libraries have their message, and a fault its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": when, "level": record.levelname.lower()}
        about = getattr(record, "about", None)
        if about is None:
            line |= {"event": "message", "message": record.getMessage()}
        else:
            line |= {"event": record.getMessage(), **about}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def handler() -> logging.Handler:
    """Writes such lines to stderr."""
    made = logging.StreamHandler()
    made.setFormatter(Lines())
    return made
