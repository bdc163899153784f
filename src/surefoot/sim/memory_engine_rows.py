"""Rows in memory as the engine and the metrics look at them: the same contract as `store.rows_engine`."""

# ruff: noqa: D102 - the port says what each method does

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from surefoot.fleet.model import Assignment, AssignmentCount, Lacking, RobotCount, Status
from surefoot.fleet.shown import TRIED, CodeCount, Ran
from surefoot.wire.delta import FORMAT

_SETTLED = (Status.INSTALLED, Status.DRIFTED, Status.SUPERSEDED)
_ENDED = (*_SETTLED, Status.ROLLED_BACK, Status.REFUSED)


class MemoryEngineRows:
    """The part of the rows in memory for whoever looks at all robots."""

    _tables: dict[str, dict[Any, Any]]

    def newest_assignment(self, robot_id: str) -> Assignment | None:
        return self._tables["assignments"].get(self._tables["newest"].get(robot_id))

    def assignment_for(self, rollout_id: str, robot_id: str) -> Assignment | None:
        return self._tables["assignments"].get(self._tables["by_rollout"].get((rollout_id, robot_id)))

    def assignments(self, rollout_id: str) -> list[Assignment]:
        return sorted(self._of(rollout_id), key=lambda assignment: assignment.robot_id)

    def count_open(self, rollout_id: str) -> int:
        return self._tables["open"].get(rollout_id) or 0

    def count_by_status(self, rollout_id: str) -> dict[Status, int]:
        return dict(Counter(assignment.status for assignment in self._of(rollout_id)))

    def assignments_to_judge(self, rollout_id: str, now_s: float) -> list[Assignment]:
        found = [
            known
            for known in self._tables["assignments"].values()
            if known.rollout_id == rollout_id
            and (known.is_open or known.status not in _SETTLED or known.status_since_s > now_s)
        ]
        return sorted(found, key=lambda assignment: assignment.robot_id)

    def prefetch(self, robot_ids: Collection[str]) -> None:
        """Do nothing: all is at hand."""

    def open_assignments(self, rollout_id: str) -> list[tuple[str, str]]:
        return sorted((known.robot_id, known.assignment_id) for known in self._of(rollout_id) if known.is_open)

    def count_offered(self, rollout_id: str) -> int:
        return self._tables["offered"].get(rollout_id) or 0

    def newest_change_s(self, rollout_id: str) -> float:
        known = self._tables["assignments"].values()
        return max((one.status_since_s for one in known if one.rollout_id == rollout_id), default=0.0)

    def count_settled(self, rollout_id: str, until_s: float) -> int:
        known = [one for one in self._tables["assignments"].values() if one.rollout_id == rollout_id]
        return sum(one.status in _ENDED and one.status_since_s <= until_s for one in known)

    def rollouts_with_open(self) -> list[str]:
        return sorted({known.rollout_id for known in self._tables["assignments"].values() if known.is_open})

    def robots_without(self, rollout_id: str, sku: str, after: str = "") -> Iterator[Lacking]:
        for robot_id, robot in sorted(self._tables["robots"].items()):
            if robot_id > after and robot.sku == sku and (rollout_id, robot_id) not in self._tables["by_rollout"]:
                facts, newest = self._tables["facts"].get(robot_id), self.newest_assignment(robot_id)
                yield Lacking(
                    robot_id=robot_id,
                    heard_at_s=None if facts is None else facts.heard_at_s,
                    running_version=None if facts is None else facts.report.running.version,
                    running_digest=None if facts is None else facts.report.running.digest,
                    newest_rollout_id=None if newest is None else newest.rollout_id,
                )

    def count_robots(self) -> list[RobotCount]:
        counted: Counter[tuple[str, Status | None, str | None]] = Counter()
        for robot_id, robot in self._tables["robots"].items():
            facts, newest = self._tables["facts"].get(robot_id), self.newest_assignment(robot_id)
            version = None if facts is None else facts.report.running.version
            counted[robot.sku, None if newest is None else newest.status, version] += 1
        return [
            RobotCount(sku=sku, status=status, version=version, count=count)
            for (sku, status, version), count in counted.items()
        ]

    def count_assignments(self) -> list[AssignmentCount]:
        alike: defaultdict[tuple[str, int | None, Status, bool], list[Assignment]] = defaultdict(list)
        for one in self._tables["assignments"].values():
            alike[one.rollout_id, one.phase, one.status, one.is_open].append(one)
        return [_count(known) for known in alike.values()]

    def count_delta_sources(self, sku: str) -> dict[str, int]:
        known = [self._tables["facts"].get(name) for name, robot in self._tables["robots"].items() if robot.sku == sku]
        reports = [facts.report for facts in known if facts is not None]
        running = Counter(report.running.digest for report in reports if FORMAT in report.accepts)
        return {digest: count for digest, count in running.items() if digest is not None}

    def robots_that_ran(self, rollout_id: str, digest: str) -> Iterator[Ran]:
        known = [one for one in self._tables["assignments"].values() if one.rollout_id == rollout_id]
        for assignment in sorted(known, key=lambda one: one.robot_id):
            facts = self._tables["facts"].get(assignment.robot_id)
            runs = None if facts is None else facts.report.running.digest
            if assignment.installed_at_s is not None or assignment.status in TRIED or runs == digest:
                yield Ran(
                    robot_id=assignment.robot_id,
                    assigned_at_s=assignment.assigned_at_s,
                    heard_at_s=None if facts is None else facts.heard_at_s,
                    running_digest=runs,
                )

    def count_heard(self, since_s: float) -> int:
        return sum(facts.heard_at_s >= since_s for facts in self._tables["facts"].values())

    def count_codes(self, rollout_id: str) -> list[CodeCount]:
        known = [one for one in self._tables["assignments"].values() if one.rollout_id == rollout_id]
        counted = Counter((one.status, one.code) for one in known if one.status is not Status.INSTALLED)
        return [CodeCount(status=status, code=code, count=count) for (status, code), count in counted.items()]

    def assignments_of_status(self, rollout_id: str, status: Status, after: str | None, limit: int) -> list[Assignment]:
        known = list(self._tables["assignments"].values())
        ids = [one.assignment_id for one in known]
        behind = known[ids.index(after) + 1 :] if after in ids else known
        return [one for one in behind if (one.rollout_id, one.status) == (rollout_id, status)][:limit]

    def _of(self, rollout_id: str) -> list[Assignment]:
        return [known for known in self._tables["assignments"].values() if known.rollout_id == rollout_id]


def _count(alike: list[Assignment]) -> AssignmentCount:
    """Count assignments that have everything in common that they are counted by."""
    installs_s = [one.installed_at_s - one.assigned_at_s for one in alike if one.installed_at_s is not None]
    downloads_s = [one.download_s for one in alike if one.download_s is not None]
    return AssignmentCount(
        rollout_id=alike[0].rollout_id,
        phase=alike[0].phase,
        status=alike[0].status,
        is_open=alike[0].is_open,
        count=len(alike),
        installs=len(installs_s),
        installs_s=sum(installs_s, 0.0),
        downloads=len(downloads_s),
        downloads_s=sum(downloads_s, 0.0),
    )
