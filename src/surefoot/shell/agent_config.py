"""The agent's configuration: one TOML file in its directory."""

import contextlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from surefoot.agent.values import Identity
from surefoot.shell.files import read_file
from surefoot.trust import p256
from surefoot.trust.keys import KeyRing, PublicKey
from surefoot.wire import limits
from surefoot.wire.errors import Refused
from surefoot.wire.fields import NAME_CHARS, Fields
from surefoot.wire.version import Version

CONFIG_FILE = "agent.toml"
CODE = "refused-agent-config"
# What is updated: two slots in a directory, a controller over HTTP, or the companion itself through RAUC.
DRIVERS = ("directory", "controller", "rauc")
AWS_SCHEME = "aws-iot"
MQTT_PORT = 8883


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What one agent is told in its file.

    `token_file` holds the bearer token, or `certificate_file` key and certificate chain; `trusted_keys` are public keys
    in DER; `ca_file` vouches for server and broker; with `metadata_root`, a first root, signed metadata must vouch for
    offers; `mqtt` is the address of the fleet's broker, without which the robot hears nothing between its checks;
    `driver` names what is updated, `controller_…` how to reach it if that is a controller.

    With `needs_manifest = false` it takes offers that no signed manifest comes with, whose sku nobody vouches for.
    `self_test_command` is run on trial, once for each check with its name behind it, and passes with exit code 0;
    `conditions_command` prints the robot's conditions as a JSON object (`agent.preflight.Conditions`).
    """

    robot_id: str
    sku: str
    server: str
    trusted_keys: tuple[Path, ...]
    token_file: Path | None = None
    certificate_file: Path | None = None
    ca_file: Path | None = None
    metadata_root: Path | None = None
    mqtt: str | None = None
    version_floor: str = "0.0.0"
    driver: str = DRIVERS[0]
    controller_url: str | None = None
    controller_token_file: Path | None = None
    self_test_command: tuple[str, ...] = ()
    conditions_command: tuple[str, ...] = ()
    needs_manifest: bool = True


def read_config(directory: Path) -> AgentConfig:
    """Read `agent.toml`; `Refused` (`refused-agent-config`) names what is wrong in it."""
    path = directory / CONFIG_FILE
    try:
        fields = Fields(tomllib.loads(read_file(path).decode()), CODE, str(path))
    except (ValueError, RecursionError) as error:  # not all that is wrong with TOML is a TOMLDecodeError
        raise Refused(CODE, f"{path} is not TOML ({error}): correct it.") from error
    config = AgentConfig(
        robot_id=fields.text("robot_id", limits.ROBOT_ID_CHARS_MAX, NAME_CHARS),
        sku=fields.text("sku", limits.NAME_CHARS_MAX, NAME_CHARS),
        server=fields.text("server", limits.URL_CHARS_MAX),
        token_file=_optional_path(fields, "token_file"),
        certificate_file=_optional_path(fields, "certificate_file"),
        trusted_keys=tuple(Path(str(path)) for path in fields.array("trusted_keys", limits.TRUSTED_KEYS_MAX)),
        ca_file=_optional_path(fields, "ca_file"),
        metadata_root=_optional_path(fields, "metadata_root"),
        mqtt=fields.optional_text("mqtt", limits.URL_CHARS_MAX),
        version_floor=fields.optional_text("version_floor", limits.NAME_CHARS_MAX) or "0.0.0",
        driver=fields.choice("driver", DRIVERS) if fields.has("driver") else DRIVERS[0],
        controller_url=fields.optional_text("controller_url", limits.URL_CHARS_MAX),
        controller_token_file=_optional_path(fields, "controller_token_file"),
        self_test_command=tuple(str(word) for word in fields.array("self_test_command", 64)),
        conditions_command=tuple(str(word) for word in fields.array("conditions_command", 64)),
        needs_manifest=fields.flag("needs_manifest") if fields.has("needs_manifest") else True,
    )
    check_ways(config, str(path))
    return config


def check_ways(config: AgentConfig, where: str) -> None:
    """Refuse (`refused-agent-config`) credentials and addresses that do not go together, naming where they stand."""
    if (config.token_file is None) == (config.certificate_file is None):
        raise Refused(CODE, f"{where} names both or none of token_file and certificate_file: name one of them.")
    if config.mqtt is not None:
        mqtt_address(config.mqtt, where)
    if endpoint_of(config.server) is not None and (
        config.certificate_file is None or config.mqtt is not None or config.metadata_root is not None
    ):
        detail = f"{where}: with {AWS_SCHEME}:// goes certificate_file, and neither mqtt nor metadata_root."
        raise Refused(CODE, detail)


def config_text(config: AgentConfig) -> str:
    """Return the configuration as it stands in its file."""
    values: dict[str, Any] = {
        "robot_id": config.robot_id,
        "sku": config.sku,
        "server": config.server,
        "trusted_keys": [str(path) for path in config.trusted_keys],
        "version_floor": config.version_floor,
        "driver": config.driver,
        "self_test_command": list(config.self_test_command),
        "conditions_command": list(config.conditions_command),
        "needs_manifest": config.needs_manifest,
    }
    for name in ("token_file", "certificate_file", "ca_file", "metadata_root", "mqtt"):
        if getattr(config, name) is not None:
            values[name] = str(getattr(config, name))
    # A JSON string or array of strings is the same in TOML.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def _optional_path(fields: Fields, key: str) -> Path | None:
    return Path(fields.text(key, 4096)) if fields.has(key) else None


def mqtt_address(url: str, where: str) -> tuple[str, int]:
    """Return host and port of a broker's address; `Refused` (`refused-agent-config`) names where it stands."""
    parts = urlsplit("")
    host, port = None, MQTT_PORT
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or MQTT_PORT
    if host is None or "@" in url or url.rstrip("/") != f"mqtts://{parts.netloc}":
        raise Refused(CODE, f"{where}: mqtt must be mqtts://host or mqtts://host:port.")
    return host, port


def endpoint_of(server: str) -> tuple[str, int] | None:
    """Return host and port of `aws-iot://HOST` or `aws-iot://HOST:443`, None for what is no such address."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(server)
        if parts.scheme == AWS_SCHEME and parts.hostname is not None:
            return parts.hostname, parts.port or MQTT_PORT
    return None


def identity_of(config: AgentConfig) -> Identity:
    """Return who the robot is, with the keys the configuration names.

    Raises:
        Refused: `refused-file-unreadable`, `refused-key-format`, `refused-version-format`.
    """
    return Identity(
        robot_id=config.robot_id,
        sku=config.sku,
        ring=KeyRing(keys=tuple(PublicKey.from_der(read_file(path)) for path in config.trusted_keys)),
        verify=p256.verify,
        version_floor=Version.parse(config.version_floor),
        protocol=1,
        companion_version=None,
        chip_id=None,
        attempts_max=3,
        needs_manifest=config.needs_manifest,
    )
