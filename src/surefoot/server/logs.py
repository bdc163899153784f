"""How the server logs: one line per event on standard error, as text or as a JSON object.

An event's message is its name followed by `name=value`. Tokens, passwords and bodies are never logged, whatever the
level, and of addresses that let somebody in only the beginning.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from surefoot.fleet.aws_files import without_word

# Their own levels tell of addresses with secrets in them, of headers and of bodies: httpx names every URL it asks.
TALKATIVE = ("httpx", "httpcore", "authlib", "joserfc", "boto3", "botocore", "s3transfer", "urllib3", "psycopg")
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """Each record as one JSON object, for programs that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback stands in `exception` with its line ends escaped."""
        value = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False)


class WithoutSecrets(logging.Filter):
    """Keeps out of the log of requests what lets a device in."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with the addresses in it made harmless."""
        if isinstance(record.args, tuple):
            record.args = tuple(without_word(value) if isinstance(value, str) else value for value in record.args)
        return True


def configure_logging(level: str, form: Literal["text", "json"] = "text") -> None:
    """Log at this level and above, as text or as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("uvicorn.access").addFilter(WithoutSecrets())
    # What these say of every start repeats ours.
    for name in ("uvicorn.error", "alembic", *TALKATIVE):
        logging.getLogger(name).setLevel(logging.WARNING)
