"""What every group of rows needs of SQL: values into rows and back, and the one place that knows a dialect's upsert."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import JSON, Connection, Executable, Insert, Table, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

from surefoot.store.engines import storable

V = TypeVar("V")


class Statements:
    """A connection inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _one(self, kind: type[V], statement: Executable, **parameters: object) -> V | None:
        row = self._connection.execute(statement, parameters).mappings().first()
        return None if row is None else value_of(kind, row)

    def _all(self, kind: type[V], statement: Executable, **parameters: object) -> list[V]:
        return [value_of(kind, row) for row in self._connection.execute(statement, parameters).mappings()]

    def _upsert(self, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._connection.execute(_upsert(table, key, tuple(rows[0]), self._connection.dialect.name), rows)

    def _upsert_at_once(self, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Do as `_upsert`, with rows of texts and numbers only.

        PostgreSQL gets all of them in one parameter and takes it apart itself, which spares this process most of what
        a statement for each row costs.
        """
        dialect = self._connection.dialect
        if dialect.name != "postgresql":
            self._upsert(table, key, rows)
            return
        encoders = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in rows[0]}
        plain = [
            {name: storable(row[name] if encode is None else encode(row[name])) for name, encode in encoders.items()}
            for row in rows
        ]
        self._connection.execute(_upsert_from_json(table, key, tuple(encoders)), {"rows": plain})


def value_of(kind: type[V], row: Mapping[Any, Any]) -> V:
    """Build a value from the columns that are named like its fields."""
    return kind(**{name: row[name] for name in field_names(kind)})


def values_of(value: object) -> dict[str, Any]:
    """Return a value's fields by name, the other direction of `value_of`."""
    return {name: getattr(value, name) for name in field_names(type(value))}


def field_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a kind of value, the key first."""
    return _field_names(kind)


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _upsert(table: Table, key: str, names: tuple[str, ...], dialect_name: str) -> Insert:
    insert = postgresql.insert(table) if dialect_name == "postgresql" else sqlite.insert(table)
    return _or_replace(insert, key, names)


@cache
def _upsert_from_json(table: Table, key: str, names: tuple[str, ...]) -> Insert:
    said = func.json_to_recordset(bindparam("rows", type_=JSON))
    rows = said.table_valued(*(column(name, table.c[name].type) for name in names)).render_derived(with_types=True)
    return _or_replace(postgresql.insert(table).from_select(names, select(rows), include_defaults=False), key, names)


def _or_replace(insert: Any, key: str, names: tuple[str, ...]) -> Insert:
    replaced = {name: insert.excluded[name] for name in names if name != key}
    statement: Insert = insert.on_conflict_do_update(index_elements=[key], set_=replaced)
    return statement
