"""The fleet's rows in memory: the same contract as on SQL, at the speed a simulated world needs.

Works run at once, in the thread that submits them. Someone may look at every commit: that is how a world checks its
promises after every write.
"""

# ruff: noqa: D102 - the port says what each method does

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
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
    Status,
)
from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Misuse

T = TypeVar("T")

# A row before and after a commit; None where there was none before.
Change = tuple[Any, Any]
# Tables by name, rows by key; dictionaries keep the order in which rows were first stored.
Tables = dict[str, dict[Any, Any]]
_TABLES = ("robots", "facts", "history", "keys", "releases", "rollouts", "assignments", "newest", "by_rollout")


class MemoryRows:
    """All rows inside one transaction. Fills `fleet.ports.Rows`."""

    def __init__(self, tables: Tables, *, writable: bool) -> None:
        self._tables = tables
        self._writable = writable
        self._before: dict[tuple[str, Any], Any] = {}

    def changes(self) -> list[Change]:
        """Return every row this transaction wrote, before and after."""
        return [(old, self._tables[table][key]) for (table, key), old in self._before.items()]

    def undo(self) -> None:
        """Put back what was there before."""
        for (table, key), old in reversed(self._before.items()):
            if old is None:
                del self._tables[table][key]
            else:
                self._tables[table][key] = old

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

    def add_history(self, entry: HistoryEntry) -> None:
        self._require(entry.robot_id in self._tables["robots"])
        self._put("history", entry.robot_id, (*self._tables["history"].get(entry.robot_id, ()), entry))

    def history(self, robot_id: str, limit: int) -> list[HistoryEntry]:
        return list(self._tables["history"].get(robot_id, ())[::-1][:limit])

    def key(self, key_id: str) -> Key | None:
        return self._tables["keys"].get(key_id)

    def keys(self) -> list[Key]:
        return list(self._tables["keys"].values())

    def put_key(self, key: Key) -> None:
        self._put("keys", key.key_id, key)

    def release(self, release_id: str) -> Release | None:
        return self._tables["releases"].get(release_id)

    def releases(self) -> list[Release]:
        return list(self._tables["releases"].values())[::-1]

    def release_by_sha256(self, sha256: str) -> Release | None:
        return next((known for known in self.releases() if known.sha256 == sha256), None)

    def put_release(self, release: Release) -> None:
        self._require(release.key_id in self._tables["keys"])
        self._put("releases", release.release_id, release)

    def rollout(self, rollout_id: str) -> Rollout | None:
        return self._tables["rollouts"].get(rollout_id)

    def rollouts(self) -> list[Rollout]:
        return list(self._tables["rollouts"].values())[::-1]

    def rollouts_for(self, sku: str) -> list[Rollout]:
        return [rollout for rollout in self.rollouts() if rollout.sku == sku]

    def put_rollout(self, rollout: Rollout) -> None:
        self._require(rollout.release_id in self._tables["releases"])
        self._put("rollouts", rollout.rollout_id, rollout)

    def newest_assignment(self, robot_id: str) -> Assignment | None:
        return self._tables["assignments"].get(self._tables["newest"].get(robot_id))

    def assignment_for(self, rollout_id: str, robot_id: str) -> Assignment | None:
        return self._tables["assignments"].get(self._tables["by_rollout"].get((rollout_id, robot_id)))

    def assignments(self, rollout_id: str) -> list[Assignment]:
        return sorted(self._of(rollout_id), key=lambda assignment: assignment.robot_id)

    def count_open(self, rollout_id: str) -> int:
        return sum(assignment.is_open for assignment in self._of(rollout_id))

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        return dict(Counter(assignment.status for assignment in self._of(rollout_id)))

    def put_assignment(self, assignment: Assignment) -> None:
        place = (assignment.rollout_id, assignment.robot_id)
        self._require(assignment.rollout_id in self._tables["rollouts"])
        self._require(assignment.release_id in self._tables["releases"])
        self._require(assignment.robot_id in self._tables["robots"])
        self._require(self._tables["by_rollout"].get(place) in (None, assignment.assignment_id))
        if assignment.assignment_id not in self._tables["assignments"]:
            self._put("newest", assignment.robot_id, assignment.assignment_id)
            self._put("by_rollout", place, assignment.assignment_id)
        self._put("assignments", assignment.assignment_id, assignment)

    def _of(self, rollout_id: str) -> list[Assignment]:
        return [known for known in self._tables["assignments"].values() if known.rollout_id == rollout_id]

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
        self._tables: Tables = {name: {} for name in _TABLES}
        self._closed = False

    def copy(self) -> "MemoryStore":
        """Return a store of its own with the same rows."""
        twin = MemoryStore()
        twin._tables = self.snapshot()
        return twin

    def snapshot(self) -> Tables:
        """Return all rows as they are now; two snapshots are equal when nothing changed in between."""
        return {name: dict(table) for name, table in self._tables.items()}

    def submit(self, work: Callable[[Rows], T]) -> Future[T]:
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
