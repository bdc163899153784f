"""Triggers: facts about updated robots that halt a rollout at once, without statistics.

Each function looks at what happened since a robot runs the release and returns the trigger with its evidence, or None.
All times are seconds of one clock, the server's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from surefoot.rollout.durations import span_text

REBOOTS_MAX = 3
REBOOTS_WITHIN_S = 300.0
DTLS_FAILED_PERCENT_MAX = 5
# One robot that tries again and again weighs no more than one that tried so often.
HANDSHAKES_PER_ROBOT_MAX = 20
# The robot is the unit: what one robot alone can say is never enough.
HANDSHAKES_MIN = 2 * HANDSHAKES_PER_ROBOT_MAX
FAILING_ROBOTS_MIN = 2
DRAIN_TIMES_MAX = 2.0
DISCHARGING_MIN_S = 3600.0
SILENCE_MAX_S = 60.0
NAMED_MAX = 5


class Trigger(StrEnum):
    """What halts a rollout at once."""

    SAFETY_STOP = "safety-stop"
    BOOT_LOOP = "boot-loop"
    DTLS_FAILURES = "dtls-failures"
    BATTERY_DRAIN = "battery-drain"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """A trigger that fired, the robots that fired it, and the evidence in a sentence."""

    trigger: Trigger
    robot_ids: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyStop:
    """An emergency stop; `by_operator` when a person pressed or commanded it."""

    at_s: float
    by_operator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes:
    """One robot's DTLS handshakes since it runs the release."""

    robot_id: str
    tried: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Battery drain, in any one unit per hour of discharging: before the rollout began, and since the update.

    The `others_` are means over robots of the same stratum that do not run the release, over the same two times.
    `discharging_s` is how long the robot ran on its battery since the update; time on the charger is left out of all.
    """

    robot_id: str
    before: float
    since: float
    others_before: float
    others_since: float
    discharging_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """When a robot came online, None while it is offline, and when it last sent diagnostics, None if never."""

    robot_id: str
    updated_at_s: float
    online_since_s: float | None
    diagnostics_at_s: float | None


def safety_stop(robot_id: str, stops: Sequence[SafetyStop], updated_at_s: float) -> Tripped | None:
    """One emergency stop without an operator's action."""
    own = [stop for stop in stops if stop.at_s >= updated_at_s and not stop.by_operator]
    if not own:
        return None
    after_s = own[0].at_s - updated_at_s
    sentence = f"{robot_id} made a safety stop without an operator {span_text(after_s)} after its update."
    return Tripped(trigger=Trigger.SAFETY_STOP, robot_ids=(robot_id,), sentence=sentence)


def boot_loop(robot_id: str, reboots_s: Sequence[float], updated_at_s: float) -> Tripped | None:
    """More than three reboots within five minutes, not counting the one that the update made."""
    times = sorted(at_s for at_s in reboots_s if at_s > updated_at_s)
    for first_s, last_s in zip(times, times[REBOOTS_MAX:], strict=False):
        if last_s - first_s <= REBOOTS_WITHIN_S:
            count = sum(first_s <= at_s <= first_s + REBOOTS_WITHIN_S for at_s in times)
            sentence = f"{robot_id} restarted {count} times within 5 minutes; {REBOOTS_MAX} are allowed."
            return Tripped(trigger=Trigger.BOOT_LOOP, robot_ids=(robot_id,), sentence=sentence)
    return None


def dtls_failures(robots: Sequence[Handshakes]) -> Tripped | None:
    """More than 5 % of the updated robots' handshakes failed, on two robots or more, of at least forty tried."""
    tried, failed = Fraction(0), Fraction(0)
    for robot in robots:
        weight = Fraction(min(robot.tried, HANDSHAKES_PER_ROBOT_MAX), max(robot.tried, 1))
        tried += weight * robot.tried
        failed += weight * robot.failed
    failing = [robot for robot in robots if robot.failed]
    is_allowed = failed * 100 <= DTLS_FAILED_PERCENT_MAX * tried
    if len(failing) < FAILING_ROBOTS_MIN or tried < HANDSHAKES_MIN or is_allowed:
        return None
    worst = sorted(failing, key=lambda robot: (-robot.failed, robot.robot_id))
    counts = f"{sum(robot.failed for robot in robots)} of {sum(robot.tried for robot in robots)}"
    named = ", ".join(robot.robot_id for robot in worst[:NAMED_MAX]) + (", …" if len(worst) > NAMED_MAX else "")
    share = f"{float(failed / tried):.1%} with each robot's weight limited, {DTLS_FAILED_PERCENT_MAX} % is allowed"
    sentence = f"{counts} DTLS handshakes failed on {len(worst)} updated robots ({named}): {share}."
    ids = tuple(robot.robot_id for robot in worst)
    return Tripped(trigger=Trigger.DTLS_FAILURES, robot_ids=ids, sentence=sentence)


def battery_drain(drain: Drain) -> Tripped | None:
    """More than twice the robot's own drain before, and more than twice what the control group's change explains."""
    if drain.discharging_s < DISCHARGING_MIN_S or drain.before <= 0:
        return None
    usual = max(1.0, drain.others_since / drain.others_before) if drain.others_before > 0 else 1.0
    if drain.since <= DRAIN_TIMES_MAX * drain.before * usual:
        return None
    times = f"{drain.since / drain.before:.1f} times as fast as before its update"
    sentence = f"{drain.robot_id} drains its battery {times}, other robots {usual:.1f} times."
    return Tripped(trigger=Trigger.BATTERY_DRAIN, robot_ids=(drain.robot_id,), sentence=sentence)


def silent(presence: Presence, now_s: float) -> Tripped | None:
    """No diagnostics for more than a minute while the robot is online."""
    if presence.online_since_s is None:
        return None
    since_s = max(presence.online_since_s, presence.updated_at_s, presence.diagnostics_at_s or 0.0)
    if now_s - since_s <= SILENCE_MAX_S:
        return None
    sentence = f"{presence.robot_id} is online and has sent no diagnostics for {span_text(now_s - since_s)}."
    return Tripped(trigger=Trigger.SILENT, robot_ids=(presence.robot_id,), sentence=sentence)


def is_lost(trial_at_s: float, heard_at_s: float | None, deadline_s: float, now_s: float) -> bool:
    """Whether a robot that booted the release was not heard from since, for longer than the deadline: it failed."""
    return (heard_at_s is None or heard_at_s < trial_at_s) and now_s - trial_at_s > deadline_s
