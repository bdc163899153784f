"""What use cases need to know of how the fleet is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from surefoot.fleet.aws_delivery import MQTT, Protocols, protocols_for


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """The server's public address and the pace it asks robots to keep.

    A robot at rest asks every `next_check_s` ± `next_check_jitter_s`; one with an update in hand every `busy_check_s`.
    `aws_delivery` says by sku how devices made for AWS IoT get images; `file_key` is a secret by which those that fetch
    them over HTTPS are told where, None where none are.
    """

    public_url: str
    next_check_s: int = 21600
    next_check_jitter_s: int = 1800
    busy_check_s: int = 60
    aws_delivery: Mapping[str, Protocols] = field(default_factory=dict)
    file_key: bytes | None = field(default=None, repr=False)

    def aws_protocols(self, sku: str) -> Protocols:
        """Return the protocols by which a device made for AWS IoT may get an image for this sku."""
        return (MQTT,) if self.file_key is None else protocols_for(self.aws_delivery, sku)
