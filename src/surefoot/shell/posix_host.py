"""The companion as the agent's host: how the robot is, its self-test, its pauses, and the time."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom

from surefoot.agent.preflight import NO_SENSORS, Conditions
from surefoot.shell.agent_config import CODE
from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import Fields
from surefoot.wire.offer import Offer

JITTER_SHARE = 0.1
CONDITIONS_TIMEOUT_S = 10


@dataclass(slots=True)
class PosixHost:
    """The companion as a host, which knows the time. Fills `shell.ports.Host` and `shell.ports.Witness`."""

    self_test_command: tuple[str, ...]
    conditions_command: tuple[str, ...]
    log_line: Callable[[str], None]
    random: Random = field(default_factory=SystemRandom)
    sleep_ms: Callable[[int], None] = lambda delay_ms: time.sleep(delay_ms / 1000)

    def conditions(self) -> Conditions:
        """Ask the configured command: none means no sensors, and one that does not answer is taken at its worst."""
        if not self.conditions_command:
            return NO_SENSORS
        try:
            said = subprocess.run(  # noqa: S603 - the owner's own
                self.conditions_command, timeout=CONDITIONS_TIMEOUT_S, check=True, capture_output=True
            )
            return _conditions(Fields(json.loads(said.stdout), CODE, "conditions"))
        except (OSError, subprocess.SubprocessError, ValueError, Refused) as error:
            self.log(f"held-safety: {self.conditions_command[0]} does not say how the robot is ({error}).")
            return NO_SENSORS.replace(safety_state="UNKNOWN")

    def passes(self, check: str, timeout_s: int) -> bool:
        """Run the configured command with the check's name behind it; exit code 0 in time is passed."""
        if not self.self_test_command:
            return True
        try:
            words = (*self.self_test_command, check)
            return subprocess.run(words, timeout=timeout_s, check=False).returncode == 0  # noqa: S603 - the owner's own
        except (OSError, subprocess.TimeoutExpired) as error:
            self.log(f"trial-failed-{check}: {error}")
            return False

    def pause(self, delay_s: int) -> None:
        """Sleep about so long."""
        self.sleep_ms(self.with_jitter_ms(delay_s))

    def with_jitter_ms(self, delay_s: int) -> int:
        """Return about so many seconds, in ms: robots that were cut off together must not come back together."""
        return int(delay_s * 1000 * self.random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE))

    def now_s(self) -> int:
        """Return the time as the companion knows it, in Unix seconds."""
        return int(time.time())

    def refusal_of(self, offer: Offer) -> str | None:
        """Refuse nothing: without metadata the robot goes by its keys alone."""
        return None

    def log(self, text: str) -> None:
        """Pass the line on."""
        self.log_line(text)


def _conditions(fields: Fields) -> Conditions:
    """Read what the conditions command printed; a key that is absent is a sensor the robot does not have."""
    numbers = {}
    for key in ("battery_percent", "rssi_dbm"):
        value = fields.source.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise fields.refuse(key, "a number")
        numbers[key] = value
    return Conditions(
        battery_percent=numbers["battery_percent"],
        rssi_dbm=numbers["rssi_dbm"],
        is_idle=fields.flag("is_idle") if fields.has("is_idle") else None,
        is_cool=fields.flag("is_cool") if fields.has("is_cool") else None,
        safety_state=fields.optional_text("safety_state", limits.NAME_CHARS_MAX),
    )
