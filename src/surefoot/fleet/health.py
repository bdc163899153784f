"""Taking what robots tell of their health: each message is folded into its robot's row, and may fire a trigger."""

from dataclasses import replace

from msgspec.structs import replace as altered

from surefoot.fleet.alarms import AFTERCARE_S, raise_alarm
from surefoot.fleet.health_place import placed_now
from surefoot.fleet.health_sums import Quarter, Totals, quarter_at, totals_of, within_time
from surefoot.fleet.model import Facts, Robot, Rollout, RolloutState
from surefoot.fleet.ports import Rows
from surefoot.fleet.robot_health import Arm, RobotHealth, Signs, Sums
from surefoot.fleet.rollout_history import ended_at_s
from surefoot.rollout import outcomes, triggers
from surefoot.rollout.metrics import Metric
from surefoot.rollout.triggers import Presence, SafetyStop, Tripped
from surefoot.wire.health import HealthSums, HealthWindow
from surefoot.wire.report import Report

__all__ = ["RobotHealth", "note_report", "take_folded", "take_health"]

REBOOTS_KEPT = 8
# A robot at rest reports every few hours, and sends windows every minute: longer pauses than these are absences.
REPORTS_PAUSE_S = 8 * 3600.0
WINDOWS_PAUSE_S = 1800.0
ABSENCE_KEPT_S = 28 * 24 * 3600.0
# Whose windows were counted for so long shows by them how long it may be away; of others that is assumed.
WINDOWS_KNOWN_S = 24 * 3600.0
ABSENCE_ASSUMED_S = 4 * 3600.0


def take_health(rows: Rows, robot_id: str, window: HealthWindow, now_s: float) -> bool:
    """Count a robot's window; False when it was counted before, came too late or is of no robot of the fleet.

    The caller has made sure that it is the robot's own word.
    """
    health = health_of(rows, robot_id, now_s)
    if health is None or window.epoch == health.signs.past_epoch:
        return False
    signs = health.signs
    if window.epoch == signs.epoch and (window.boot, window.number) <= (signs.boot, signs.number):
        return False
    before_update = window.epoch == signs.epoch and window.boot < signs.updated_boot
    booted = _booted(health, window.epoch, window.boot, signs.told_at_s, now_s)
    _take(rows, booted, window.sums, now_s, before_update=before_update, number=window.number)
    return True


def take_folded(rows: Rows, robot_id: str, sums: HealthSums, now_s: float) -> None:
    """Count a window that the server folded itself from a robot's diagnostics."""
    health = health_of(rows, robot_id, now_s)
    if health is not None:
        _take(rows, health, sums, now_s, before_update=False, number=health.signs.number)


def note_report(rows: Rows, report: Report, known: Facts | None, now_s: float) -> None:
    """Keep what a new report tells beside its facts, `known` until now: restarts, and how long the robot was away.

    To be called before the report is judged: the restart that an update made comes before the robot counts as updated.
    """
    if known is None:
        return
    away_s = now_s - known.heard_at_s
    rose = report.epoch == known.report.epoch and report.boot > known.report.boot
    if not rose and away_s < REPORTS_PAUSE_S:
        return
    health = health_of(rows, report.robot_id, now_s)
    if health is None:
        return
    if rose:
        if health.signs.epoch != report.epoch:
            before = health.signs
            boot = known.report.boot
            signs = altered(before, epoch=report.epoch, past_epoch=before.epoch, boot=boot, number=-1)
            health = replace(health, signs=signs)
        health = _booted(health, report.epoch, report.boot, known.heard_at_s, now_s)
        fire(rows, health, _boot_loop(health), now_s)
    rows.put(_absent(health, away_s, REPORTS_PAUSE_S, now_s))


def return_deadline_s(health: RobotHealth | None) -> float:
    """Return how long after its trial boot a robot may be away before it counts as not returned."""
    if health is None:
        return outcomes.return_deadline_s(ABSENCE_ASSUMED_S)
    told_s = health.sums.before.told_s + health.sums.others.told_s
    least_s = 0.0 if told_s >= WINDOWS_KNOWN_S else ABSENCE_ASSUMED_S
    return outcomes.return_deadline_s(max(health.signs.absence_s, least_s))


