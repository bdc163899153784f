"""How the server logs: one line per event on standard error, the event's name first, then `name=value`."""

import logging


def configure_logging(level: str) -> None:
    """Log at this level and above. Tokens and bodies are never logged, whatever the level."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # What these say of every start repeats ours.
    for name in ("uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
