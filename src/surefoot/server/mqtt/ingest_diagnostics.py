"""The stream of diagnostics, about one message a second from each robot: folded in memory, stored once a minute.

Nothing of it is acknowledged, as the next message says it again: what a killed process had not stored is at most a
minute of seconds that nobody told about. What a trigger waits for, a safety stop without an operator or a restart, is
stored at once. A robot that sends health windows of its own is not folded twice: of its diagnostics only silence and
safety stops count.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from zlib import crc32

from surefoot.fleet.health import take_folded
from surefoot.fleet.ports import Rows
from surefoot.server.mqtt.allowance import Allowance
from surefoot.server.mqtt.ingest import (
    MALFORMED,
    STRANGE_TOPIC,
    TOO_LARGE,
    TOO_MANY,
    BadMessage,
    check_own,
    known_robot,
)
from surefoot.server.mqtt.quick_diagnostics import read_quickly
from surefoot.server.services import Services
from surefoot.wire import limits
from surefoot.wire.diagnostics import parse_diagnostics
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.health import HealthSums
from surefoot.wire.health_fold import HealthFold
from surefoot.wire.topics import DIAGNOSTICS, fits_topic

WINDOW_S = 60
# Of one robot, in a second: several bridges, or one that was held up for a while.
BYTES_MOST, PERIOD_S = 4 * limits.DIAGNOSTICS_BYTES_MAX, 1.0
# Of a robot that was not heard for this long nothing is kept.
FORGET_S = 600.0
# Robots in one transaction.
BATCH = 100
# What the store could not take yet; beyond this the oldest are let go.
WAITING_MAX = 200_000


class _Folding:
    """One robot's open window."""

    __slots__ = ("begun_s", "fold", "heard_s", "is_new")

    def __init__(self, now_s: float) -> None:
        self.fold = HealthFold(now_s)
        self.begun_s = self.heard_s = now_s
        self.is_new = False


