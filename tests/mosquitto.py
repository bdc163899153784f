"""A real Mosquitto with the configuration that the server generates, on free ports of this machine, with a fleet CA.

    with mosquitto(tmp_path, passwords={"robot-002": "its token"}) as broker:
        connect("127.0.0.1", broker.port, ssl=broker.robot_tls("robot-001"))          # by certificate
        connect("127.0.0.1", broker.password_port, ssl=broker.tls(), "robot-002", "its token")
        connect("127.0.0.1", broker.server_port, ssl=broker.server_tls())             # as the server

On the first the broker puts the robot's id in place of the client id, whatever that was.
"""

import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from surefoot.fleet.broker_access import SALT_BYTES, BrokerAccess, EndedCredential, password_hash
from surefoot.server.certificates import FleetCa, ensure_certificates
from surefoot.server.mqtt.broker_access import BrokerFiles, write_identity
from surefoot.server.mqtt.broker_config import BrokerConfig
from waiting import wait_until

HOST = "127.0.0.1"


class Mosquitto:
    """One broker and its fleet CA; it can be killed, and started again on the same ports with what it remembered."""

    def __init__(
        self,
        folder: Path,
        passwords: Mapping[str, str],
        *,
        autosave_s: int = 1,
        connections_max: int = 1000,
        plugin: Path | None = None,
    ) -> None:
        self.folder = folder
        self.log_path = folder / "mosquitto.log"
        self.pid = 0
        paths = ensure_certificates(folder / "tls", ("localhost", HOST), datetime.now(UTC))
        self.ca_path = paths.ca
        self.ca = FleetCa(folder / "tls")
        self.port, self.password_port, self.server_port = free_ports(3)
        self.config = BrokerConfig(
            folder=folder / "mqtt",
            ca=paths.ca,
            server=paths.server,
            host=HOST,
            port=self.port,
            password_port=self.password_port,
            server_port=self.server_port,
            connections_max=connections_max,
            autosave_s=autosave_s,
            plugin=plugin,
        )
        self.files = BrokerFiles(self.config, self.ca, datetime.now(UTC))
        self.config.folder.mkdir(mode=0o700)
        self._config_path = self.files.write_config()
        self._process: subprocess.Popen[bytes] | None = None
        self.allow(passwords)
        self.server_identity_path = write_identity(self.config.folder, self.ca, datetime.now(UTC))

    @property
    def url(self) -> str:
        """Where robots with certificates connect."""
        return f"mqtts://{HOST}:{self.port}"

    @property
    def password_url(self) -> str:
        """Where robots with passwords connect."""
        return f"mqtts://{HOST}:{self.password_port}"

    @property
    def server_url(self) -> str:
        """Where the server connects."""
        return f"mqtts://{HOST}:{self.server_port}"

    def start(self) -> None:
        """Start it and return when it listens; fail with its log when it ends instead."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert program is not None
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self._config_path)], stdout=log, stderr=log)
        self.pid = self._process.pid
        wait_until(self._is_up_or_gone)
        assert self._process.poll() is None, self.log_path.read_text()

    def allow(self, passwords: Mapping[str, str], ended: tuple[EndedCredential, ...] = ()) -> None:
        """Let in these robots by token, and no certificate that ended; a broker that runs reads that soon."""
        hashes = {robot_id: password_hash(token, bytes(SALT_BYTES)) for robot_id, token in passwords.items()}
        self.files.write_access(BrokerAccess(passwords=hashes, ended=ended), datetime.now(UTC))
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def saved_at(self) -> float:
        """Return when it last wrote down what it remembers, 0 when it has not."""
        with suppress(FileNotFoundError):
            return (self.config.folder / "mosquitto.db").stat().st_mtime
        return 0.0

    def kill(self) -> None:
        """End it without a chance to clean up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same ports."""
        self.stop()
        self.start()

    def tls(self) -> ssl.SSLContext:
        """Return what trusts this broker and shows no certificate."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def robot_tls(self, robot_id: str) -> ssl.SSLContext:
        """Return what trusts this broker and shows this robot's certificate."""
        return self._showing(self.robot_certificate_path(robot_id))

    def server_tls(self) -> ssl.SSLContext:
        """Return what trusts this broker and shows the server's certificate."""
        return self._showing(self.server_identity_path)

    def robot_certificate_path(self, robot_id: str) -> Path:
        """Return a file (PEM) with this robot's key and certificate, made when it is asked for first."""
        path = self.folder / f"{robot_id}.pem"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self.ca.issue_to_robot(robot_id, key.public_key(), datetime.now(UTC))
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(pem + certificate.public_bytes(Encoding.PEM) + self.ca.pem)
        return path

    def robot_serial(self, robot_id: str) -> int:
        """Return the serial number of this robot's certificate."""
        return x509.load_pem_x509_certificate(self.robot_certificate_path(robot_id).read_bytes()).serial_number

    def _showing(self, path: Path) -> ssl.SSLContext:
        context = self.tls()
        context.load_cert_chain(path)
        return context

    def _is_up_or_gone(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            return True
        with suppress(OSError), socket.create_connection((HOST, self.server_port), 1):
            return True
        return False


@contextmanager
def mosquitto(
    folder: Path,
    passwords: Mapping[str, str] | None = None,
    *,
    autosave_s: int = 1,
    connections_max: int = 1000,
    plugin: Path | None = None,
) -> Iterator[Mosquitto]:
    """Run a broker whose files are in `folder`; `passwords` are tokens by robot id."""
    broker = Mosquitto(folder, passwords or {}, autosave_s=autosave_s, connections_max=connections_max, plugin=plugin)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [made.getsockname()[1] for made in sockets]
    for made in sockets:
        made.close()
    return ports
