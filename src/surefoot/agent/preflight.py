"""Whether a robot may be updated now: asked before the download, and again twice before the restart.

Limits are those of the fleet's safety rules. A condition is None when the robot has no such sensor; a sensor that does
not answer is no reason to be brave, and is reported by its host as its worst value.
"""

from surefoot.wire.record import Record
from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.wire.offer import Offer

BATTERY_PERCENT_ABOVE = 50
RSSI_DBM_MIN = -70
SAFETY_NORMAL = "NORMAL"


class Conditions(Record):
    """How the robot is at this moment; None where it has no such sensor."""

    __slots__ = ("battery_percent", "rssi_dbm", "is_idle", "is_cool", "safety_state")
    battery_percent: "float | None"
    rssi_dbm: "float | None"
    is_idle: "bool | None"
    is_cool: "bool | None"
    safety_state: "str | None"


NO_SENSORS = Conditions(battery_percent=None, rssi_dbm=None, is_idle=None, is_cool=None, safety_state=None)


def held_by(conditions: Conditions) -> "str | None":
    """Return the code of the first condition that speaks against updating now, the most dangerous first, or None."""
    if conditions.safety_state not in (None, SAFETY_NORMAL):
        return "held-safety"
    if conditions.is_idle is False:
        return "held-motors"
    if conditions.battery_percent is not None and not conditions.battery_percent > BATTERY_PERCENT_ABOVE:
        return "held-battery"
    if conditions.is_cool is False:
        return "held-temperature"
    if conditions.rssi_dbm is not None and not conditions.rssi_dbm >= RSSI_DBM_MIN:
        return "held-signal"
    return None


class Compatibility(Record):
    """Firmware of one line, the protocol it speaks with its companion, and the companions that speak it too.

    `companions` are lines (major, minor); `and_newer` lets every later one in as well.
    """

    __slots__ = ("firmware", "protocol", "companions", "and_newer")
    firmware: "tuple[int, int]"
    protocol: int
    companions: "tuple[tuple[int, int], ...]"
    and_newer: bool


COMPATIBLE = (
    Compatibility(firmware=(0, 1), protocol=1, companions=((0, 1),), and_newer=False),
    Compatibility(firmware=(0, 2), protocol=1, companions=((0, 1), (0, 2)), and_newer=False),
    Compatibility(firmware=(1, 0), protocol=2, companions=((1, 0),), and_newer=True),
)


def fits_companion(offer: "Offer", protocol: "int | None", companion_version: "str | None") -> bool:
    """Whether the companion will understand the offered firmware.

    A firmware line that the table does not know is judged by the protocol its manifest names; where neither says
    anything there is nothing to compare. A robot without a companion has nobody to misunderstand.
    """
    line = (offer.version.major, offer.version.minor)
    known = [row for row in COMPATIBLE if row.firmware == line]
    if companion_version is None or (protocol is None and not known):
        return True
    version = Version.parse_descriptor(companion_version)
    if version is None:
        return False
    spoken = known or [row for row in COMPATIBLE if row.protocol == protocol]
    return any(_allows(row, (version.major, version.minor)) and protocol in (None, row.protocol) for row in spoken)


def _allows(row: Compatibility, companion: "tuple[int, int]") -> bool:
    return companion in row.companions or (row.and_newer and companion > row.companions[-1])
