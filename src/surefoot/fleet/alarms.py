"""Alarms: a trigger fired. The row closes the rollout's doors at once, and the engine's next look halts it."""

from dataclasses import dataclass, replace

from surefoot.fleet.ports import Rows
from surefoot.rollout.triggers import Trigger, Tripped

# For so long behind its end an alarm stops a rollout; later ones are kept with it, and are the robot's own matter.
AFTERCARE_S = 7 * 24 * 3600.0
# What no robot shows alone.
COHORT = (Trigger.DTLS_FAILURES, Trigger.BATTERY_DRAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One trigger of one rollout, fired by one robot or by several together; `at_s` is in Unix seconds.

    `is_open` until a person resumes the rollout. It is never raised a second time: who resumed has accepted it. One
    that came long after the rollout's end was never open.
    """

    alarm_id: str
    rollout_id: str
    trigger: Trigger
    robot_ids: tuple[str, ...]
    sentence: str
    at_s: float
    is_open: bool = True


def raise_alarm(rows: Rows, rollout_id: str, tripped: Tripped, now_s: float, *, is_open: bool = True) -> None:
    """Keep that a trigger fired; the same one of the same robot again changes nothing."""
    # Of a robot alone, or of the cohort: whichever robots were worst in it just now.
    whose = "*" if tripped.trigger in COHORT else tripped.robot_ids[0]
    alarm_id = f"{rollout_id}/{whose}/{tripped.trigger}"
    if rows.get(Alarm, alarm_id) is None:
        rows.put(
            Alarm(
                alarm_id=alarm_id,
                rollout_id=rollout_id,
                trigger=tripped.trigger,
                robot_ids=tripped.robot_ids,
                sentence=tripped.sentence,
                at_s=now_s,
                is_open=is_open,
            )
        )


def open_alarm(rows: Rows, rollout_id: str) -> Alarm | None:
    """Return the first alarm of a rollout that nobody has accepted, or None."""
    found = rows.find(Alarm, limit=1, rollout_id=rollout_id, is_open=True)
    return found[0] if found else None


def accept_alarms(rows: Rows, rollout_id: str) -> None:
    """Let a rollout go on in spite of the alarms there are."""
    for alarm in rows.find(Alarm, rollout_id=rollout_id, is_open=True):
        rows.put(replace(alarm, is_open=False))