def health_of(rows: Rows, robot_id: str, now_s: float) -> RobotHealth | None:
    """Return the row of an enrolled robot in the place that it has now; None for one that the fleet does not know."""
    health = rows.get(RobotHealth, robot_id)
    if health is None:
        robot: Robot | None = rows.robot(robot_id)
        if robot is None:
            return None
        health = RobotHealth(robot_id=robot_id, sku=robot.sku)
    return placed_now(rows, health, now_s)


def event(health: RobotHealth, metric: Metric, now_s: float) -> RobotHealth:
    """Return the row with a first event, where the robot is in an arm and had none yet."""
    place = health.place
    if metric in place.first_s or place.arm is Arm.SETTLING:
        return health
    return replace(health, place=altered(place, first_s={**place.first_s, metric: now_s}))


def _take(rows: Rows, health: RobotHealth, sums: HealthSums, now_s: float, *, before_update: bool, number: int) -> None:
    signs = health.signs
    span_s = 0.0 if signs.told_at_s is None else max(0.0, now_s - signs.told_at_s)
    # What a report or the boot counter told of is not told again.
    health = _rebooted(health, sums.reboots - signs.reboots_told, max(now_s - sums.length_s, 0.0), now_s)
    told, until_s = within_time(sums, signs.told_until_s, now_s)
    health = _counted(health, totals_of(told, span_s), now_s, runs_it=bool(signs.updated_by) and not before_update)
    health = _absent(_spoken(rows, health, sums, now_s), span_s - sums.length_s, WINDOWS_PAUSE_S, now_s)
    if sums.error_s:
        health = event(health, Metric.ERROR, now_s)
    if sums.stops_other:
        health = event(health, Metric.SAFETY_STOP, now_s)
        if not before_update:
            fire(rows, health, _safety_stop(health, now_s), now_s)
    fire(rows, health, _boot_loop(health), now_s)
    signs = altered(health.signs, number=number, told_at_s=now_s, told_until_s=until_s, reboots_told=0)
    rows.put(replace(health, signs=signs))


def _spoken(rows: Rows, health: RobotHealth, sums: HealthSums, now_s: float) -> RobotHealth:
    """Return the row with how long the robot has sent windows without a word of diagnostics in them."""
    signs = health.signs
    if sums.ok_s + sums.warn_s + sums.error_s + sums.stale_s > 0:
        return replace(health, signs=altered(signs, diagnostics_at_s=now_s, untold_s=0.0))
    untold_s = signs.untold_s + sums.length_s
    health = replace(health, signs=altered(signs, untold_s=untold_s))
    return silence(rows, health, now_s - untold_s, signs.diagnostics_at_s, now_s)


def silence(
    rows: Rows, health: RobotHealth, online_since_s: float | None, diagnostics_at_s: float | None, now_s: float
) -> RobotHealth:
    """Return the row with the event that a robot went silent, if it did, and fire the trigger if it was updated.

    Who never sent diagnostics has nothing that could fall silent.
    """
    if health.signs.diagnostics_at_s is None:
        return health
    presence = Presence(
        robot_id=health.robot_id,
        updated_at_s=health.signs.updated_at_s or 0.0,
        online_since_s=online_since_s,
        diagnostics_at_s=diagnostics_at_s,
    )
    tripped = triggers.silent(presence, now_s)
    if tripped is None:
        return health
    if health.signs.updated_at_s is not None:
        fire(rows, health, tripped, now_s)
    return event(health, Metric.SILENT, now_s)


