"""A companion's way to its server, put together as its configuration says."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.shell.agent_config import CONFIG_FILE, AgentConfig, endpoint_of, mqtt_address
from surefoot.shell.attention import Attention
from surefoot.shell.ear import Ear
from surefoot.shell.files import read_file, read_token
from surefoot.shell.https import HttpsTransport
from surefoot.shell.mqtt import MqttTransport
from surefoot.shell.ports import Transport, Witness

if TYPE_CHECKING:
    from surefoot.shell.paho_link import PahoLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Transport and, with signed metadata, the witness of its offers; the link is None without a broker."""

    transport: Transport
    witness: Witness | None
    link: "PahoLink | None"

    def close(self) -> None:
        """Leave the broker, if there is one."""
        if self.link is not None:
            self.link.close()


def open_way(
    directory: Path, config: AgentConfig, ear: Ear, attention: Attention, log_line: Callable[[str], None]
) -> Way:
    """Return the way of the companion in this directory, over MQTT where a broker is named, over HTTPS anyhow.

    Raises:
        Refused: `refused-file-unreadable`, `refused-certificate-file`, `refused-url`.
    """
    endpoint = endpoint_of(config.server)
    if endpoint is not None:
        return _aws_way(endpoint, config, ear, log_line)
    root = None if config.metadata_root is None else read_file(config.metadata_root)
    token = read_token(config.token_file)
    https = HttpsTransport(config.server, token, config.ca_file, config.certificate_file)
    transport: Transport = https
    link: PahoLink | None = None
    witness: Witness | None = None
    # Imported where they are wanted, as a companion that goes without broker or metadata does not need their libraries.
    if config.mqtt is not None:
        from surefoot.shell import paho_link  # noqa: PLC0415

        address = mqtt_address(config.mqtt, CONFIG_FILE)
        link = paho_link.PahoLink(
            address, config.robot_id, token, config.ca_file, config.certificate_file, ear.tell, log_line
        )
        transport = MqttTransport(link, attention, https, log_line)
    if root is not None:
        from surefoot.shell.metadata import Fetcher, MetadataWitness, WitnessedTransport  # noqa: PLC0415

        fetcher = Fetcher(https.get, time.monotonic)
        metadata = MetadataWitness(directory, root, config.sku, fetcher, time.time, log_line)
        witness, transport = metadata, WitnessedTransport(transport, metadata)
    return Way(transport=transport, witness=witness, link=link)


def _aws_way(endpoint: tuple[str, int], config: AgentConfig, ear: Ear, log_line: Callable[[str], None]) -> Way:
    """Return the way to AWS IoT Core."""
    from surefoot.shell import aws_link  # noqa: PLC0415 - as above
    from surefoot.shell.aws_transport import AwsTransport  # noqa: PLC0415

    link = aws_link.AwsLink(endpoint, config.robot_id, config.ca_file, config.certificate_file, ear.tell, log_line)
    # For presigned addresses, which are elsewhere: neither certificate nor token is shown there.
    https = HttpsTransport(f"https://{endpoint[0]}", None, config.ca_file)
    return Way(transport=AwsTransport(link, https, log_line), witness=None, link=link)
