"""What the runner needs of a robot. Drivers fill these; nothing here exists at run time on a chip."""

from collections.abc import Callable
from typing import Protocol

from surefoot.agent.preflight import Conditions
from surefoot.agent.values import Slots
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import Report


class SlotDriver(Protocol):
    """The two slots and the bootloader's records of them. The running slot is never written."""

    def look(self) -> Slots:
        """Return what both slots hold and how the bootloader has them, read anew."""

    def prepare_spare(self) -> None:
        """Make the bootloader forget what it knew of the spare slot."""

    def erase_block(self, offset_bytes: int) -> None:
        """Erase the spare slot's block that begins at this offset."""

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Write into an erased part of the spare slot."""

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the spare slot."""

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the running slot, fewer bytes at its end; b"" from a driver that cannot, which takes no deltas."""

    def inspect(self, size_bytes: int) -> "tuple[str, int | None]":
        """Return version text and chip id that the spare slot's image carries; `Refused` when it is no image.

        A driver whose images carry neither returns ("", None).
        """

    def set_boot_slot(self) -> None:
        """Let the bootloader try the spare slot next; `Refused` or `Damaged` when that cannot be."""

    def confirm(self) -> None:
        """Mark the running image valid."""

    def go_back(self) -> None:
        """Mark the running image invalid; `Damaged` when there is no other to go back to."""


class JournalStorage(Protocol):
    """Two places for one copy each. A write may be torn by a power cut; it never touches the other copy."""

    def read_copies(self) -> tuple[bytes, bytes]:
        """Return what the two places hold; b"" or 0xFF where nothing was ever written."""

    def write_copy(self, index: int, data: bytes) -> None:
        """Replace one place's content, durably."""


class Download(Protocol):
    """One open download."""

    def read(self, length_bytes: int) -> bytes:
        """Return exactly so many bytes, fewer only at the end of the file; `Interrupted` when the way breaks."""

    def close(self) -> None:
        """Let go of the connection."""


class Transport(Protocol):
    """The way to the server."""

    def exchange(self, report: Report) -> Answer:
        """Send a report and return the answer; `Interrupted` or `Refused` when there is none to use."""

    def open(self, url: str, sha256: str, first_byte: int) -> Download:
        """Open a download from a byte on.

        Raises:
            Interrupted: The way is broken now.
            Refused: `refused-image-gone` when the file is not served any more.
        """


class Hear(Protocol):
    """The ear of a robot: what comes from its broker, or from a person beside it."""

    def __call__(self, timeout_ms: int) -> "bytes | str | None":
        """Return the next thing heard within so many milliseconds, None in silence.

        Bytes are a command's payload; a word is `shell.attention.ASKED` or `RECONNECTED`.
        """


class MqttLink(Protocol):
    """A connection to a broker that is kept up by itself. It never raises: HTTPS is there when it is not."""

    def publish(self, topic: str, payload: bytes, timeout_ms: int) -> bool:
        """Publish at QoS 1; return whether the broker took it within so many milliseconds."""


class Stream(Protocol):
    """An open connection to a broker, for a client that has one thread; every method may raise OSError."""

    def read(self, timeout_ms: int) -> "bytes | None":
        """Return what has arrived, None when nothing does within so many milliseconds."""

    def write(self, data: bytes) -> None:
        """Send all of it."""

    def close(self) -> None:
        """Let go of the connection."""


class Inflate(Protocol):
    """Unpacks a zlib stream with a window of at most 1 KiB, a little at a time."""

    def __call__(self, read: "Callable[[int], bytes]") -> "Callable[[int], bytes]":
        """Return what reads up to so many unpacked bytes, b"" at the end, from what reads up to so many packed ones.

        Raises:
            Refused: `refused-delta`, from the returned function, when this is no such stream.
        """


class Witness(Protocol):
    """What a robot knows of an offer besides its own keys; a chip has none."""

    def now_s(self) -> "int | None":
        """Return the time in Unix seconds, None when the robot does not know it."""

    def refusal_of(self, offer: Offer) -> "str | None":
        """Return the code under which signed metadata refuses an offer; `Interrupted` when that cannot be told now."""


class Host(Protocol):
    """The rest of the robot."""

    def conditions(self) -> Conditions:
        """Return how the robot is at this moment."""

    def passes(self, check: str, timeout_s: int) -> bool:
        """Run one named check of the validation window; one that takes longer than it may has not passed."""

    def pause(self, delay_s: int) -> None:
        """Wait about so long, with the robot's own jitter."""

    def log(self, text: str) -> None:
        """Tell a person."""