def _counted(health: RobotHealth, told: Totals, now_s: float, *, runs_it: bool) -> RobotHealth:
    sums, arm, number = health.sums, health.place.arm, quarter_at(now_s)
    if runs_it:
        sums = altered(sums, since_update=sums.since_update.plus(told))
    if not health.place.rollout_id:
        return replace(health, sums=altered(sums, before=sums.before.remembered(told)))
    if arm is Arm.SETTLING:
        return replace(health, sums=sums)
    if arm is Arm.OTHERS:
        sums = altered(sums, others=sums.others.plus(told))
    else:
        sums = altered(sums, updated=sums.updated.plus(told))
    return replace(health, sums=_in_quarter(sums, number, told))


def _in_quarter(sums: Sums, number: int, told: Totals) -> Sums:
    if number == sums.quarter.number:
        return altered(sums, quarter=sums.quarter.plus(told))
    return altered(sums, quarter=Quarter(number=number).plus(told), quarter_before=sums.quarter)


def _booted(health: RobotHealth, epoch: str, boot: int, since_s: float | None, now_s: float) -> RobotHealth:
    """Return the row with the boot counter where the robot says it is, and the restarts that this tells of."""
    signs = health.signs
    if epoch != signs.epoch:
        signs = altered(signs, epoch=epoch, past_epoch=signs.epoch, boot=boot, number=-1)
        signs = altered(signs, updated_boot=-1, untold_s=0.0)
        return replace(health, signs=signs)
    if boot <= signs.boot:
        return health
    # The first boot that is heard of tells of no restart.
    count = boot - signs.boot if signs.boot >= 0 else 0
    health = _rebooted(health, count, now_s if since_s is None else since_s, now_s)
    told = health.signs.reboots_told + count
    return replace(health, signs=altered(health.signs, boot=boot, number=-1, reboots_told=told, untold_s=0.0))


def _rebooted(health: RobotHealth, count: int, since_s: float, now_s: float) -> RobotHealth:
    """Return the row with restarts, spread over the time in which they were: several in a long absence are no loop."""
    if count <= 0:
        return health
    told = min(count, REBOOTS_KEPT)
    step_s = max(0.0, now_s - since_s) / count
    times_s = tuple(now_s - step_s * behind for behind in range(told - 1, -1, -1))
    signs = altered(health.signs, reboots_s=(*health.signs.reboots_s, *times_s)[-REBOOTS_KEPT:])
    return event(replace(health, signs=signs), Metric.REBOOT, now_s)


def _absent(health: RobotHealth, away_s: float, noted_s: float, now_s: float) -> RobotHealth:
    """Return the row with how long the robot was away, if that is worth a note and the longest of the last weeks."""
    signs = health.signs
    is_longest = away_s > signs.absence_s or now_s - signs.absence_at_s > ABSENCE_KEPT_S
    if away_s < noted_s or not is_longest:
        return health
    return replace(health, signs=altered(signs, absence_s=away_s, absence_at_s=now_s))


def _safety_stop(health: RobotHealth, now_s: float) -> Tripped | None:
    if health.signs.updated_at_s is None:
        return None
    stop = SafetyStop(at_s=max(now_s, health.signs.updated_at_s), by_operator=False)
    return triggers.safety_stop(health.robot_id, [stop], health.signs.updated_at_s)


def _boot_loop(health: RobotHealth) -> Tripped | None:
    signs: Signs = health.signs
    if signs.updated_at_s is None:
        return None
    return triggers.boot_loop(health.robot_id, signs.reboots_s, signs.updated_at_s)


def fire(rows: Rows, health: RobotHealth, tripped: Tripped | None, now_s: float) -> None:
    """Raise the alarm of a trigger of the rollout that updated the robot, unless that halted already."""
    if tripped is None:
        return
    rollout = rows.get(Rollout, health.signs.updated_by)
    if rollout is None or rollout.rolls_back is not None or rollout.state is RolloutState.HALTED:
        return
    is_late = rollout.state is RolloutState.FINISHED and now_s - ended_at_s(rows, rollout.rollout_id) > AFTERCARE_S
    raise_alarm(rows, rollout.rollout_id, tripped, now_s, is_open=not is_late)
