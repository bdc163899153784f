"""What use cases need to know of how the fleet is run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """The server's public address and the pace it asks robots to keep.

    A robot at rest asks every `next_check_s` ± `next_check_jitter_s`; one with an update in hand every `busy_check_s`.
    """

    public_url: str
    next_check_s: int = 21600
    next_check_jitter_s: int = 1800
    busy_check_s: int = 60
