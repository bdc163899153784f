"""Where the server meets its robots over MQTT, as every process of it is told."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from surefoot.server.certificates import FleetCa
from surefoot.server.settings import ServerSettings

_GROUP = "mqtt-share-group"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """A broker, and what the server needs there.

    `url` is where the server connects, mqtts://HOST:PORT; `robot_url` is where robots do with a certificate, and
    `password_url` with a token, None where only the broker's own settings know. `ca_path` vouches for the broker, and
    `certificate_path` holds the server's own key and certificate chain. `share_group` names the shared subscriptions of
    all processes on one fleet CA; it is secret, as `broker_config` explains.
    """

    url: str
    robot_url: str
    password_url: str | None
    ca_path: str
    certificate_path: str
    share_group: str

    def to_object(self) -> dict[str, Any]:
        """Return it as plain JSON, for another process."""
        return asdict(self)


def elsewhere(settings: ServerSettings, ca: FleetCa, ca_path: Path, identity_path: Path) -> BrokerAddress:
    """Return the broker that the settings name by its url; what they leave out is the fleet CA's."""
    return BrokerAddress(
        url=settings.broker,
        robot_url=settings.broker,
        password_url=None,
        ca_path=str(settings.broker_ca or ca_path),
        certificate_path=str(settings.broker_certificate or identity_path),
        share_group=share_group(ca),
    )


def share_group(ca: FleetCa) -> str:
    """Return the name of the group in which the server's processes share subscriptions."""
    return ca.secret_name(_GROUP)
