"""What the values of a diagnostics' status mean.

They are strings, in an object or as ROS's array of `key` and `value`. These keys are known, the others are not read,
and a value that makes no sense is as good as none:

- `percentage`, of a status with `battery` in its name: of the charge, 0 to 100; of several batteries the emptiest.
- `charging`, or `power_supply_status` as a word or as ROS's number: on the charger, full included.
- `estop_active`, `emergency_stop`: the robot is in a safety stop.
- `estop_by_operator`, or `estop_source` as one of `OPERATORS`: an operator made that stop. Nothing said means that none
  did. What `message` says is for people and never read.
- `rate_hz`, of a status named `…/topic/NAME`: how often something is published on the topic NAME.
- `dtls_tried`, `dtls_failed`: handshakes since the start of whatever counts them; of several links their sum.
- `boot_count`: the times the robot was started; `uptime_s`: the seconds since.
"""

from surefoot.wire import limits
from surefoot.wire.health import is_topic_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TRUE_WORDS = ("true", "1", "yes", "on")
FALSE_WORDS = ("false", "0", "no", "off")
OPERATORS = ("operator", "user", "person", "manual", "button", "remote", "pendant", "joystick", "gamepad")
# POWER_SUPPLY_STATUS_… of sensor_msgs/BatteryState.
ON_CHARGER = ("1", "charging", "4", "full")
OFF_CHARGER = ("2", "discharging", "3", "not_charging", "not charging")
_TOPIC_MARK = "/topic/"


class Told:
    """What the known values of a message's statuses say so far: fields of `Diagnostics`, filled by `read_values`."""

    def __init__(self) -> None:
        self.battery_percent: "float | None" = None
        self.charging: "bool | None" = None
        self.estop_active: "bool | None" = None
        self.estop_by_operator: "bool | None" = None
        self.topics: "list[tuple[str, float]]" = []
        self.dtls_tried: "int | None" = None
        self.dtls_failed: "int | None" = None
        self.boot_count: "int | None" = None
        self.uptime_s: "float | None" = None


def read_values(told: Told, name: str, values: "dict[str, Any]") -> bool:
    """Put into `told` what the values of the status of this name say; return whether that was anything known."""
    is_known = False
    for key, told_value in values.items():
        known = _KNOWN.get(key)
        if known is None:
            continue
        field, read, join = known
        value = read(told_value)
        if value is None:
            continue
        if field == "rate_hz":
            at = name.find(_TOPIC_MARK)
            topic = name[at + len(_TOPIC_MARK) :]
            if at < 0 or not is_topic_name(topic) or len(told.topics) >= limits.TOPICS_MAX:
                continue
            told.topics.append((topic, value))
        elif field != "battery_percent" or "battery" in name.lower():
            before = getattr(told, field)
            setattr(told, field, value if before is None else join(before, value))
        else:
            continue
        is_known = True
    return is_known


def _number(value: object, maximum: float) -> "float | None":
    # Bridges write strings; a number as such is as clear.
    if not isinstance(value, str) and (isinstance(value, bool) or not isinstance(value, (int, float))):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= maximum else None


def _percent(value: object) -> "float | None":
    return _number(value, 100)


def _rate(value: object) -> "float | None":
    return _number(value, limits.RATE_HZ_MAX)


def _count(value: object) -> "int | None":
    number = _number(value, limits.INTEGER_MAX)
    return None if number is None else int(number)


def _seconds(value: object) -> "float | None":
    return _number(value, limits.INTEGER_MAX)


def _meanings(yes: "tuple[str, ...]", no: "tuple[str, ...]") -> "dict[str, bool]":
    meanings = dict.fromkeys(yes, True)
    meanings.update(dict.fromkeys(no, False))
    return meanings


_FLAGS = _meanings(TRUE_WORDS, FALSE_WORDS)
_CHARGER = _meanings(ON_CHARGER, OFF_CHARGER)
_OPERATORS = _meanings(OPERATORS, ())


def _word(value: object, meanings: "dict[str, bool]") -> "bool | None":
    if isinstance(value, str) and value in meanings:
        return meanings[value]
    # A boolean or a number as such is as clear as its word.
    return meanings.get(str(value).strip().lower())


def _flag(value: object) -> "bool | None":
    return _word(value, _FLAGS)


def _charger(value: object) -> "bool | None":
    return _word(value, _CHARGER)


def _operator(value: object) -> "bool | None":
    # Whoever else made it was no operator.
    return _word(value, _OPERATORS) or (False if value else None)


def _either(one: bool, other: bool) -> bool:
    return one or other


def _sum(one: int, other: int) -> int:
    return min(one + other, limits.INTEGER_MAX)


# How a value of this key is read, into which field, and what comes of two of them.
_KNOWN: "dict[str, Any]" = {
    "percentage": ("battery_percent", _percent, min),
    "charging": ("charging", _flag, _either),
    "power_supply_status": ("charging", _charger, _either),
    "estop_active": ("estop_active", _flag, _either),
    "emergency_stop": ("estop_active", _flag, _either),
    "estop_by_operator": ("estop_by_operator", _flag, _either),
    "estop_source": ("estop_by_operator", _operator, _either),
    "rate_hz": ("rate_hz", _rate, None),
    "dtls_tried": ("dtls_tried", _count, _sum),
    "dtls_failed": ("dtls_failed", _count, _sum),
    "boot_count": ("boot_count", _count, _sum),
    "uptime_s": ("uptime_s", _seconds, min),
}
