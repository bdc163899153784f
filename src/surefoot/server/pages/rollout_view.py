"""What the page of a rollout shows, derived from its rows and the newest counts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.fleet.alarms import Alarm
from surefoot.fleet.approvals import Approval, approvals_of
from surefoot.fleet.fleet_metrics import Standing
from surefoot.fleet.gate_view import gate_view
from surefoot.fleet.gates import evidence_of
from surefoot.fleet.incidents import Incident, open_incident_of
from surefoot.fleet.model import Release, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollout_detail import Detail, rollout_detail
from surefoot.fleet.rollout_history import RolloutChange, changes_of, is_behind_aftercare
from surefoot.fleet.shown import CodeCount
from surefoot.fleet.waiting import Waiting, waiting
from surefoot.rollout.plan import Phase
from surefoot.server.pages import words
from surefoot.server.pages.fleet_counts import FleetCounts, fleet_counts
from surefoot.server.pages.gate_part import GatePart, gate_part
from surefoot.server.pages.rollout_lines import Segment, bar_of, goes_on_in_s, segments_of
from surefoot.server.pages.snapshots import Snapshots
from surefoot.server.services import Services
from surefoot.wire.errors import Refused

PASSED, OPEN, NEXT = "passed", "open", "next"
ENDED = (Status.ROLLED_BACK, Status.REFUSED, Status.SILENT, Status.DRIFTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCounts:
    """One rollout's robots counted: by status and by what holds them up; and which other rollouts have a say."""

    statuses: dict[Status, int]
    codes: tuple[CodeCount, ...]
    detail: Detail

    @property
    def open(self) -> int:
        """How many robots hold a place."""
        return self.detail.updating


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """One phase on the track; `robots` is how many it reaches, None while the fleet is being counted.

    `soaked` is how much of its soak is over, of the open phase alone. `approval` is who let it open, None where nobody
    has; it `needs_approval` where it cannot open without.
    """

    name: str
    who: str
    soak_s: float
    place: str
    robots: int | None
    standing: Standing | None
    segments: tuple[Segment, ...]
    soaked: tuple[Segment, ...]
    needs_approval: bool
    approval: Approval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Robots that ended without the release for the same reason."""

    status: Status
    code: str | None
    count: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """Everything about a rollout; `counts` and `waiting` are None while its robots are counted for the first time."""

    rollout: Rollout
    release: Release
    phases: tuple[PhaseView, ...]
    counts: RolloutCounts | None
    holds: tuple[Hold, ...]
    waiting: Waiting | None
    gate: GatePart | None
    alarms: tuple[Alarm, ...]
    robots: int | None
    changes: tuple[RolloutChange, ...]
    incident: Incident | None
    goes_on_in_s: float | None

    @property
    def phase(self) -> Phase:
        """The phase that opened last."""
        return self.rollout.plan.phases[self.rollout.phase]

    @property
    def late_alarm_ids(self) -> frozenset[str]:
        """The alarms that came too long after its end to halt it."""
        changes = self.changes[::-1]
        return frozenset(alarm.alarm_id for alarm in self.alarms if is_behind_aftercare(changes, alarm.at_s))

    @property
    def unapproved(self) -> PhaseView | None:
        """The next phase that waits for a person's word, or None."""
        found = [phase for phase in self.phases if phase.place == NEXT and phase.needs_approval]
        return next((phase for phase in found if phase.approval is None), None)

    @property
    def offered(self) -> int:
        """How many robots have been offered the release."""
        return 0 if self.counts is None else sum(self.counts.statuses.values())

    @property
    def installed(self) -> int:
        """How many run it, confirmed."""
        return 0 if self.counts is None else self.counts.statuses.get(Status.INSTALLED, 0)

    @property
    def running(self) -> int:
        """How many run it still."""
        return 0 if self.counts is None else self.counts.detail.running

    @property
    def way_back_id(self) -> str | None:
        """The rollout that leads robots back from it, None where none does."""
        return None if self.counts is None else self.counts.detail.way_back_id

    @property
    def unreached(self) -> int:
        """How many robots of the sku have not been offered it."""
        return max(0, (self.robots or 0) - self.offered)


async def rollout_view(services: Services, snapshots: Snapshots, rollout_id: str) -> RolloutView:
    """Gather what the page shows.

    Raises:
        Refused: `not-found-rollout`.
    """
    # Known before anything is counted: an address that somebody made up must not become a count that is kept.
    await services.read(lambda rows: find_rollout(rows, rollout_id))
    fleet, counts, who = await asyncio.gather(
        fleet_counts(services, snapshots),
        snapshots.get(("rollout", rollout_id), lambda rows: _count(rows, rollout_id)),
        snapshots.get(("waiting", rollout_id), lambda rows: waiting(rows, rollout_id, services.now_s())),
    )
    return await services.read(lambda rows: _view(rows, rollout_id, fleet, counts, who))


