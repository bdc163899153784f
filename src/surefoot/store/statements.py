"""What every group of rows needs: values into rows and back, and the one place that knows a dialect's upsert."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from surefoot.wire.errors import Misuse

V = TypeVar("V")


class Statements:
    """A connection inside a transaction, and whether it may write."""

    def __init__(self, connection: Connection, *, writable: bool) -> None:
        self._connection = connection
        self._writable = writable

    def _one(self, kind: type[V], statement: Executable, **parameters: object) -> V | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return None if row is None else value_of(kind, row)

    def _all(self, kind: type[V], statement: Executable, **parameters: object) -> list[V]:
        return [value_of(kind, row) for row in self._connection.execute(statement, parameters).mappings()]

    def _write(self, statement: Executable, parameters: Mapping[str, Any]) -> None:
        if not self._writable:
            raise Misuse("misuse-read-only-rows", "Store.read() was given work that writes: hand it to submit().")
        self._connection.execute(statement, parameters)

    def _put(self, table: Table, key: str, values: dict[str, Any]) -> None:
        self._write(_upsert(table, key, tuple(values), self._connection.dialect.name), values)


def value_of(kind: type[V], row: Mapping[Any, Any]) -> V:
    """Build a value from the columns that are named like its fields."""
    return kind(**{name: row[name] for name in _field_names(kind)})


def values_of(value: object) -> dict[str, Any]:
    """Return a value's fields by name, the other direction of `value_of`."""
    return {name: getattr(value, name) for name in _field_names(type(value))}


def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _upsert(table: Table, key: str, names: tuple[str, ...], dialect_name: str) -> Insert:
    insert = postgresql.insert(table) if dialect_name == "postgresql" else sqlite.insert(table)
    replaced = {name: insert.excluded[name] for name in names if name != key}
    return insert.on_conflict_do_update(index_elements=[key], set_=replaced)
