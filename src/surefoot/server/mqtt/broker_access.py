"""The broker's files: its configuration, whom it lets in, whom no more, and the server's own certificate.

Each file is whole or absent after a kill, and none but its owner reads them.
"""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from surefoot.fleet.broker_access import BrokerAccess, EndedCredential
from surefoot.fleet.robots import SERVER_IDENTITY
from surefoot.server.certificate_renewal import WatchedFile
from surefoot.server.certificates import BACKDATED, FleetCa
from surefoot.server.files import PRIVATE, write_atomically
from surefoot.server.mqtt.broker_config import (
    ACL_FILE,
    CONFIG_FILE,
    PASSWORDS_FILE,
    REVOKED_FILE,
    BrokerConfig,
    acl_text,
    config_text,
    passwords_text,
)

IDENTITY_FILE = "server.pem"
# Long before it expires: a server may run for years, and the broker asks for it at each connection.
IDENTITY_RENEWED_AFTER = timedelta(days=30)


class BrokerFiles:
    """Writes the files of one broker.

    Args:
        config: What goes into its configuration, and where the files go.
        ca: Who signs its list of revoked certificates.
        begun: When this process began to write them; never later than now.
    """

    def __init__(self, config: BrokerConfig, ca: FleetCa, begun: datetime) -> None:
        self._config = config
        self._ca = ca
        self._listed = begun - BACKDATED
        self._identified = begun
        # What the broker itself shows to robots.
        self.broker_certificate = WatchedFile(config.server)

    def write_config(self) -> Path:
        """Write the configuration and return where it is."""
        path = self._config.folder / CONFIG_FILE
        write_atomically(path, config_text(self._config).encode(), PRIVATE)
        return path

    def write_access(self, access: BrokerAccess, now: datetime) -> None:
        """Write whom the broker lets in, and whom no more."""
        # Of two lists the broker believes the one with the later date, which counts seconds.
        self._listed += timedelta(seconds=1)
        lasting = [row for row in access.ended if _expires_later(row, now)]
        serials = [int(row.serial, 16) for row in lasting if row.serial is not None]
        denied = {row.robot_id for row in lasting if row.serial is None}
        folder = self._config.folder
        write_atomically(folder / REVOKED_FILE, self._ca.revocation_list(serials, self._listed), PRIVATE)
        write_atomically(folder / PASSWORDS_FILE, passwords_text(access.passwords).encode(), PRIVATE)
        write_atomically(folder / ACL_FILE, acl_text(denied).encode(), PRIVATE)

    def renew_identity(self, now: datetime) -> None:
        """Write a new key and certificate of the server's if the last ones, from when this began, are a month old."""
        if now - self._identified >= IDENTITY_RENEWED_AFTER:
            write_identity(self._config.folder, self._ca, now)
            self._identified = now


def write_identity(folder: Path, ca: FleetCa, now: datetime) -> Path:
    """Write a new key of the server's and its certificate, by which brokers know it, and return where they are."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = ca.issue_to_robot(SERVER_IDENTITY, key.public_key(), now)
    path = folder / IDENTITY_FILE
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(path, pem + certificate.public_bytes(Encoding.PEM) + ca.pem, PRIVATE)
    return path


def _expires_later(row: EndedCredential, now: datetime) -> bool:
    return row.expires_at_s is not None and row.expires_at_s > now.timestamp()
