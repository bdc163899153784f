"""The agent on a Linux companion: its configuration, its life from boot to boot, and the pauses between checks."""

import json
import secrets
import subprocess
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from surefoot.agent.values import AgentState, Identity
from surefoot.shell.directory import DirectorySlots, make_directory
from surefoot.shell.files import FileJournal, replace_file
from surefoot.shell.https import HttpsTransport
from surefoot.shell.runner import Runner
from surefoot.trust import p256
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire import limits
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.fields import NAME_CHARS, Fields
from surefoot.wire.journal import blank_journal, encode_journal
from surefoot.wire.version import Version

CONFIG_FILE = "agent.toml"
CODE = "refused-agent-config"
TRUSTED_KEYS_MAX = limits.TRUSTED_KEYS_MAX
JITTER_SHARE = 0.1
# More restarts than any update needs: something restarts for ever.
BOOTS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What one agent is told in its file.

    `token_file` holds the bearer token, `trusted_keys` are public keys in DER, `ca_file` vouches for the server;
    `self_test_command` is run on trial and passes with exit code 0.
    """

    robot_id: str
    sku: str
    server: str
    token_file: Path
    trusted_keys: tuple[Path, ...]
    ca_file: Path | None = None
    version_floor: str = "0.0.0"
    self_test_command: tuple[str, ...] = ()


@dataclass(slots=True)
class PosixHost:
    """The companion as a host. Fills `shell.ports.Host`."""

    self_test_command: tuple[str, ...]
    log_line: Callable[[str], None]
    random: Random = field(default_factory=SystemRandom)

    def preflight(self) -> str | None:
        """Find nothing against updating: slots in a directory stop no motors."""
        return None

    def self_test(self, timeout_s: int) -> str | None:
        """Run the configured command; failure and time-out are both a failed trial."""
        if not self.self_test_command:
            return None
        try:
            ended = subprocess.run(self.self_test_command, timeout=timeout_s, check=False)  # noqa: S603 - the owner's own
            passed = ended.returncode == 0
        except (OSError, subprocess.TimeoutExpired) as error:
            self.log(f"trial-failed: {error}")
            passed = False
        return None if passed else "trial-failed"

    def pause(self, delay_s: int) -> None:
        """Sleep about so long; robots that were cut off together must not come back together."""
        time.sleep(delay_s * self.random.uniform(1 - JITTER_SHARE, 1 + JITTER_SHARE))

    def log(self, text: str) -> None:
        """Pass the line on."""
        self.log_line(text)


class Companion:
    """One robot whose slots are a directory."""

    def __init__(self, directory: Path, log_line: Callable[[str], None]) -> None:
        config = read_config(directory)
        self._slots = DirectorySlots(directory)
        self._host = PosixHost(config.self_test_command, log_line)
        self._identity = _identity(config)
        self._transport = HttpsTransport(config.server, _read(config.token_file).decode().strip(), config.ca_file)
        self._storage = FileJournal(directory)
        self._runner: Runner | None = None

    def run_once(self) -> AgentState:
        """Boot, do all there is to do now, and return where the agent rests.

        Raises:
            Damaged: `damaged-boot-loop`, `damaged-boot-record`.
        """
        self._boot()
        if self._runner is None or self._runner.state is None:
            raise Damaged("damaged-boot-loop", "The agent did not come to rest: see its lines.")
        return self._runner.state

    def run_forever(self) -> None:
        """Boot, then check whenever it is due, for ever."""
        delay_s = self._boot()
        while True:
            self._host.pause(delay_s)
            due = None if self._runner is None else self._runner.check()
            delay_s = self._boot() if due is None else due

    def _boot(self) -> int:
        for _ in range(BOOTS_MAX):
            label = self._slots.boot()
            self._host.log(f"booted slot {label}")
            self._runner = Runner(self._identity, self._slots, self._storage, self._transport, self._host)
            delay_s = self._runner.start(secrets.token_hex(8))
            if delay_s is not None:
                return delay_s
        raise Damaged("damaged-boot-loop", f"The agent restarted {BOOTS_MAX} times: see its lines.")


def make_companion(directory: Path, config: AgentConfig, image: bytes, version: Version) -> None:
    """Do what the factory does: write configuration, first image, and a journal that knows that image's version.

    Raises:
        Refused: `refused-file-exists`, and what makes the configuration unusable.
    """
    _identity(config)
    make_directory(directory, image)
    slots = DirectorySlots(directory)
    slots.boot()
    digest = slots.look().running.digest or ""
    journal = blank_journal(secrets.token_hex(8)).with_label(digest, str(version))
    FileJournal(directory).write_copy(0, encode_journal(journal, 1))
    replace_file(directory / CONFIG_FILE, _config_text(config).encode())


def read_config(directory: Path) -> AgentConfig:
    """Read `agent.toml`; `Refused` (`refused-agent-config`) names what is wrong in it."""
    path = directory / CONFIG_FILE
    try:
        fields = Fields(tomllib.loads(_read(path).decode()), CODE, str(path))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(CODE, f"{path} is not TOML ({error}): correct it.") from error
    return AgentConfig(
        robot_id=fields.text("robot_id", limits.ROBOT_ID_CHARS_MAX, NAME_CHARS),
        sku=fields.text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        server=fields.text("server", limits.URL_CHARS_MAX),
        token_file=Path(fields.text("token_file", 4096)),
        trusted_keys=tuple(Path(str(path)) for path in fields.array("trusted_keys", TRUSTED_KEYS_MAX)),
        ca_file=Path(fields.text("ca_file", 4096)) if fields.has("ca_file") else None,
        version_floor=fields.optional_text("version_floor", limits.NAME_CHARS_MAX) or "0.0.0",
        self_test_command=tuple(str(word) for word in fields.array("self_test_command", 64)),
    )


def _config_text(config: AgentConfig) -> str:
    values: dict[str, Any] = {
        "robot_id": config.robot_id,
        "sku": config.sku,
        "server": config.server,
        "token_file": str(config.token_file),
        "trusted_keys": [str(path) for path in config.trusted_keys],
        "version_floor": config.version_floor,
        "self_test_command": list(config.self_test_command),
    }
    if config.ca_file is not None:
        values["ca_file"] = str(config.ca_file)
    # A JSON string or array of strings is the same in TOML.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def _identity(config: AgentConfig) -> Identity:
    return Identity(
        robot_id=config.robot_id,
        sku=config.sku,
        ring=KeyRing(keys=tuple(PublicKey.from_der(_read(path)) for path in config.trusted_keys)),
        verify=p256.verify,
        version_floor=Version.parse(config.version_floor),
        protocol=1,
        companion_version=None,
        chip_id=None,
        attempts_max=3,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {error.strerror}.") from error
