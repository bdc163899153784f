"""The broker of this server: Mosquitto, when it is on the machine, run beside the server from its start to its end."""

import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from surefoot.server.certificates import CERTIFICATES_FOLDER, CertificatePaths, FleetCa
from surefoot.server.composition import database_url
from surefoot.server.mqtt.broker_access import BrokerFiles, write_identity
from surefoot.server.mqtt.broker_address import BrokerAddress, elsewhere, share_group
from surefoot.server.mqtt.broker_clear import clear
from surefoot.server.mqtt.broker_config import CONFIG_FILE, LOOPBACK, WILDCARDS, BrokerConfig
from surefoot.server.mqtt.broker_cut import cut
from surefoot.server.mqtt.broker_process import BrokerProcess, end_orphan
from surefoot.server.mqtt.broker_watch import BrokerWatch
from surefoot.server.settings import ServerSettings
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Refused

BROKER_FOLDER = "mqtt"
AUTO, NONE = "auto", "none"
# Where Debian and others put servers, which is not on everybody's PATH.
SERVERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

log = logging.getLogger(__name__)


@contextmanager
def running_broker(
    settings: ServerSettings, paths: CertificatePaths, public_host: str
) -> Iterator[BrokerAddress | None]:
    """Run the broker that the settings ask for, if it is to run here, while the block does; yield where it is.

    Yields None when there is none: robots then hear of updates when they ask over HTTPS. `public_host` is where robots
    reach this machine.

    Raises:
        Refused: `refused-broker-path`, `refused-broker-port`; what `SqlStore` refuses.
        Interrupted: `interrupted-store`.
    """
    folder = settings.data_dir / BROKER_FOLDER
    # Before anything else: it still has the ports.
    end_orphan(folder, str((folder / CONFIG_FILE).resolve()))
    program = _find_program(settings) if settings.broker == AUTO else None
    if settings.broker == NONE or (settings.broker == AUTO and program is None):
        log.warning(
            "no-broker setting=%s: no push and no live telemetry, robots hear of updates when they ask over HTTPS; "
            "install mosquitto, or set broker to the url of one",
            settings.broker,
        )
        yield None
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    ca, now = FleetCa(settings.data_dir / CERTIFICATES_FOLDER), datetime.now(UTC)
    identity_path = write_identity(folder, ca, now)
    if program is None:
        yield elsewhere(settings, ca, paths.ca, identity_path)
        return
    config = _config(settings, paths, folder)
    address = BrokerAddress(
        url=mqtts_url(LOOPBACK, config.server_port),
        robot_url=mqtts_url(public_host, config.port),
        password_url=mqtts_url(public_host, config.password_port),
        ca_path=str(paths.ca.resolve()),
        certificate_path=str(identity_path.resolve()),
        share_group=share_group(ca),
    )
    with _supervised(settings, program, config, BrokerFiles(config, ca, now), address):
        yield address


def mqtts_url(host: str, port: int) -> str:
    """Return the url of a broker."""
    return f"mqtts://[{host}]:{port}" if ":" in host else f"mqtts://{host}:{port}"


@contextmanager
def _supervised(
    settings: ServerSettings, program: Path, config: BrokerConfig, files: BrokerFiles, address: BrokerAddress
) -> Iterator[None]:
    command = [str(program), "-c", str(files.write_config().resolve())]
    process = BrokerProcess(command, config.folder, config.connections_max * 2)
    # Its own store: the process that runs the broker may be one that answers nothing.
    with closing(SqlStore(database_url(settings))) as store:
        watch = BrokerWatch(
            store,
            files,
            process.reload,
            lambda client_id: cut(address, client_id),
            lambda robot_id: clear(address, robot_id),
            process.kill,
            time.time,
        )
        watch.begin()
        stopping = threading.Event()
        follower = threading.Thread(target=watch.run, args=(stopping,), name="broker-watch")
        process.start()
        follower.start()
        try:
            yield
        finally:
            stopping.set()
            follower.join()
            process.stop()


def _find_program(settings: ServerSettings) -> Path | None:
    plugin = settings.broker_plugin
    if plugin is not None and not plugin.is_file():
        detail = f"{plugin} is no file: build contrib/mosquitto-direct-replies, or leave broker_plugin out."
        raise Refused("refused-broker-path", detail)
    if settings.broker_path is not None:
        if not os.access(settings.broker_path, os.X_OK):
            detail = f"{settings.broker_path} is no program: set broker_path to where mosquitto is."
            raise Refused("refused-broker-path", detail)
        return settings.broker_path
    found = shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *SERVERS)))
    return None if found is None else Path(found)


def _config(settings: ServerSettings, paths: CertificatePaths, folder: Path) -> BrokerConfig:
    host = "" if settings.host in WILDCARDS else settings.host
    return BrokerConfig(
        folder=folder,
        ca=paths.ca,
        server=paths.server,
        host=host,
        port=_usable_port(host, settings.broker_port),
        password_port=_usable_port(host, settings.broker_password_port),
        server_port=_usable_port(LOOPBACK, 0),
        connections_max=settings.broker_connections_max,
        # The other half is for the server, its database and the system.
        memory_bytes_max=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2,
        plugin=settings.broker_plugin,
    )


def _usable_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0, at which nobody listens now."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.create_server(address, family=family) as tried:
            return int(tried.getsockname()[1])
    except OSError as error:
        # The library puts the address behind it in Python's words.
        why = str(error.strerror).split(" (")[0]
        detail = f"The broker cannot listen on port {port} ({why}): set broker_port and "
        raise Refused(
            "refused-broker-port", f"{detail}broker_password_port to free ones, or broker to none."
        ) from error
