"""The MQTT topics of a robot, each below its own id.

A robot publishes and subscribes under its own id only; the broker's rules hold it there, and the server looks again.
"""

from surefoot.wire import limits
from surefoot.wire.fields import NAME_CHARS

ROOT = "fleet"
COMMAND = "commands/ota"
REPORT = "report"
HEALTH = "health"
DIAGNOSTICS = "diagnostics"
ONLINE = "online"
LEAVES = (COMMAND, REPORT, HEALTH, DIAGNOSTICS, ONLINE)
# What a robot says; the others are said to it.
FROM_ROBOTS = (REPORT, HEALTH, DIAGNOSTICS, ONLINE)
# In place of an id: every robot, in the filter of a subscription or of a broker's rule.
ANY_ROBOT = "+"

# The retained words on the online topic; the second is the robot's last will.
IS_ONLINE = b"1"
IS_OFFLINE = b"0"


def topic_of(robot_id: str, leaf: str) -> str:
    """Return the topic of one robot, or the filter for all with `ANY_ROBOT` in place of an id."""
    return f"{ROOT}/{robot_id}/{leaf}"


def command_topic(robot_id: str) -> str:
    """Return where a robot hears commands (`wire.command`)."""
    return topic_of(robot_id, COMMAND)


def report_topic(robot_id: str) -> str:
    """Return where a robot says its reports (`wire.report`)."""
    return topic_of(robot_id, REPORT)


def health_topic(robot_id: str) -> str:
    """Return where a robot says its health windows (`wire.health`)."""
    return topic_of(robot_id, HEALTH)


def diagnostics_topic(robot_id: str) -> str:
    """Return where a robot's bridge says its diagnostics (`wire.diagnostics`)."""
    return topic_of(robot_id, DIAGNOSTICS)


def online_topic(robot_id: str) -> str:
    """Return where a robot is said to be online: retained `1`, and `0` as its last will."""
    return topic_of(robot_id, ONLINE)


def robot_topic(topic: str) -> "tuple[str, str] | None":
    """Return the robot_id and the leaf of a robot's topic, or None where it is no topic that a robot can have."""
    parts = topic.split("/", 2)
    if len(parts) != 3 or parts[0] != ROOT or parts[2] not in LEAVES:
        return None
    return (parts[1], parts[2]) if fits_topic(parts[1]) else None


def fits_topic(robot_id: str) -> bool:
    """Whether this can be a robot_id, and so one level of a topic: it has none of `/`, `+`, `#` and `$`."""
    return 0 < len(robot_id) <= limits.ROBOT_ID_CHARS_MAX and not robot_id.strip(NAME_CHARS)
