"""Rows of every noun that is found by its key or by equal fields."""

# ruff: noqa: D102 - the port says what each method does

from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, Delete, Select, bindparam, delete, select

from surefoot.store.overlay import Overlay
from surefoot.store.registry import TABLE_OF
from surefoot.store.statements import field_names

V = TypeVar("V")


class KeyedRows(Overlay):
    """The part of `Rows` that serves every kind of value in `TABLE_OF`."""

    def get(self, kind: type[V], key: str) -> V | None:
        return self._value(kind, key, lambda: self._one(kind, _select_one(_hashable(kind)), key=key))

    def put(self, value: object) -> None:
        kind = type(value)
        self._hold(kind, getattr(value, field_names(kind)[0]), value)

    def drop(self, kind: type[V], key: str) -> None:
        # At once and not at the end: put again, the row is a new one and stands behind the others.
        self._write_now(kind, _delete(_hashable(kind)), [{"key": key}])

    def find(
        self,
        kind: type[V],
        *,
        newest_first: bool = False,
        limit: int | None = None,
        after: object = None,
        **equals: object,
    ) -> list[V]:
        def ask() -> list[V]:
            # Nothing equals null in SQL.
            absent = tuple(name for name in equals if equals[name] is None)
            statement = _select_all(_hashable(kind), newest_first, after is not None, tuple(equals), absent)
            parameters = equals if after is None else {**equals, "after": after}
            return self._all(kind, statement if limit is None else statement.limit(limit), **parameters)

        return self._answer(kind, (newest_first, limit, after, *equals.items()), ask).copy()


def _hashable(kind: Any) -> Any:
    # Type checkers think that a class of values without a hash has none itself.
    return kind


def _key_column(kind: Any) -> Column[Any]:
    return TABLE_OF[kind].c[field_names(kind)[0]]


@cache
def _select_one(kind: Any) -> Select[Any]:
    return select(TABLE_OF[kind]).where(_key_column(kind) == bindparam("key"))


@cache
def _delete(kind: Any) -> Delete:
    return delete(TABLE_OF[kind]).where(_key_column(kind) == bindparam("key"))


@cache
def _select_all(
    kind: Any, newest_first: bool, goes_on: bool, names: tuple[str, ...], absent: tuple[str, ...]
) -> Select[Any]:
    table = TABLE_OF[kind]
    order = table.c.nth.desc() if newest_first else table.c.nth
    equal = (table.c[name].is_(None) if name in absent else table.c[name] == bindparam(name) for name in names)
    statement = select(table).where(*equal).order_by(order)
    if not goes_on:
        return statement
    passed = select(table.c.nth).where(_key_column(kind) == bindparam("after")).scalar_subquery()
    return statement.where(table.c.nth < passed if newest_first else table.c.nth > passed)
