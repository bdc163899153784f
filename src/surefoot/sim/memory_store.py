"""The fleet's rows in memory: the same contract as on SQL, at the speed a simulated world needs.

Works run at once, in the thread that submits them. Someone may look at every commit: that is how a world checks its
promises after every write.
"""

# ruff: noqa: D102 - the port says what each method does

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import fields, replace
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from surefoot.fleet.model import (
    Assignment,
    Facts,
    HistoryEntry,
    Key,
    Release,
    Robot,
    RobotView,
    Rollout,
)
from surefoot.fleet.ports import Rows
from surefoot.sim.memory_engine_rows import MemoryEngineRows
from surefoot.wire.errors import Misuse

T = TypeVar("T")
V = TypeVar("V")

# A row before and after a commit; None where there was none.
Change = tuple[Any, Any]
# Tables by name, rows by key; dictionaries keep the order in which rows were first stored.
Tables = dict[str, dict[Any, Any]]
# What a value of a kind refers to, and by which of its fields.
_REFERS: dict[type, tuple[tuple[type, str], ...]] = {Release: ((Key, "key_id"),), Rollout: ((Release, "release_id"),)}
# The first field of each kind, which takes long to look up.
_KEY_NAMES: dict[type, str] = {}


def _name_of(kind: type) -> str:
    return kind.__name__


def _key_of(value: Any) -> Any:
    kind = type(value)
    if kind not in _KEY_NAMES:
        _KEY_NAMES[kind] = fields(kind)[0].name
    return getattr(value, _KEY_NAMES[kind])


