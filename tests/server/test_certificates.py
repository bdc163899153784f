import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support import code_of
from surefoot.server import certificates
from surefoot.server.certificates import ensure_certificates
from surefoot.server.files import write_atomically
from surefoot.server.tls import server_tls_context

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HOSTS = ("localhost", "127.0.0.1", "::1")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    first = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    before = {path: path.read_bytes() for path in (tmp_path / "tls").iterdir()}
    assert ensure_certificates(tmp_path / "tls", HOSTS, NOW + timedelta(days=300)) == first
    assert {path: path.read_bytes() for path in (tmp_path / "tls").iterdir()} == before


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    paths = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    assert mode(tmp_path / "tls" / "ca.key") == mode(paths.server) == 0o600
    assert mode(paths.ca) == 0o644


def test_the_certificate_is_renewed_in_its_last_thirty_days_by_the_same_ca(tmp_path: Path) -> None:
    paths = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    ca, server = paths.ca.read_bytes(), paths.server.read_bytes()
    ensure_certificates(tmp_path / "tls", HOSTS, NOW + certificates.SERVER_LIFE - timedelta(days=31))
    assert paths.server.read_bytes() == server
    ensure_certificates(tmp_path / "tls", HOSTS, NOW + certificates.SERVER_LIFE - timedelta(days=29))
    assert paths.server.read_bytes() != server
    assert paths.ca.read_bytes() == ca


def test_a_new_host_gets_into_the_certificate(tmp_path: Path) -> None:
    paths = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    before = paths.server.read_bytes()
    ensure_certificates(tmp_path / "tls", (*HOSTS, "fleet.example", "not a host"), NOW)
    assert paths.server.read_bytes() != before


@pytest.mark.parametrize("writes_before_the_kill", [0, 1, 2])
def test_a_start_killed_between_any_two_writes_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_before_the_kill: int
) -> None:
    monkeypatch.setattr(certificates, "write_atomically", killed_after(writes_before_the_kill))
    with pytest.raises(KeyboardInterrupt):
        ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    monkeypatch.undo()
    paths = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    server_tls_context(paths.server)
    ssl.create_default_context(cafile=str(paths.ca))


def test_a_damaged_server_certificate_is_made_anew(tmp_path: Path) -> None:
    paths = ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    paths.server.write_bytes(paths.server.read_bytes()[:300])
    server_tls_context(ensure_certificates(tmp_path / "tls", HOSTS, NOW).server)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "ca.key").unlink(),
        lambda folder: (folder / "ca.key").write_bytes(b"no key"),
        lambda folder: (folder / "ca.pem").write_bytes(b"no certificate"),
    ],
)
def test_a_damaged_ca_is_never_replaced_silently(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    ensure_certificates(tmp_path / "tls", HOSTS, NOW)
    damage(tmp_path / "tls")
    assert code_of(ensure_certificates, tmp_path / "tls", HOSTS, NOW) == "damaged-fleet-ca"


def test_tls_begins_at_1_2(tmp_path: Path) -> None:
    context = server_tls_context(ensure_certificates(tmp_path / "tls", HOSTS, NOW).server)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def killed_after(writes: int) -> Callable[[Path, bytes, int], None]:
    left = [writes]

    def write_or_die(path: Path, data: bytes, mode: int) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        write_atomically(path, data, mode)

    return write_or_die