class Folder:
    """Folds the diagnostics of the robots that this process keeps.

    Args:
        services: What it works with.
        monotonic_s: A clock that never steps.
    """

    def __init__(self, services: Services, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._monotonic_s = monotonic_s
        self._figures = services.metrics.mqtt
        self._allowance = Allowance(BYTES_MOST, PERIOD_S)
        self._foldings: dict[str, _Folding] = {}
        # Robots by the second of the minute in which they are stored.
        self._slots: list[set[str]] = [set() for _ in range(WINDOW_S)]
        self._next_slot: int | None = None
        # When each robot that folds for itself sent its last window.
        self._send_windows: dict[str, float] = {}
        # Whose windows a trigger must see at once.
        self.urgent: set[str] = set()
        self._waiting: deque[tuple[str, HealthSums, float]] = deque(maxlen=WAITING_MAX)
        self._folded = self._unknown = 0

    def __len__(self) -> int:
        """How many robots it folds."""
        return len(self._foldings)

    def take(self, robot_id: str, payload: bytes, now_s: float) -> bool:
        """Fold a message of a robot that came now; return whether it counted."""
        try:
            if not self._allowance.takes(robot_id, now_s, len(payload)):
                raise BadMessage(TOO_MANY, f"More than {BYTES_MOST} bytes in a second are not taken.")
            if len(payload) > limits.DIAGNOSTICS_BYTES_MAX:
                raise BadMessage(TOO_LARGE, f"It has {len(payload)} bytes.")
            said = read_quickly(payload)
            if said is None or said.robot_id != robot_id:
                said = parse_diagnostics(payload)
                check_own(robot_id, said.robot_id)
            folding = self._foldings.get(robot_id)
            if folding is None:
                folding = self._begin(robot_id, now_s)
        except Refused as error:
            self._figures.refused(MALFORMED, robot_id, str(error))
            return False
        except BadMessage as error:
            self._figures.refused(error.reason, robot_id, str(error))
            return False
        folding.fold.add(said, now_s)
        folding.heard_s = now_s
        folding.is_new = True
        self._folded += 1
        self._unknown += said.unknown_count
        if folding.fold.is_urgent:
            self.urgent.add(robot_id)
        return True

    def sends_windows(self, robot_id: str) -> None:
        """Note that a robot folds for itself; what was folded for it so far is in its own window."""
        if not self._folds_itself(robot_id):
            self._drop(robot_id)
        self._send_windows[robot_id] = self._monotonic_s()

    def _folds_itself(self, robot_id: str) -> bool:
        # The release that it went back to may send none.
        sent_s = self._send_windows.get(robot_id)
        return sent_s is not None and self._monotonic_s() - sent_s < FORGET_S

    def take_urgent(self) -> None:
        """Let what is urgent wait for `store` no longer than it has to."""
        urgent, self.urgent = self.urgent, set()
        self.close(urgent)

    def take_due(self) -> None:
        """Close the windows whose second of the minute has come."""
        now_s = self._monotonic_s()
        last = int(now_s)
        first = last if self._next_slot is None else max(self._next_slot, last - WINDOW_S + 1)
        for second in range(first, last + 1):
            due = list(self._slots[second % WINDOW_S])
            # A shorter one would come before a robot's own window, which may say the same.
            self.close(robot_id for robot_id in due if now_s - self._foldings[robot_id].begun_s >= WINDOW_S)
            for robot_id in due:
                if now_s - self._foldings[robot_id].heard_s > FORGET_S:
                    self._drop(robot_id)
        self._next_slot = last + 1
        self._figures.messages.labels(DIAGNOSTICS).inc(self._folded)
        self._figures.unknown_statuses.inc(self._unknown)
        self._folded = self._unknown = 0

    def let_go(self, robot_ids: Iterable[str]) -> None:
        """Close the windows of robots that another process keeps from now on."""
        robot_ids = list(robot_ids)
        self.close(robot_ids)
        for robot_id in robot_ids:
            self._drop(robot_id)

    def close(self, robot_ids: Iterable[str]) -> None:
        """Close the windows of these robots, as far as anything is in them, for `store` to store."""
        now_s, wall_s = self._monotonic_s(), self._services.now_s()
        for robot_id in robot_ids:
            folding = self._foldings.get(robot_id)
            if folding is None or not folding.is_new:
                continue
            heard_at_s = wall_s - (now_s - folding.heard_s)
            sums = folding.fold.take(now_s)
            folding.begun_s, folding.is_new = now_s, False
            if not self._folds_itself(robot_id):
                self._waiting.append((robot_id, sums, heard_at_s))
            elif sums.stops_other:
                self._waiting.append((robot_id, _only_stops(sums), heard_at_s))

    def robot_ids(self) -> list[str]:
        """Return whom it folds."""
        return list(self._foldings)

    async def store(self) -> None:
        """Store the windows that were closed; what the store cannot take now waits for the next time."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                refused = await self._services.write(lambda rows, batch=batch: self._store(rows, batch))  # type: ignore[misc]
            except Interrupted:
                self._waiting.extendleft(reversed(batch))
                raise
            for robot_id, reason, detail in refused:
                self._figures.refused(reason, robot_id, detail)
                self._drop(robot_id)

    def _store(self, rows: Rows, batch: list[tuple[str, HealthSums, float]]) -> list[tuple[str, str, str]]:
        refused = []
        for robot_id, sums, heard_at_s in batch:
            try:
                known_robot(rows, robot_id)
            except BadMessage as error:
                refused.append((robot_id, error.reason, str(error)))
                continue
            take_folded(rows, robot_id, sums, heard_at_s)
        return refused

    def _begin(self, robot_id: str, now_s: float) -> _Folding:
        if not fits_topic(robot_id):
            raise BadMessage(STRANGE_TOPIC, "Nobody can be called like that.")
        folding = self._foldings[robot_id] = _Folding(now_s)
        self._slots[_slot_of(robot_id)].add(robot_id)
        return folding

    def _drop(self, robot_id: str) -> None:
        self._foldings.pop(robot_id, None)
        self._slots[_slot_of(robot_id)].discard(robot_id)
        self.urgent.discard(robot_id)


def _slot_of(robot_id: str) -> int:
    return crc32(robot_id.encode()) % WINDOW_S


def _only_stops(sums: HealthSums) -> HealthSums:
    nothing = dict.fromkeys(("length_s", "ok_s", "warn_s", "error_s", "stale_s", "charging_s"), 0.0)
    return sums.replace(
        **nothing,
        topics=(),
        battery_start_percent=None,
        battery_end_percent=None,
        reboots=0,
        handshakes_tried=0,
        handshakes_failed=0,
    )
