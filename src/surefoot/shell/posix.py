"""The agent on a Linux companion: its life from boot to boot, and the pauses between checks."""

import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from surefoot.agent.download import HOLD_S
from surefoot.agent.preflight import held_by
from surefoot.agent.values import AgentState
from surefoot.shell.agent_config import (
    CONFIG_FILE,
    AgentConfig,
    check_ways,
    config_text,
    identity_of,
    read_config,
)
from surefoot.shell.attention import ASKED
from surefoot.shell.controller import ControllerSlots
from surefoot.shell.controller_http import Controller
from surefoot.shell.directory import DirectorySlots, make_directory
from surefoot.shell.ear import Ear
from surefoot.shell.files import FileJournal, read_token, replace_file
from surefoot.shell.inflate import inflate
from surefoot.shell.ports import Host, SlotDriver
from surefoot.shell.posix_host import PosixHost
from surefoot.shell.rauc import RaucSlots
from surefoot.shell.runner import Runner
from surefoot.shell.way import open_way
from surefoot.wire.errors import Damaged, Interrupted
from surefoot.wire.journal import Journal, blank_journal, encode_journal
from surefoot.wire.report import STAGED
from surefoot.wire.version import Version

# While the hardware does not say what runs, it is asked again after this.
UNKNOWN_PAUSE_S = 30
# More restarts than any update needs: something restarts for ever.
BOOTS_MAX = 20


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
        if self._config.driver == "rauc" and self._runner is not None and self._runner.state is not None:
            if not may_restart(self._runner.state.journal, self._host, self._attention.is_cancelled):
                return
            self._host.log("restarting the machine")
            subprocess.run(("systemctl", "reboot"), check=True)  # noqa: S607 - where systemd is differs
            # The machine goes down now; nothing may be decided in the meantime.
            threading.Event().wait()

    def _slots(self) -> SlotDriver:
        config = self._config
        if config.driver == "rauc":
            return RaucSlots(self._directory, self._storage)
        if config.driver == "controller":
            controller = Controller(config.controller_url or "", read_token(config.controller_token_file) or "")
            return ControllerSlots(self._directory, controller, self._storage, time.sleep)
        slots = DirectorySlots(self._directory)
        self._host.log(f"booted slot {slots.boot()}")
        return slots


def may_restart(journal: Journal, host: Host, is_cancelled: Callable[[str], bool]) -> bool:
    """Wait until the machine may restart; return False if what is staged was cancelled meanwhile.

    RAUC takes minutes to write a slot, and the robot may have begun to work since it was asked. The agent that starts
    anew in place of the machine learns the rest from its server. Who goes back from a failed trial waits for nothing.
    """
    if journal.state != STAGED or journal.offer is None:
        return True
    while not is_cancelled(journal.offer.id):
        code = held_by(host.conditions())
        if code is None:
            return True
        host.log(f"{code}: the machine is not restarted yet.")
        host.pause(HOLD_S)
    return False


def make_companion(directory: Path, config: AgentConfig, image: bytes, version: Version) -> None:
    """Do what the factory does: write configuration, first image, and a journal that knows that image's version.

    Raises:
        Refused: `refused-file-exists`, and what makes the configuration unusable.
    """
    identity_of(config)
    check_ways(config, CONFIG_FILE)
    make_directory(directory, image)
    slots = DirectorySlots(directory)
    slots.boot()
    digest = slots.look().running.digest or ""
    journal = blank_journal(secrets.token_hex(8)).with_label(digest, str(version))
    FileJournal(directory).write_copy(0, encode_journal(journal, 1))
    replace_file(directory / CONFIG_FILE, config_text(config).encode())
