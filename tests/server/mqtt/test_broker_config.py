"""What is written for Mosquitto, as text; that Mosquitto does as it says is tried in test_broker_acl."""

import base64
import re
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from surefoot.fleet.broker_access import PASSWORD_HASH, BrokerAccess, EndedCredential, password_hash
from surefoot.server.certificates import FleetCa, ensure_certificates
from surefoot.server.mqtt.broker_access import BrokerFiles, write_identity
from surefoot.server.mqtt.broker_address import share_group
from surefoot.server.mqtt.broker_config import BrokerConfig, acl_text, config_text, passwords_text

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER_S = (NOW + timedelta(days=1)).timestamp()


@pytest.fixture
def config(tmp_path: Path) -> BrokerConfig:
    paths = ensure_certificates(tmp_path / "tls", ("localhost",), NOW)
    (tmp_path / "mqtt").mkdir()
    return BrokerConfig(
        folder=tmp_path / "mqtt",
        ca=paths.ca,
        server=paths.server,
        host="192.0.2.7",
        port=1,
        password_port=2,
        server_port=3,
        connections_max=77,
    )


def listeners(text: str) -> list[list[str]]:
    return [["listener" + part.split("\n")[0], *part.split("\n")[1:]] for part in text.split("\nlistener")[1:]]


def test_every_listener_speaks_tls_and_wants_to_know_who_it_is(config: BrokerConfig) -> None:
    text = config_text(config)
    assert "allow_anonymous false" in text
    by_certificate, by_password, for_the_server = listeners(text)
    assert [lines[0] for lines in (by_certificate, by_password, for_the_server)] == [
        "listener 1 192.0.2.7",
        "listener 2 192.0.2.7",
        "listener 3 127.0.0.1",
    ]
    for lines in (by_certificate, by_password, for_the_server):
        assert "tls_version tlsv1.2" in lines and any(line.startswith("certfile ") for line in lines)
    for lines in (by_certificate, for_the_server):
        assert {"require_certificate true", "use_identity_as_username true"} <= set(lines)
        assert any(line.startswith("crlfile ") for line in lines)
    for lines in (by_certificate, by_password):
        assert "max_connections 77" in lines
    # Anywhere else a stranger without a user name would wipe out Mosquitto's list of clients.
    assert "use_username_as_clientid true" in by_certificate
    assert text.count("use_username_as_clientid") == 1


def test_without_a_host_it_listens_everywhere(config: BrokerConfig) -> None:
    assert "\nlistener 1\n" in config_text(replace(config, host=""))


def test_no_robot_makes_the_broker_take_all_of_the_machine_s_memory(config: BrokerConfig) -> None:
    assert "memory_limit 12345" in config_text(replace(config, memory_bytes_max=12345)).splitlines()


def test_a_password_is_hashed_as_mosquitto_does_it() -> None:
    # Made by Debian's mosquitto_passwd 2.0.11: mosquitto_passwd -b -I 1 FILE robot-1 secret
    salt, key = (
        "vwSYa5cvuTup5mRm",
        "ivbhwyuHPJ+T6Fg5W6p7tnFN2/VVQoJhEy8EXKVShFL18IGsabQYJMuq5ACAblKHd49mHJJEd3aOC7Z3dyaUYA==",
    )
    hashed = password_hash("secret", base64.b64decode(salt))
    assert hashed == f"$7$1${salt}${key}"
    assert re.fullmatch(PASSWORD_HASH, hashed)
    assert passwords_text({"robot-2": "other", "robot-1": hashed}) == f"robot-1:{hashed}\nrobot-2:other\n"


def test_denials_stand_by_name_and_for_both_kinds_of_topics() -> None:
    assert "user robot-1\ntopic deny #\ntopic deny $aws/#\n" in acl_text({"robot-1"})
    assert "deny" not in acl_text(())


def ended(serial: str | None, expires_at_s: float | None, robot_id: str = "robot-1") -> EndedCredential:
    return EndedCredential(
        credential_sha256=f"{serial}", robot_id=robot_id, serial=serial, ended_at_s=0.0, expires_at_s=expires_at_s
    )


def test_the_list_names_certificates_that_ended_until_they_expire(config: BrokerConfig, tmp_path: Path) -> None:
    ca = FleetCa(tmp_path / "tls")
    files = BrokerFiles(config, ca, NOW)
    rows = (ended("0a", LATER_S), ended("0b", NOW.timestamp()), ended(None, None), ended(None, LATER_S, "robot-old"))
    files.write_access(BrokerAccess(passwords={}, ended=rows), NOW)
    first = x509.load_pem_x509_crl((config.folder / "revoked.pem").read_bytes())
    assert [entry.serial_number for entry in first] == [10]
    assert first.is_signature_valid(ca.certificate.public_key())  # type: ignore[arg-type]
    assert first.next_update_utc == ca.certificate.not_valid_after_utc
    assert "user robot-old\ntopic deny #" in (config.folder / "acl").read_text()
    # OpenSSL keeps the old list beside the new one, and believes the later.
    files.write_access(BrokerAccess(passwords={}, ended=()), NOW)
    second = x509.load_pem_x509_crl((config.folder / "revoked.pem").read_bytes())
    assert first.last_update_utc < second.last_update_utc < NOW


def test_nobody_else_can_read_what_is_written(config: BrokerConfig, tmp_path: Path) -> None:
    ca = FleetCa(tmp_path / "tls")
    files = BrokerFiles(config, ca, NOW)
    files.write_config()
    files.write_access(BrokerAccess(passwords={"robot-1": "hash"}, ended=()), NOW)
    write_identity(config.folder, ca, NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in config.folder.iterdir()}
    assert modes == dict.fromkeys(("mosquitto.conf", "acl", "passwords", "revoked.pem", "server.pem"), 0o600)


def test_the_share_group_is_the_same_for_all_who_hold_the_ca_and_for_no_other(tmp_path: Path) -> None:
    groups = []
    for name in ("one", "other"):
        ensure_certificates(tmp_path / name, ("localhost",), NOW)
        groups += [share_group(FleetCa(tmp_path / name)) for _ in range(2)]
    assert groups[0] == groups[1] != groups[2] == groups[3]
    assert len(groups[0]) == 32 and not set(groups[0]) & set("/+#$")
