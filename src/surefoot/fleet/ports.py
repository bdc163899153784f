"""What the use cases need from the world.

`store` fills these ports, and one contract suite holds every filling to them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from typing import Protocol, TypeVar

from surefoot.fleet.model import (
    Assignment,
    AssignmentCount,
    Facts,
    HistoryEntry,
    Lacking,
    Robot,
    RobotCount,
    RobotView,
    Status,
)
from surefoot.fleet.shown import CodeCount, Ran

T = TypeVar("T")
V = TypeVar("V")


class Rows(Protocol):
    """The rows inside one transaction. `put…` inserts or replaces by the value's own key, which is its first field.

    `get`, `put`, `drop` and `find` serve every noun of the fleet; what robots do all day has methods of its own.
    """

    def get(self, kind: type[V], key: str) -> V | None:
        """Return the value of this kind with this key, or None."""

    def put(self, value: object) -> None:
        """Store a value."""

    def drop(self, kind: type[V], key: str) -> None:
        """Remove a value; nothing happens when there is none."""

    def find(
        self,
        kind: type[V],
        *,
        newest_first: bool = False,
        limit: int | None = None,
        after: object = None,
        **equals: object,
    ) -> list[V]:
        """Return the values whose fields equal those given, in the order they were first stored, or against it.

        `after` is the key of the value behind which to begin; nothing stands behind one that is not there.
        """

    def robot(self, robot_id: str) -> Robot | None:
        """Return the robot, or None."""

    def robot_by_token(self, token_sha256: str) -> Robot | None:
        """Return the robot whose token has this SHA-256, or None."""

    def put_robot(self, robot: Robot) -> None:
        """Store a robot."""

    def robot_ids(self, sku: str) -> Iterator[str]:
        """Yield the ids of all robots of a sku, in order."""

    def robot_views(self, after: str, limit: int) -> list[RobotView]:
        """Return up to `limit` robots whose id sorts behind `after`, each with facts and newest assignment."""

    def facts(self, robot_id: str) -> Facts | None:
        """Return the robot's facts, or None when it never reported."""

    def put_facts(self, facts: Facts) -> None:
        """Store the facts of the robot that their report names."""

    def set_heard(self, robot_id: str, heard_at_s: float) -> None:
        """Record that the robot said something, without changing its facts."""

    def set_heard_all(self, heard_at_s: Mapping[str, float]) -> None:
        """Do what `set_heard` does for many robots at once, never back in time."""

    def add_history(self, entry: HistoryEntry) -> None:
        """Append to a robot's history."""

    def history(self, robot_id: str, limit: int) -> list[HistoryEntry]:
        """Return the newest `limit` entries of a robot, newest first."""

    def newest_assignment(self, robot_id: str) -> Assignment | None:
        """Return the robot's newest assignment, or None."""

    def assignment_for(self, rollout_id: str, robot_id: str) -> Assignment | None:
        """Return the assignment a rollout made for a robot, or None."""

    def assignments(self, rollout_id: str) -> list[Assignment]:
        """Return all assignments of a rollout, in order of robot id."""

    def count_open(self, rollout_id: str) -> int:
        """Count the rollout's assignments that hold a place of its plan's capacity."""

    def open_assignments(self, rollout_id: str) -> list[tuple[str, str]]:
        """Return robot and assignment, by id, where an assignment holds a place of the plan's capacity; by robot id."""

    def count_offered(self, rollout_id: str) -> int:
        """Count the rollout's assignments, however they stand."""

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        """Count the rollout's assignments by status."""

    def put_assignment(self, assignment: Assignment) -> None:
        """Store an assignment."""

    def add_assignment(self, assignment: Assignment) -> None:
        """Store an assignment whose id is new, without a look whether it is."""

    def assignments_to_judge(self, rollout_id: str, now_s: float) -> list[Assignment]:
        """Return a rollout's assignments that time alone may change, in order of robot id.

        These are all that hold a place, or are not installed, drifted or superseded, or changed later than `now_s`.
        """

    def prefetch(self, robot_ids: Collection[str]) -> None:
        """Read at once what will be asked about these robots one by one: facts, newest assignments and pins.

        For a thousand at a time: what is known of others may be forgotten for it.
        """

    def newest_change_s(self, rollout_id: str) -> float:
        """Return when a rollout's assignments last changed status (Unix seconds), 0 when it has none."""

    def count_settled(self, rollout_id: str, until_s: float) -> int:
        """Count the rollout's assignments that came to an end until then (Unix seconds), whichever it was."""

    def rollouts_with_open(self) -> list[str]:
        """Return the ids of the rollouts that have assignments which hold a place."""

    def robots_without(self, rollout_id: str, sku: str, after: str = "") -> Iterator[Lacking]:
        """Yield the robots of a sku without an assignment from this rollout, in order of robot id, behind this one."""

    def count_robots(self) -> list[RobotCount]:
        """Count all robots by sku, recorded status and version."""

    def count_assignments(self) -> list[AssignmentCount]:
        """Count all assignments by rollout, phase, status and whether they hold a place, and sum up what they took."""

    def count_delta_sources(self, sku: str) -> dict[str, int]:
        """Count the robots of a sku that can apply deltas (`wire.delta`), by the digest of the image they run."""

    def robots_that_ran(self, rollout_id: str, digest: str) -> Iterator[Ran]:
        """Yield the robots of a rollout that tried its release, or run the image with this digest, in order of id."""

    def count_heard(self, since_s: float) -> int:
        """Count the robots that said anything at this moment (Unix seconds) or later."""

    def count_codes(self, rollout_id: str) -> list[CodeCount]:
        """Count a rollout's assignments that are not installed, by status and code."""

    def assignments_of_status(self, rollout_id: str, status: Status, after: str | None, limit: int) -> list[Assignment]:
        """Return a rollout's assignments of a status in the order they were first stored, behind the one named."""


class Store(Protocol):
    """Transactions over rows."""

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        """Run `work` in a transaction; the future resolves after the commit is durable, or with what `work` raised.

        A raise undoes what this work wrote and nothing else. Where another process came first, or a work of the same
        batch failed, `work` runs again from its start on rows as before it, so it must do nothing but read and write
        rows: what it returned counts once, from the run that was kept. Naming the robot that it is `about` only makes
        it faster.
        """

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run `work`, which only reads, on a consistent view."""

    def close(self) -> None:
        """Finish what was submitted and let go of the storage."""


class Blobs(Protocol):
    """Files by the SHA-256 of their bytes; what is there is complete and right."""

    def put(self, sha256: str, data: bytes) -> None:
        """Store durably; `Refused` (`refused-sha256`) when the bytes have another SHA-256."""

    def size_bytes(self, sha256: str) -> int | None:
        """Return the file's size, or None when there is none."""

    def read(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        """Return a piece of the file; `Damaged` (`damaged-blob`) when it is not there."""

    def redirect_url(self, sha256: str, valid_s: int) -> str | None:
        """Return a signed address that serves the file for so many seconds, or None where files have no address."""

    def sha256s(self) -> Iterator[str]:
        """Yield the SHA-256 of every file."""
