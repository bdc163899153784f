"""Whether this process leads, for whoever has to know: the engine, what it sends, and those who ask for its health."""

from dataclasses import dataclass

from surefoot.fleet.lease import Lease


@dataclass(slots=True)
class Leadership:
    """The lease this process holds, None while another leads; the engine alone changes it."""

    lease: Lease | None = None

    @property
    def epoch(self) -> int:
        """The epoch this process leads under, 0 when it does not."""
        return 0 if self.lease is None else self.lease.epoch
