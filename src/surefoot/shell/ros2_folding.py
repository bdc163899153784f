"""What a robot's ROS 2 topics say, made into health windows, pre-flight conditions and the checks of a trial.

No ROS is needed here: the node hands over what it hears. `now_s` are seconds of any clock that never falls.

A safety stop comes from the e-stop topic, or from `estop_active` in a status (`wire.diagnostics`). Who made it may be
told a moment later by a status: after `SOURCE_WAIT_S` without a word it was no operator.
"""

import math

from surefoot.agent.preflight import SAFETY_NORMAL, Conditions
from surefoot.shell.ros2_statuses import UNKNOWN, Statuses
from surefoot.wire import limits
from surefoot.wire.health import HealthSums
from surefoot.wire.health_fold import HealthFold

BATTERY_FRESH_S = 30.0
TOPIC_FRESH_S = 5.0
SOURCE_WAIT_S = 2.0
EMERGENCY_STOP = "EMERGENCY_STOP"
# POWER_SUPPLY_STATUS_… of sensor_msgs/BatteryState: charging, discharging, not charging, full.
ON_CHARGER = {1: True, 2: False, 3: False, 4: True}


class RobotWatch:
    """What was heard of one robot lately.

    Args:
        robot_id: Whose windows these become.
        topics: Those whose rate is measured.
        has_battery: Whether a battery topic is listened to; while nobody tells of the battery it counts as empty.
        has_estop: Whether an e-stop topic is listened to; until it speaks the safety state is unknown.
        now_s: When it begins.
    """

    def __init__(
        self, robot_id: str, topics: tuple[str, ...], *, has_battery: bool, has_estop: bool, now_s: float
    ) -> None:
        self.statuses = Statuses(robot_id)
        self._has_battery, self._has_estop = has_battery, has_estop
        self._fold = HealthFold(now_s)
        self._battery: tuple[float | None, bool | None] = (None, None)
        self._battery_s = -math.inf
        self._estop: bool | None = None
        # When a stop began that is not counted yet, as nobody has said who made it.
        self._stop_s: float | None = None
        self._by_operator = False
        self._counts = dict.fromkeys(topics, 0)
        self._heard_s = dict.fromkeys(topics, -math.inf)
        self._ticked_s = now_s

    def hear_battery(self, fraction: float, supply_status: int, now_s: float) -> None:
        """Take the battery's charge from 0 to 1, NaN where it is not measured, and ROS's number of the supply."""
        percent = None if math.isnan(fraction) else min(max(fraction * 100, 0.0), 100.0)
        self._battery, self._battery_s = (percent, ON_CHARGER.get(supply_status)), now_s

    def hear_estop(self, active: bool, now_s: float) -> None:
        """Take the word of the e-stop topic, which may come often or only when it changes."""
        if active and not self._estop:
            self._stop_s = now_s
        elif not active:
            self._count_stop()
        self._estop = active

    def hear_topic(self, name: str, now_s: float) -> None:
        """Count a message on a watched topic."""
        self._counts[name] += 1
        self._heard_s[name] = now_s

    def tick(self, now_s: float) -> None:
        """Fold what was heard since the last time; to be called about once a second."""
        said = self.statuses.said(now_s)
        self._by_operator = said.estop_by_operator is True
        if self._stop_s is not None:
            waited_s = now_s - self._stop_s
            if said.estop_by_operator is not None or waited_s >= SOURCE_WAIT_S:
                self._count_stop()
        battery_percent, charging = self._battery_at(now_s)
        said = said.replace(battery_percent=battery_percent, charging=charging)
        if self._estop is not None:
            # The topic's word counts, and was counted here.
            said = said.replace(estop_active=None)
        if self.statuses:
            self._fold.add(said, now_s)
        elif battery_percent is not None:
            self._fold.battery(battery_percent)
        self._measure(now_s)

    def take(self, now_s: float) -> HealthSums:
        """Return the sums of the window that ends now."""
        return self._fold.take(now_s)

    def conditions(self, now_s: float) -> Conditions:
        """Return how the robot is now, as pre-flight wants it."""
        battery_percent, _ = self._battery_at(now_s)
        return Conditions(
            battery_percent=0.0 if battery_percent is None and self._has_battery else battery_percent,
            rssi_dbm=self.statuses.rssi_dbm(now_s),
            is_idle=self.statuses.is_idle(now_s),
            is_cool=self.statuses.is_cool(now_s),
            safety_state=self._safety_state(now_s),
        )

    def checks(self, now_s: float) -> dict[str, bool]:
        """Return which checks of a trial pass now.

        `safety`: the safety state is NORMAL. `relay`: no status with `relay` in its name is stale or worse than WARN,
        and some other is fresh. `sensors`: so is every status, and every watched topic is published on.
        """
        safety_state = self._safety_state(now_s)
        published = all(now_s - heard_s <= TOPIC_FRESH_S for heard_s in self._heard_s.values())
        return {
            "safety": safety_state == SAFETY_NORMAL,
            "relay": safety_state != UNKNOWN and self.statuses.work("relay", now_s),
            "sensors": safety_state != UNKNOWN and self.statuses.work("", now_s) and published,
        }

    def _safety_state(self, now_s: float) -> str:
        stopped = self._estop if self._estop is not None else self.statuses.said(now_s).estop_active
        if stopped:
            return EMERGENCY_STOP
        if self._has_estop and self._estop is None:
            return UNKNOWN
        return self.statuses.safety_state(now_s)

    def _battery_at(self, now_s: float) -> tuple[float | None, bool | None]:
        if now_s - self._battery_s <= BATTERY_FRESH_S:
            return self._battery
        said = self.statuses.said(now_s)
        return said.battery_percent, said.charging

    def _count_stop(self) -> None:
        if self._stop_s is not None:
            self._fold.stop(self._by_operator)
            self._stop_s = None

    def _measure(self, now_s: float) -> None:
        span_s = now_s - self._ticked_s
        if span_s <= 0:
            return
        self._ticked_s = now_s
        for name, count in self._counts.items():
            self._fold.topic(name, min(count / span_s, limits.RATE_HZ_MAX))
            self._counts[name] = 0
