"""What one transaction has read and is going to write: a row is read once, and rows are written together.

A transaction serves the works of a whole batch, one after another, so what costs a round trip to the database is paid
once for all of them. Rows that were put stay here until the batch ends, or until a question comes up that only the
database can answer; then all of them are written first, so that it answers as if they always had been there.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Table, insert
from sqlalchemy.exc import DBAPIError

from surefoot.fleet.model import Assignment, Facts, HistoryEntry, Robot
from surefoot.store import tables
from surefoot.store.registry import TABLE_OF, metadata
from surefoot.store.statements import Statements, field_names, values_of
from surefoot.wire.delta import FORMAT
from surefoot.wire.errors import Misuse

V = TypeVar("V")

# A work over the whole fleet must not keep it in memory: beyond this many rows of a kind, they are read again.
KNOWN_MAX = 10_000
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Heard:
    """When a robot was last heard: the part of its facts that has a table of its own."""

    robot_id: str
    heard_at_s: float


_TABLES: dict[type, Table] = {
    Robot: tables.robots,
    Facts: tables.facts,
    Heard: tables.heard,
    HistoryEntry: tables.history,
    Assignment: tables.assignments,
    **TABLE_OF,
}
_PLACE = {table: place for place, table in enumerate(metadata.sorted_tables)}
# A row is written after those that it refers to.
_WRITE_ORDER = sorted(_TABLES, key=lambda kind: _PLACE[_TABLES[kind]])


class Entangled(Exception):
    """What a work wrote went to the database together with what others wrote, and cannot be undone alone."""


class Overlay(Statements):
    """The rows of one transaction as its works see them."""

    def __init__(self, connection: Connection, *, writable: bool) -> None:
        super().__init__(connection)
        self._writable = writable
        self._known: defaultdict[type, dict[Any, Any]] = defaultdict(dict)
        self._pending: defaultdict[type, dict[Any, Any]] = defaultdict(dict)
        self._answers: defaultdict[type, dict[Hashable, Any]] = defaultdict(dict)
        # What this work changed above, and what was there before.
        self._journal: list[tuple[dict[Any, Any], Any, Any]] = []
        self._wrote_early = False
        self._refused: DBAPIError | None = None

    def begin_work(self) -> None:
        """Take what was written until now for granted: undo() goes back to here."""
        self._journal.clear()
        self._wrote_early = False

    def undo(self) -> None:
        """Forget what this work wrote; raise `Entangled` when the database has it already."""
        if self._wrote_early:
            raise Entangled
        for changed, key, before in reversed(self._journal):
            if before is _ABSENT:
                changed.pop(key, None)
            else:
                changed[key] = before
        self._journal.clear()

    def forget(self) -> None:
        """Drop all that is held here: the transaction went back to where none of it was written."""
        for held in (self._known, self._pending, self._answers):
            held.clear()
        self._refused = None
        self.begin_work()

    def flush(self) -> None:
        """Write what was put and is not in the database yet; what it refused once it refuses again."""
        if self._refused is not None:
            # A work that swallowed this must not be taken for one that wrote.
            raise self._refused
        kinds = [kind for kind in _WRITE_ORDER if self._pending.get(kind)]
        if not kinds:
            return
        self._wrote_early = self._wrote_early or bool(self._journal)
        try:
            for kind in kinds:
                self._write(kind, list(self._pending[kind].values()))
                self._pending[kind].clear()
        except DBAPIError as error:
            self._refused = error
            raise

    def _value(self, kind: type[V], key: Any, read: Callable[[], V | None]) -> V | None:
        """Return the row with this key, read unless it is known."""
        for held in (self._pending[kind], self._known[kind]):
            if key in held:
                value: V | None = held[key]
                return value
        value = read()
        self._learn(kind, key, value)
        return value

    def _learn(self, kind: type, key: Any, value: Any) -> None:
        known = self._known[kind]
        if len(known) >= KNOWN_MAX:
            known.clear()
        known[key] = value

    def _answer(self, kind: type, question: Hashable, ask: Callable[[], V]) -> V:
        """Return what the database says about rows of a kind, asked once for as long as none of them changes."""
        if question not in self._answers[kind]:
            self._settle(kind)
            self._answers[kind][question] = ask()
        answer: V = self._answers[kind][question]
        return answer

    def _settle(self, *kinds: type) -> None:
        """See that the database has all rows of these kinds that were put."""
        if any(self._pending.get(kind) for kind in kinds):
            self.flush()

    def _hold(self, kind: type, key: Any, value: Any) -> None:
        """Take a row to be written."""
        self._refuse_unless_writable()
        self._change(self._pending[kind], key, value)
        self._change(self._known[kind], key, value)
        self._change(self._answers, kind, {})
        if len(self._pending[kind]) >= KNOWN_MAX:
            self.flush()

    def _write_now(self, kind: type, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Change rows of a kind in the database itself; what was known of them is read again."""
        self._refuse_unless_writable()
        self.flush()
        self._wrote_early = True
        for held in (self._known, self._answers):
            self._change(held, kind, {})
        self._connection.execute(statement, rows)

    def _change(self, changed: dict[Any, Any], key: Any, value: Any) -> None:
        self._journal.append((changed, key, changed.get(key, _ABSENT)))
        changed[key] = value

    def _refuse_unless_writable(self) -> None:
        if not self._writable:
            raise Misuse("misuse-read-only-rows", "Store.read() was given work that writes: hand it to submit().")

    def _write(self, kind: type, values: list[Any]) -> None:
        table = _TABLES[kind]
        if kind is HistoryEntry:
            self._connection.execute(insert(table), [values_of(entry) for entry in values])
        elif kind in (Facts, Heard):
            row_of = _facts_row if kind is Facts else values_of
            # In one order in every process, or two of them could wait for each other's rows.
            self._upsert_at_once(table, "robot_id", sorted(map(row_of, values), key=lambda row: str(row["robot_id"])))
        else:
            self._upsert(table, field_names(kind)[0], [values_of(value) for value in values])


def _facts_row(facts: Facts) -> dict[str, Any]:
    report = facts.report
    return {
        "robot_id": report.robot_id,
        "report": report,
        "received_at_s": facts.received_at_s,
        "past_epochs": facts.past_epochs,
        "epoch": report.epoch,
        "boot": report.boot,
        "seq": report.seq,
        "running_digest": report.running.digest,
        "running_version": report.running.version,
        "takes_deltas": FORMAT in report.accepts,
    }
