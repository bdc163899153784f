"""Looks into the database that several server processes share, and at what robots saw, and keeps what was broken."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec

from surefoot.fleet import audit
from surefoot.fleet.lease import LEADER, Lease
from surefoot.fleet.model import Facts, Rollout
from surefoot.fleet.outbox import OutboxEntry, OutboxKind
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.robots import list_robots
from surefoot.fleet.rollout_history import RolloutChange
from surefoot.sim import process_promises as promise
from surefoot.sim.invariants import record_equals_robot
from surefoot.sim.light_robot import GreedyRobot, LightRobot

P = ParamSpec("P")
LEASE_LOOK_S = 0.02


class LeaseWatch(threading.Thread):
    """Notes each change of leader, and when it was seen; `broken` is what was seen that must not be."""

    def __init__(self, store: Store) -> None:
        super().__init__(name="lease-watch", daemon=True)
        self.seen: list[tuple[float, int]] = []
        self.broken: str | None = None
        self._store = store
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until `end`."""
        before: Lease | None = None
        while not self._ended.wait(LEASE_LOOK_S):
            found = self._store.read(lambda rows: rows.get(Lease, LEADER))
            self.broken = self.broken or promise.one_leader_per_epoch(before, found)
            if found is not None and (before is None or before.epoch != found.epoch):
                self.seen.append((time.monotonic(), found.epoch))
            before = found

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()


class Witness:
    """Holds the promises against everything that is there to see.

    Args:
        store: The servers' database.
        robots: Those that report.
        greedy: Those that only download.
        received: The bodies that the webhook's address received so far, by the event's id.
        webhook_id: The webhook's.
        limit: How many downloads a robot may take.
    """

    def __init__(
        self,
        store: Store,
        robots: Sequence[LightRobot],
        greedy: Sequence[GreedyRobot],
        received: Callable[[], Mapping[str, frozenset[bytes]]],
        webhook_id: str,
        limit: int,
    ) -> None:
        self.looks = 0
        self.open_max = 0
        self.changes = 0
        self._store = store
        self.robots = robots
        self.greedy = greedy
        self._received = received
        self._webhook_id = webhook_id
        self._limit = limit
        self._facts: dict[str, Facts | None] = {}
        self._broken: dict[tuple[str, str], str] = {}

    def check(self, who: str, holds: Callable[P, str | None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Keep it when a promise does not hold."""
        detail = holds(*args, **kwargs)
        if detail is not None:
            name = holds.__name__.replace("_", "-")
            self._broken.setdefault((name, who), f"{name}: {promise.sentence_of(holds)} {who}: {detail}")

    @property
    def broken(self) -> tuple[str, ...]:
        """What was broken, by whom: each promise once."""
        return tuple(self._broken.values())

    def look(self, *, ended: bool = False) -> None:
        """Look once at everything; `ended` when nothing is on its way any more."""
        self.looks += 1
        # Before the database is: it may know more by then, never less.
        acknowledged = {robot.robot_id: robot.acknowledged for robot in self.robots}
        received = self._received()
        self._store.read(lambda rows: self._look_at_rows(rows, acknowledged, received, ended=ended))
        takers: list[LightRobot | GreedyRobot] = [*self.robots, *self.greedy]
        for robot in takers:
            self.check(robot.robot_id, promise.within_download_limit, self._limit, robot.taken.all())
            self.check(robot.robot_id, promise.answers_as_agreed, robot.unexpected)

    def compare_robots(self, now_s: float) -> None:
        """Once all is quiet, compare each record with what its robot runs."""
        statuses = self._store.read(lambda rows: list_robots(rows, "", 10_000, now_s))
        running = {robot.robot_id: robot.running_digest for robot in self.robots}
        for status in statuses:
            robot_id = status.robot.robot_id
            if robot_id in running:
                self.check(robot_id, record_equals_robot, status, running[robot_id])

    def has_waiting(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._store.read(lambda rows: rows.find(OutboxEntry, limit=1)))

    def _look_at_rows(
        self,
        rows: Rows,
        acknowledged: Mapping[str, promise.Place | None],
        received: Mapping[str, frozenset[bytes]],
        *,
        ended: bool,
    ) -> None:
        facts = {view.robot.robot_id: view.facts for view in rows.robot_views("", 10_000)}
        for robot_id, place in acknowledged.items():
            self.check(robot_id, promise.no_report_lost, place, facts.get(robot_id))
            self.check(robot_id, promise.record_moves_forward, self._facts.get(robot_id), facts.get(robot_id))
        self._facts = facts
        entries = rows.find(audit.Entry)
        self.check("audit log", promise.audit_chain_holds, entries)
        decided: set[str] = set()
        for rollout in rows.find(Rollout):
            open_assignments = rows.count_open(rollout.rollout_id)
            changes = rows.find(RolloutChange, rollout_id=rollout.rollout_id)
            self.check(rollout.rollout_id, promise.within_capacity, rollout, open_assignments)
            self.check(rollout.rollout_id, promise.decided_once, rollout, changes)
            self.check(rollout.rollout_id, promise.passed_with_its_robots, rollout, changes, rows)
            self.check(rollout.rollout_id, promise.recorded_once, entries, rollout, changes)
            self.open_max = max(self.open_max, open_assignments)
            decided |= {change.change_id for change in changes}
        self.changes = len(decided)
        suffix = f":{self._webhook_id}"
        told = [entry.entry_id for entry in rows.find(OutboxEntry) if entry.kind is OutboxKind.WEBHOOK]
        waiting = frozenset(entry_id.removesuffix(suffix) for entry_id in told)
        self.check("outbox", promise.told_once, frozenset(decided), waiting, received, ended=ended)
