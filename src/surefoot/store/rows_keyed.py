"""Rows of every noun that is found by its key or by equal fields."""

# ruff: noqa: D102 - the port says what each method does

from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, Delete, Select, bindparam, delete, select

from surefoot.store.registry import TABLE_OF
from surefoot.store.statements import Statements, values_of

V = TypeVar("V")


class KeyedRows(Statements):
    """The part of `Rows` that serves every kind of value in `TABLE_OF`."""

    def get(self, kind: type[V], key: str) -> V | None:
        return self._one(kind, _select_one(_hashable(kind)), key=key)

    def put(self, value: object) -> None:
        kind = type(value)
        self._put(TABLE_OF[kind], _key_column(kind).name, values_of(value))

    def drop(self, kind: type[V], key: str) -> None:
        self._write(_delete(_hashable(kind)), {"key": key})

    def find(self, kind: type[V], *, newest_first: bool = False, limit: int | None = None, **equals: object) -> list[V]:
        statement = _select_all(_hashable(kind), newest_first, tuple(equals))
        return self._all(kind, statement if limit is None else statement.limit(limit), **equals)


def _hashable(kind: Any) -> Any:
    # Type checkers think that a class of values without a hash has none itself.
    return kind


def _key_column(kind: Any) -> Column[Any]:
    return TABLE_OF[kind].c[fields(kind)[0].name]


@cache
def _select_one(kind: Any) -> Select[Any]:
    return select(TABLE_OF[kind]).where(_key_column(kind) == bindparam("key"))


@cache
def _delete(kind: Any) -> Delete:
    return delete(TABLE_OF[kind]).where(_key_column(kind) == bindparam("key"))


@cache
def _select_all(kind: Any, newest_first: bool, names: tuple[str, ...]) -> Select[Any]:
    table = TABLE_OF[kind]
    order = table.c.nth.desc() if newest_first else table.c.nth
    return select(table).where(*(table.c[name] == bindparam(name) for name in names)).order_by(order)
