"""Which rollout a robot's words count for, and as what: kept up with its assignments as they change."""

from dataclasses import replace

from msgspec.structs import replace as altered

from surefoot.fleet.health_sums import Quarter, Totals
from surefoot.fleet.model import Assignment, Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.robot_health import Arm, Place, RobotHealth, Signs, Sums

# Its own reboot, its first connection and its warming up are no evidence of how it runs a release.
SETTLING_S = 3600.0
# Newer rollouts of a sku than this many are not looked behind.
ROLLOUTS_LOOKED_AT = 8
_ENDED = (Status.INSTALLED, Status.ROLLED_BACK, Status.REFUSED, Status.DRIFTED, Status.SUPERSEDED)
_RUNS_IT = (Status.ON_TRIAL, Status.INSTALLED)
# In these of another rollout's assignment a robot still runs what it ran.
_RUNS_THE_OLD = (Status.WAITING, Status.DOWNLOADING, Status.VERIFYING, Status.REFUSED)


def counting_rollout(rows: Rows, sku: str) -> Rollout | None:
    """Return the rollout that a sku's robots count for: the newest that goes on, or else the newest that is halted.

    While a newer one goes on, an older one has no evidence of its own. On the way back nothing is judged, nor where one
    robot is updated alone.
    """
    known = [
        rollout
        for rollout in rows.find(Rollout, newest_first=True, limit=ROLLOUTS_LOOKED_AT, sku=sku, only_robot_id=None)
        if rollout.rolls_back is None and rollout.state is not RolloutState.FINISHED
    ]
    going_on = (rollout for rollout in known if rollout.state is not RolloutState.HALTED)
    return next(going_on, known[0] if known else None)


class Counting:
    """Which rollout each sku's robots count for, looked up once; good for one tick of the engine."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._rollout_ids: dict[str, str | None] = {}

    def rollout_id(self, sku: str) -> str | None:
        """Return the id of `counting_rollout`, None for none."""
        if sku not in self._rollout_ids:
            found = counting_rollout(self._rows, sku)
            self._rollout_ids[sku] = None if found is None else found.rollout_id
        return self._rollout_ids[sku]


def placed_now(rows: Rows, health: RobotHealth, now_s: float) -> RobotHealth:
    """Return a robot's row in the place that it has now, with an empty quarter wherever that is a new one."""
    rollout = counting_rollout(rows, health.sku)
    rollout_id = "" if rollout is None else rollout.rollout_id
    if health.place.rollout_id != rollout_id:
        health = _entered(rows, health, rollout_id, now_s)
    arm = health.place.arm_at(now_s)
    if arm is health.place.arm:
        return health
    sums = altered(health.sums, quarter=Quarter(), quarter_before=Quarter())
    return replace(health, place=altered(health.place, arm=arm), sums=sums)


def follow(rows: Rows, assignment: Assignment, now_s: float) -> None:
    """Keep a robot's place up with its assignment, which was made or changed just now; robots never heard have none."""
    health = rows.get(RobotHealth, assignment.robot_id)
    if health is not None:
        rows.put(_followed(rows, placed_now(rows, health, now_s), assignment))


def _followed(rows: Rows, health: RobotHealth, assignment: Assignment) -> RobotHealth:
    place, signs = health.place, health.signs
    if place.rollout_id == assignment.rollout_id:
        place = _offered(place, assignment)
    since_update = health.sums.since_update
    if assignment.status in _RUNS_IT and signs.updated_by != assignment.rollout_id:
        facts = rows.facts(assignment.robot_id)
        boot = -1 if facts is None else facts.report.boot
        at_s = assignment.status_since_s
        signs = altered(signs, updated_by=assignment.rollout_id, updated_at_s=at_s, updated_boot=boot)
        since_update = Totals()
    # Silence says nothing new of what runs.
    elif signs.updated_by and assignment.status not in (*_RUNS_IT, Status.SILENT) and not _keeps(signs, assignment):
        signs = altered(signs, updated_by="", updated_at_s=None, updated_boot=-1)
    return replace(health, place=place, signs=signs, sums=altered(health.sums, since_update=since_update))


def _keeps(signs: Signs, assignment: Assignment) -> bool:
    """Whether a robot still runs the release it was updated to while another rollout has begun with it."""
    return signs.updated_by != assignment.rollout_id and assignment.status in _RUNS_THE_OLD


def _offered(place: Place, assignment: Assignment) -> Place:
    settles_at_s = place.settles_at_s
    if assignment.status not in _ENDED:
        settles_at_s = settles_at_s if assignment.status is Status.SILENT else None
    elif settles_at_s is None:
        settles_at_s = assignment.status_since_s + SETTLING_S
    return altered(place, offered_at_s=assignment.assigned_at_s, settles_at_s=settles_at_s)


def _entered(rows: Rows, health: RobotHealth, rollout_id: str, now_s: float) -> RobotHealth:
    """Return the row at the beginning of a rollout, or of the time between two; what was told before becomes usual."""
    left = rows.get(Rollout, health.place.rollout_id)
    told = health.sums.others
    # What a release did that was never found good is not what is usual.
    if left is not None and left.state is RolloutState.FINISHED:
        told = told.plus(health.sums.updated)
    before = health.sums.before.remembered(told)
    facts = rows.facts(health.robot_id)
    version = None if facts is None else facts.report.running.version
    place = Place(rollout_id=rollout_id, stratum=f"{version or '?'}/{_activity(before)}", since_s=now_s, arm=Arm.OTHERS)
    sums = Sums(before=before, since_update=health.sums.since_update)
    entered = replace(health, place=place, sums=sums)
    newest = rows.newest_assignment(health.robot_id)
    return entered if newest is None else _followed(rows, entered, newest)


def _activity(before: Totals) -> str:
    """Return how much of the time the robot tells about itself, in three classes."""
    if not before.span_s:
        return "?"
    share = before.told_s / before.span_s
    return "low" if share < 1 / 3 else "middle" if share < 2 / 3 else "high"
