"""What columns are made of: the kinds of values, the same on SQLite and PostgreSQL.

Words are persisted by value, never by position.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, Integer, MetaData, Text, TypeDecorator

from surefoot.wire.errors import Damaged, Refused

metadata = MetaData()

# More than a fleet has rollouts or releases that robots ask for on one day.
DECODED_MAX = 256


class Encoded(TypeDecorator[Any]):
    """A value kept as text; text that is no such value any more is `Damaged` (`damaged-row`)."""

    impl = Text
    cache_ok = True

    def __init__(self, encode: Callable[[Any], str], decode: Callable[[str], Any]) -> None:
        super().__init__()
        self.encode = encode
        self.decode = decode

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the text to store."""
        return None if value is None else self.encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Return the value that the stored text means."""
        if value is None:
            return None
        try:
            return self.decode(value)
        except (ValueError, Refused) as error:
            raise Damaged(
                "damaged-row",
                f"The database holds {value[:80]!r}, which is not valid: restore it from a backup. {error}",
            ) from error


def as_json(to_object: Callable[[Any], Any], from_object: Callable[[Any], Any], *, often: bool = False) -> Encoded:
    """Return the kind of a value that is kept as JSON text; frozen ones that are read `often` are decoded once."""

    def decode(text: str) -> Any:
        return from_object(json.loads(text))

    return Encoded(lambda value: json.dumps(to_object(value)), lru_cache(DECODED_MAX)(decode) if often else decode)


def nth() -> Column[int]:
    """Return the column that numbers rows in the order they were first stored."""
    # Only INTEGER, spelled so, numbers rows by itself in SQLite.
    return Column("nth", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


# Ids sort as in Python, character by character: a page that starts behind an id depends on it.
ID = Text().with_variant(Text(collation="C"), "postgresql")