class MemoryRows(MemoryEngineRows):
    """All rows inside one transaction. Fills `fleet.ports.Rows`."""

    def __init__(self, tables: Tables, *, writable: bool) -> None:
        self._tables = tables
        self._writable = writable
        self._before: dict[tuple[str, Any], Any] = {}
        # How tables stood from which something was dropped: put back, it would stand last.
        self._orders: dict[str, list[Any]] = {}

    def changes(self) -> list[Change]:
        """Return every row this transaction wrote, before and after."""
        return [(old, self._tables[table].get(key)) for (table, key), old in self._before.items()]

    def undo(self) -> None:
        """Put back what was there before."""
        for (table, key), old in reversed(self._before.items()):
            if old is None:
                self._tables[table].pop(key, None)
            else:
                self._tables[table][key] = old
        for table, order in self._orders.items():
            for key in order:
                self._tables[table][key] = self._tables[table].pop(key)

    def get(self, kind: type[V], key: str) -> V | None:
        return self._tables[_name_of(kind)].get(key)

    def put(self, value: object) -> None:
        kind = type(value)
        for referred, field in _REFERS.get(kind, ()):
            self._require(getattr(value, field) in self._tables[_name_of(referred)])
        self._put(_name_of(kind), _key_of(value), value)

    def drop(self, kind: type[V], key: str) -> None:
        if key in self._tables[_name_of(kind)]:
            name = _name_of(kind)
            self._put(name, key, None)
            # What this transaction itself put is not there once it is undone.
            there_before = [one for one in self._tables[name] if self._before.get((name, one), one) is not None]
            self._orders.setdefault(name, there_before)
            del self._tables[name][key]

    def find(
        self,
        kind: type[V],
        *,
        newest_first: bool = False,
        limit: int | None = None,
        after: object = None,
        **equals: object,
    ) -> list[V]:
        table: dict[Any, V] = self._tables[_name_of(kind)]
        keys: Iterator[Any] = reversed(table) if newest_first else iter(table)
        # The iterator stops behind the key that it found; where there is none, nothing is left of it.
        if after is not None and after not in keys:
            return []
        values = (table[key] for key in keys)
        if equals:
            get, wanted = attrgetter(*equals), tuple(equals.values())
            found = (value for value in values if get(value) == (wanted if len(wanted) > 1 else wanted[0]))
            return list(islice(found, limit))
        return list(islice(values, limit))

    def robot(self, robot_id: str) -> Robot | None:
        return self._tables["robots"].get(robot_id)

    def robot_by_token(self, token_sha256: str) -> Robot | None:
        return next((known for known in self._tables["robots"].values() if known.token_sha256 == token_sha256), None)

    def put_robot(self, robot: Robot) -> None:
        same_token = self.robot_by_token(robot.token_sha256)
        self._require(same_token is None or same_token.robot_id == robot.robot_id)
        self._put("robots", robot.robot_id, robot)

    def robot_ids(self, sku: str) -> Iterator[str]:
        yield from sorted(robot.robot_id for robot in self._tables["robots"].values() if robot.sku == sku)

    def robot_views(self, after: str, limit: int) -> list[RobotView]:
        ids = sorted(robot_id for robot_id in self._tables["robots"] if robot_id > after)[:limit]
        return [
            RobotView(
                robot=self._tables["robots"][robot_id],
                facts=self.facts(robot_id),
                assignment=self.newest_assignment(robot_id),
            )
            for robot_id in ids
        ]

    def facts(self, robot_id: str) -> Facts | None:
        return self._tables["facts"].get(robot_id)

    def put_facts(self, facts: Facts) -> None:
        self._require(facts.report.robot_id in self._tables["robots"])
        self._put("facts", facts.report.robot_id, facts)

    def set_heard(self, robot_id: str, heard_at_s: float) -> None:
        known = self.facts(robot_id)
        if known is not None:
            self._put("facts", robot_id, replace(known, heard_at_s=heard_at_s))

    def set_heard_all(self, heard_at_s: Mapping[str, float]) -> None:
        for robot_id, at_s in heard_at_s.items():
            known = self.facts(robot_id)
            if known is not None and known.heard_at_s < at_s:
                self.set_heard(robot_id, at_s)

    def add_history(self, entry: HistoryEntry) -> None:
        self._require(entry.robot_id in self._tables["robots"])
        self._put("history", entry.robot_id, (*self._tables["history"].get(entry.robot_id, ()), entry))

    def history(self, robot_id: str, limit: int) -> list[HistoryEntry]:
        return list(self._tables["history"].get(robot_id, ())[::-1][:limit])

    def put_assignment(self, assignment: Assignment) -> None:
        place = (assignment.rollout_id, assignment.robot_id)
        self._require(assignment.rollout_id in self._tables[_name_of(Rollout)])
        self._require(assignment.release_id in self._tables[_name_of(Release)])
        self._require(assignment.robot_id in self._tables["robots"])
        self._require(self._tables["by_rollout"].get(place) in (None, assignment.assignment_id))
        known: Assignment | None = self._tables["assignments"].get(assignment.assignment_id)
        if known is None:
            self._put("newest", assignment.robot_id, assignment.assignment_id)
            self._put("by_rollout", place, assignment.assignment_id)
            self._count("offered", assignment.rollout_id, 1)
        self._count("open", assignment.rollout_id, assignment.is_open - (known is not None and known.is_open))
        self._put("assignments", assignment.assignment_id, assignment)

    add_assignment = put_assignment

    def _count(self, table: str, rollout_id: str, more: int) -> None:
        if more:
            self._put(table, rollout_id, (self._tables[table].get(rollout_id) or 0) + more)

    def _put(self, table: str, key: Any, value: Any) -> None:
        if not self._writable:
            raise Misuse("misuse-read-only-rows", "Store.read() was given work that writes: hand it to submit().")
        self._before.setdefault((table, key), self._tables[table].get(key))
        self._tables[table][key] = value

    def _require(self, holds: bool) -> None:
        if not holds:
            raise Misuse("misuse-rows", "A row refers to one that is not there, or breaks a unique rule.")


class MemoryStore:
    """Transactions over rows in memory, one after another. Fills `fleet.ports.Store`.

    Args:
        on_commit: Called after each commit that wrote something, with rows to read and what changed.
    """

    def __init__(self, on_commit: Callable[[Rows, list[Change]], None] | None = None) -> None:
        self.on_commit = on_commit
        self._tables: Tables = defaultdict(dict)
        self._closed = False

    def copy(self) -> "MemoryStore":
        """Return a store of its own with the same rows."""
        twin = MemoryStore()
        twin._tables = self.snapshot()
        return twin

    def snapshot(self) -> Tables:
        """Return all rows as they are now; two snapshots are equal when nothing changed in between."""
        return defaultdict(dict, {name: dict(table) for name, table in self._tables.items() if table})

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> Future[T]:
        """Run `work` in a transaction, now; a raise undoes what it wrote."""
        self._refuse_if_closed()
        future: Future[T] = Future()
        rows = MemoryRows(self._tables, writable=True)
        try:
            result = work(rows)
        except BaseException as error:  # noqa: BLE001 - it belongs to the one who submitted the work
            rows.undo()
            future.set_exception(error)
            return future
        changes = rows.changes()
        if changes and self.on_commit is not None:
            self.on_commit(MemoryRows(self._tables, writable=False), changes)
        future.set_result(result)
        return future

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work`, which only reads."""
        self._refuse_if_closed()
        return work(MemoryRows(self._tables, writable=False))

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Misuse("misuse-store-closed", "The store was closed: open a new one.")
