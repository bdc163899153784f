"""The agent on a Linux companion: its life from boot to boot, and the pauses between checks."""

import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

from surefoot.agent.preflight import NO_SENSORS, Conditions
from surefoot.agent.values import AgentState
from surefoot.shell.agent_config import (
    CODE,
    CONFIG_FILE,
    AgentConfig,
    config_text,
    identity_of,
    read_config,
    read_file,
)
from surefoot.shell.attention import ASKED
from surefoot.shell.controller import ControllerSlots
from surefoot.shell.controller_http import Controller
from surefoot.shell.directory import DirectorySlots, make_directory
from surefoot.shell.ear import Ear
from surefoot.shell.files import FileJournal, replace_file
from surefoot.shell.inflate import inflate
from surefoot.shell.ports import SlotDriver
from surefoot.shell.rauc import RaucSlots
from surefoot.shell.runner import Runner
from surefoot.shell.way import open_way
from surefoot.wire import limits
from surefoot.wire.errors import Damaged, Interrupted, Refused
from surefoot.wire.fields import Fields
from surefoot.wire.journal import blank_journal, encode_journal
from surefoot.wire.offer import Offer
from surefoot.wire.version import Version

JITTER_SHARE = 0.1
CONDITIONS_TIMEOUT_S = 10
# While the hardware does not say what runs, it is asked again after this.
UNKNOWN_PAUSE_S = 30
# More restarts than any update needs: something restarts for ever.
BOOTS_MAX = 20


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


class Companion:
    """One robot, updated by the driver its configuration names."""

    def __init__(self, directory: Path, log_line: Callable[[str], None]) -> None:
        self._config = read_config(directory)
        self._directory = directory
        config = self._config
        self._storage = FileJournal(directory)
        self._ear = Ear()
        self._attention = self._ear.attention(log_line)
        self._host = PosixHost(
            config.self_test_command, config.conditions_command, log_line, sleep_ms=self._attention.pause
        )
        self._identity = identity_of(config)
        self._way = open_way(directory, config, self._ear, self._attention, log_line)
        self._runner: Runner | None = None

    def run_once(self) -> AgentState:
        """Boot, do all there is to do now, and return where the agent rests.

        Raises:
            Damaged: `damaged-boot-loop`, `damaged-boot-record`.
            Interrupted: The hardware does not say what runs.
        """
        self._start()
        if self._runner is None or self._runner.state is None:
            raise Damaged("damaged-boot-loop", "The agent did not come to rest: see its lines.")
        return self._runner.state

    def run_forever(self) -> None:
        """Boot, then check whenever it is due, asked for, or a command says so, for ever."""
        delay_s = 0
        while True:
            self._attention.rest(self._host.with_jitter_ms(delay_s))
            try:
                delay_s = self._check()
            except Interrupted as error:
                # Nothing was decided; what runs has to be asked for anew before anything is.
                self._host.log(f"{error.code}: {error.message}")
                self._runner, delay_s = None, UNKNOWN_PAUSE_S

    def ask_now(self) -> None:
        """Let the next check be due now; safe from a signal handler."""
        self._ear.tell(ASKED)

    def close(self) -> None:
        """Leave the broker, if the companion has one."""
        self._way.close()

    def _check(self) -> int:
        # A controller may have changed without its companion, and its slots are read only at a start.
        if self._runner is None or self._config.driver == "controller":
            return self._start()
        due = self._runner.check()
        return self._restart() if due is None else due

    def _start(self) -> int:
        for _ in range(BOOTS_MAX):
            self._runner = Runner(
                self._identity,
                self._slots(),
                self._storage,
                self._way.transport,
                self._host,
                inflate,
                self._way.witness or self._host,
                self._attention.is_cancelled,
            )
            delay_s = self._runner.start(secrets.token_hex(8))
            if delay_s is not None:
                return delay_s
            self._reboot()
        raise Damaged("damaged-boot-loop", f"The agent restarted {BOOTS_MAX} times: see its lines.")

    def _restart(self) -> int:
        self._reboot()
        return self._start()

    def _reboot(self) -> None:
        """Restart what was updated: the machine itself where RAUC updates it, else only the agent."""
        if self._config.driver == "rauc":
            self._host.log("restarting the machine")
            subprocess.run(("systemctl", "reboot"), check=True)  # noqa: S607 - where systemd is differs
            # The machine goes down now; nothing may be decided in the meantime.
            threading.Event().wait()

    def _slots(self) -> SlotDriver:
        config = self._config
        if config.driver == "rauc":
            return RaucSlots(self._directory, self._storage)
        if config.driver == "controller":
            token = (
                "" if config.controller_token_file is None else read_file(config.controller_token_file).decode().strip()
            )
            controller = Controller(config.controller_url or "", token)
            return ControllerSlots(self._directory, controller, self._storage, time.sleep)
        slots = DirectorySlots(self._directory)
        self._host.log(f"booted slot {slots.boot()}")
        return slots


def make_companion(directory: Path, config: AgentConfig, image: bytes, version: Version) -> None:
    """Do what the factory does: write configuration, first image, and a journal that knows that image's version.

    Raises:
        Refused: `refused-file-exists`, and what makes the configuration unusable.
    """
    identity_of(config)
    make_directory(directory, image)
    slots = DirectorySlots(directory)
    slots.boot()
    digest = slots.look().running.digest or ""
    journal = blank_journal(secrets.token_hex(8)).with_label(digest, str(version))
    FileJournal(directory).write_copy(0, encode_journal(journal, 1))
    replace_file(directory / CONFIG_FILE, config_text(config).encode())


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
