"""The file in which the ROS 2 node says how the robot is, for the agent's pre-flight and the checks of its trial.

A file older than `FRESH_S`, or of an earlier start of the machine, says nothing: the update waits, and a check fails.
"""

import json
import time
from pathlib import Path
from typing import Any

from surefoot.agent.preflight import Conditions
from surefoot.wire.errors import Interrupted

FRESH_S = 10.0
LOOK_AGAIN_S = 0.5
# Longer than the agent gives any check.
CHECK_TIMEOUT_S = 30.0
CODE = "interrupted-conditions"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def uptime_s() -> float:
    """Return seconds since the machine started, the same for every process and never falling."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def write_conditions(path: Path, conditions: Conditions, checks: dict[str, bool]) -> None:
    """Say how the robot is now. Not durably: after a power cut nothing in it is true any more."""
    said = {
        "boot_id": BOOT_ID.read_text(encoding="ascii").strip(),
        "uptime_s": uptime_s(),
        "conditions": {name: getattr(conditions, name) for name in conditions.__slots__},
        "checks": checks,
    }
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(said), encoding="utf-8")
    beside.replace(path)


def read_conditions(path: Path) -> dict[str, Any]:
    """Return what was said last, with `conditions` and `checks`.

    Raises:
        Interrupted: `interrupted-conditions` when nothing was said lately.
    """
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        boot_id, age_s = said["boot_id"], uptime_s() - float(said["uptime_s"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Interrupted(CODE, f"{path} does not say how the robot is ({error}): start the ROS 2 node.") from error
    if boot_id != BOOT_ID.read_text(encoding="ascii").strip() or not 0 <= age_s <= FRESH_S:
        raise Interrupted(CODE, f"{path} was not renewed for {FRESH_S:g} s: look at the ROS 2 node.")
    return said


def await_check(path: Path, check: str, timeout_s: float = CHECK_TIMEOUT_S) -> None:
    """Return once a check of the trial passes; the robot's nodes may be starting still.

    Raises:
        Interrupted: `interrupted-conditions`, `trial-failed-…` when it does not in this time.
    """
    until_s = time.monotonic() + timeout_s
    while True:
        failed = Interrupted(f"trial-failed-{check}", f"{path} says that the check {check} does not pass.")
        try:
            if read_conditions(path)["checks"].get(check) is True:
                return
        except Interrupted as error:
            failed = error
        if time.monotonic() >= until_s:
            raise failed
        time.sleep(LOOK_AGAIN_S)
