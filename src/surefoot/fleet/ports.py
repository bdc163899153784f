"""What the use cases need from the world.

`store` fills these ports, and one contract suite holds every filling to them.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

from surefoot.fleet.model import (
    Assignment,
    Facts,
    HistoryEntry,
    Robot,
    RobotView,
    Status,
)

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

    def find(self, kind: type[V], *, newest_first: bool = False, limit: int | None = None, **equals: object) -> list[V]:
        """Return the values whose fields equal those given, in the order they were first stored, or against it."""

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

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        """Count the rollout's assignments by status."""

    def put_assignment(self, assignment: Assignment) -> None:
        """Store an assignment."""


class Store(Protocol):
    """Transactions over rows."""

    def submit(self, work: Callable[[Rows], T]) -> "Future[T]":
        """Run `work` in a transaction; the future resolves after the commit is durable, or with what `work` raised.

        A raise undoes what this work wrote and nothing else.
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
