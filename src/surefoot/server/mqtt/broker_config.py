"""Mosquitto's configuration, as text: who may connect where, who may do what, and how much of it.

There are three listeners, because Mosquitto 2.0 asks for a certificate from all clients of a listener or from none, and
takes a name from the certificate or from the client, never either:

- for robots with a certificate of the fleet CA, whose common name is the robot's id;
- for robots with a password, their bearer token, under their robot id;
- for this server alone, on the loopback address, so that strangers who fill up the other two cannot shut it out.

On the first the client id is replaced by the robot id: otherwise a robot could end another's connection, and lose it
what waits in its session, by naming its client id. So a robot has one connection there. On the second it cannot be
replaced: in Mosquitto 2.0.11 a stranger who then names no user at all spoils what the broker knows of its clients.

Mosquitto lets anybody subscribe to anything and only then leaves out what they may not read. In a shared subscription
what it leaves out is lost to the others of the group, so the group's name must be one that robots cannot know.
"""

import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from surefoot.fleet.robots import SERVER_IDENTITY
from surefoot.wire import topics

CONFIG_FILE = "mosquitto.conf"
ACL_FILE = "acl"
PASSWORDS_FILE = "passwords"
REVOKED_FILE = "revoked.pem"
LOOPBACK = "127.0.0.1"
# Every address of the machine.
WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - recognised here, chosen elsewhere
# Whoever it is that asks, in a pattern.
ITSELF = "%u"

# Topic included. A report, a health window and AWS's jobs are a few KiB; AWS's file streams send up to 128 KiB, as
# base64.
PACKET_BYTES_MAX = 256 * 1024
# How many messages may be under way to one client without its acknowledgement; MQTT 5 clients may name their own.
INFLIGHT_MAX = 20
# For a robot that is away, and for an ingest process that is slow.
QUEUED_MESSAGES_MAX = 10_000
QUEUED_BYTES_MAX = 64 * 1024 * 1024
MEMORY_BYTES_MAX = 1024 * 1024 * 1024
# Its next check over HTTPS brings everything to a robot that was away for longer.
SESSION_LIFE = "7d"
KEEPALIVE_S_MAX = 1200
# Saving writes everything, while Mosquitto does nothing else; what came since is lost when it is killed.
AUTOSAVE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """What a generated configuration depends on.

    `folder` holds all generated files and what Mosquitto remembers; `host` is where robots connect, empty for all
    addresses; `server_port` is on the loopback address. `memory_bytes_max` bounds what one robot can have the broker
    keep, in retained words or by never reading, and with it what is left for the server.

    `plugin` is `contrib/mosquitto-direct-replies`, if it is built.
    """

    folder: Path
    ca: Path
    server: Path
    host: str
    port: int
    password_port: int
    server_port: int
    connections_max: int
    memory_bytes_max: int = MEMORY_BYTES_MAX
    autosave_s: int = AUTOSAVE_S
    plugin: Path | None = None


def config_text(config: BrokerConfig) -> str:
    """Return the contents of mosquitto.conf."""
    folder = config.folder.resolve()
    common = [
        "per_listener_settings false",
        "allow_anonymous false",
        f"acl_file {folder / ACL_FILE}",
        f"password_file {folder / PASSWORDS_FILE}",
        "persistence true",
        f"persistence_location {folder}/",
        f"autosave_interval {config.autosave_s}",
        f"persistent_client_expiration {SESSION_LIFE}",
        f"max_packet_size {PACKET_BYTES_MAX}",
        f"max_inflight_messages {INFLIGHT_MAX}",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        f"max_queued_bytes {QUEUED_BYTES_MAX}",
        f"memory_limit {config.memory_bytes_max}",
        # Devices made for AWS IoT ask with QoS 0 too, and while the server is away that has to wait like the rest.
        "queue_qos0_messages true",
        f"max_keepalive {KEEPALIVE_S_MAX}",
        "sys_interval 60",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp false",
        # A line for each connection of each robot would drown the rest.
        "connection_messages false",
        *_user(),
        *_plugin(config.plugin),
    ]
    by_certificate = ["require_certificate true", "use_identity_as_username true", f"crlfile {folder / REVOKED_FILE}"]
    limited = f"max_connections {config.connections_max}"
    lines = [
        *common,
        *_listener(config, config.port, config.host, [*by_certificate, "use_username_as_clientid true", limited]),
        *_listener(config, config.password_port, config.host, [limited]),
        *_listener(config, config.server_port, LOOPBACK, by_certificate),
    ]
    return "\n".join(lines) + "\n"


def acl_text(denied: Iterable[str]) -> str:
    """Return who may read and write which topics; the robots in `denied` none at all.

    Mosquitto looks at what a name is denied first, and `#` does not stand for topics that begin with `$`.
    """
    lines = [f"user {SERVER_IDENTITY}", "topic readwrite #", "topic readwrite $aws/#", "topic read $SYS/#"]
    for robot_id in sorted(denied):
        lines += [f"user {robot_id}", "topic deny #", "topic deny $aws/#"]
    lines.append(f"pattern read {topics.topic_of(ITSELF, 'commands/#')}")
    lines += [f"pattern write {topics.topic_of(ITSELF, leaf)}" for leaf in topics.FROM_ROBOTS]
    lines.append(f"pattern readwrite $aws/things/{ITSELF}/#")
    return "\n".join(lines) + "\n"


def passwords_text(passwords: Mapping[str, str]) -> str:
    """Return the password file for these hashes (`fleet.broker_access.password_hash`) by robot id."""
    return "".join(f"{robot_id}:{passwords[robot_id]}\n" for robot_id in sorted(passwords))


def _listener(config: BrokerConfig, port: int, host: str, lines: list[str]) -> list[str]:
    return [
        "",
        f"listener {port} {host}".rstrip(),
        f"cafile {config.ca.resolve()}",
        f"certfile {config.server.resolve()}",
        f"keyfile {config.server.resolve()}",
        "tls_version tlsv1.2",
        *lines,
    ]


def _user() -> list[str]:
    # As root Mosquitto would become the user "mosquitto", who can read none of this.
    return [f"user {pwd.getpwuid(0).pw_name}"] if os.geteuid() == 0 else []


def _plugin(path: Path | None) -> list[str]:
    return [] if path is None else [f"plugin {path.resolve()}", f"plugin_opt_server {SERVER_IDENTITY}"]