def find_rollout(rows: Rows, rollout_id: str) -> tuple[Rollout, Release]:
    """Return a rollout with its release; `Refused` (`not-found-rollout`)."""
    rollout = rows.get(Rollout, rollout_id)
    release = None if rollout is None else rows.get(Release, rollout.release_id)
    if rollout is None or release is None:
        raise Refused("not-found-rollout", f"There is no rollout {rollout_id}: list the rollouts.")
    return rollout, release


def _count(rows: Rows, rollout_id: str) -> RolloutCounts:
    return RolloutCounts(
        statuses=rows.count_by_status(rollout_id),
        codes=tuple(rows.count_codes(rollout_id)),
        detail=rollout_detail(rows, find_rollout(rows, rollout_id)[0]),
    )


def _view(
    rows: Rows,
    rollout_id: str,
    fleet: FleetCounts | None,
    counts: RolloutCounts | None,
    who: Waiting | None,
) -> RolloutView:
    rollout, release = find_rollout(rows, rollout_id)
    approvals = {approval.phase: approval for approval in approvals_of(rows, rollout_id)}
    robots = None if fleet is None else 1 if rollout.only_robot_id else fleet.by_sku.get(rollout.sku, 0)
    return RolloutView(
        rollout=rollout,
        release=release,
        phases=tuple(
            _phase(rollout, index, fleet, robots, approvals.get(index)) for index in range(len(rollout.plan.phases))
        ),
        counts=counts,
        holds=() if counts is None else holds(counts.codes),
        waiting=who,
        gate=gate_part(gate_view(rows, rollout_id), evidence_of(rows, rollout).evidence, rollout.plan.gates.margins),
        alarms=tuple(rows.find(Alarm, rollout_id=rollout_id)),
        robots=robots,
        changes=tuple(reversed(changes_of(rows, rollout_id))),
        incident=open_incident_of(rows, rollout_id),
        goes_on_in_s=goes_on_in_s(rollout),
    )


def _phase(
    rollout: Rollout, index: int, fleet: FleetCounts | None, robots: int | None, approval: Approval | None
) -> PhaseView:
    phase = rollout.plan.phases[index]
    standing = None if fleet is None else fleet.phases.get((rollout.rollout_id, index), Standing())
    reached = _reached(phase, robots)
    added = None if reached is None else max(0, reached - (_reached_before(rollout, index, robots) or 0))
    finished = rollout.state is RolloutState.FINISHED
    place = PASSED if index < rollout.phase or finished else OPEN if index == rollout.phase else NEXT
    if added is not None and standing is not None:
        # Chance puts more or fewer robots into a percentage; behind a passed door it is known how many.
        added = standing.offered if place == PASSED else max(added, standing.offered)
    return PhaseView(
        name=phase.name,
        who=", ".join(phase.robots) if phase.robots else f"{phase.percent:g} %",
        soak_s=phase.soak_s,
        place=place,
        robots=added,
        standing=standing,
        segments=() if standing is None else tuple(bar_of(standing, added or 0)),
        soaked=tuple(segments_of([(words.QUIET, rollout.soaked_s)], phase.soak_s))
        if place == OPEN and phase.soak_s
        else (),
        needs_approval=phase.approval,
        approval=approval,
    )


def _reached(phase: Phase, robots: int | None) -> int | None:
    if robots is None:
        return None
    return len(phase.robots) if phase.robots else round(robots * phase.percent / 100)


def _reached_before(rollout: Rollout, index: int, robots: int | None) -> int | None:
    return max((_reached(phase, robots) or 0 for phase in rollout.plan.phases[:index]), default=0)


def holds(codes: tuple[CodeCount, ...]) -> tuple[Hold, ...]:
    """Return who ended without the release, and why, the most first."""
    found = [
        Hold(status=count.status, code=count.code, count=count.count, sentence=words.refusal(count.code))
        for count in codes
        if count.status in ENDED
    ]
    return tuple(sorted(found, key=lambda hold: (-hold.count, hold.status, hold.code or "")))


def counted(statuses: Mapping[Status, int]) -> list[tuple[Status, int]]:
    """Return the statuses that some robot has, in the order of their importance."""
    return [(status, statuses[status]) for status in Status if statuses.get(status)]
