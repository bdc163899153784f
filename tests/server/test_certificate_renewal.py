"""A server that runs for years never shows a certificate that has expired, and drops nobody to show another."""

import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from surefoot.server import certificates
from surefoot.server.certificate_renewal import Renewal, ShownCertificate
from surefoot.server.certificates import SERVER_LIFE, certificate_paths
from surefoot.server.tls import server_tls_context

# Handshakes go by the machine's own clock.
NOW = datetime.now(UTC)
HOSTS = ("localhost",)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Connection:
    """A robot's TLS connection to a server in memory."""

    def __init__(self, server: ssl.SSLContext, ca: Path) -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = ssl.create_default_context(cafile=str(ca)).wrap_bio(down, up, server_hostname="localhost")
        self._server = server.wrap_bio(up, down, server_side=True)
        for _ in range(4):
            for side in (self._client, self._server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue

    def carries(self) -> bool:
        self._client.write(b"report")
        return self._server.read(6) == b"report"

    @property
    def serial(self) -> int:
        shown = self._client.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


def expires_at(folder: Path) -> datetime:
    return x509.load_pem_x509_certificates(certificate_paths(folder).server.read_bytes())[0].not_valid_after_utc


def test_over_ten_years_there_is_no_day_without_a_good_certificate(tmp_path: Path) -> None:
    clock, folder, renewed = Clock(), tmp_path / "tls", set()
    renewal = Renewal(folder, HOSTS, clock)
    # The fleet CA itself lives for ten years.
    for _ in range(9 * 365):
        clock.now += timedelta(days=1)
        renewal.look()
        assert expires_at(folder) > clock.now + timedelta(days=29)
        renewed.add(expires_at(folder))
    assert len(renewed) == 1 + 9 * 365 // (SERVER_LIFE.days - 30)


def test_who_connects_after_a_renewal_sees_the_new_one_and_who_is_connected_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "tls"
    renewal, paths = Renewal(folder, HOSTS, Clock()), certificate_paths(folder)
    context = server_tls_context(paths.server, [paths.ca])
    shown = ShownCertificate(context, paths.server)
    before = Connection(context, paths.ca)
    shown.look()
    assert Connection(context, paths.ca).serial == before.serial
    # One that lacks a host is made anew like one near its end, and is good by this machine's clock.
    paths.server.unlink()
    certificates.ensure_certificates(folder, ("elsewhere",), NOW)
    with caplog.at_level(logging.INFO):
        renewal.look()
        shown.look()
    after = Connection(context, paths.ca)
    assert after.serial != before.serial
    assert before.carries() and after.carries()
    assert [record.message.split(" ")[0] for record in caplog.records] == [
        "certificate-renewed",
        "certificate-taken-up",
    ]


def test_what_cannot_be_renewed_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, folder = Clock(), tmp_path / "tls"
    renewal = Renewal(folder, HOSTS, clock)
    before = expires_at(folder)
    clock.now += SERVER_LIFE - timedelta(days=20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(certificates, "write_atomically", full)
    renewal.look()
    ca = folder / "ca.key"
    ca.rename(folder / "elsewhere")
    renewal.look()
    assert expires_at(folder) == before
    assert "No space left on device" in caplog.text and "damaged-fleet-ca" in caplog.text
    monkeypatch.undo()
    (folder / "elsewhere").rename(ca)
    renewal.look()
    assert expires_at(folder) > before


def test_a_file_that_makes_no_sense_is_logged_and_the_old_certificate_shown_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "tls"
    Renewal(folder, HOSTS, Clock())
    paths = certificate_paths(folder)
    context = server_tls_context(paths.server, [paths.ca])
    shown, before = ShownCertificate(context, paths.server), Connection(context, paths.ca)
    whole = paths.server.read_bytes()
    paths.server.write_bytes(b"nonsense")
    shown.look()
    assert "certificate-unreadable" in caplog.text
    assert Connection(context, paths.ca).serial == before.serial
    paths.server.unlink()
    shown.look()
    paths.server.write_bytes(whole)
    shown.look()
    assert Connection(context, paths.ca).carries()
