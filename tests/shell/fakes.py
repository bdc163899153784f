"""A robot's ports in memory, with state: what is written is what is read, and anything can be made to break."""

from agent.agent_case import digest_of
from surefoot.agent.preflight import NO_SENSORS, Conditions
from surefoot.agent.values import SlotImage, Slots
from surefoot.wire.errors import Damaged, Interrupted, Refused
from surefoot.wire.offer import Answer, Offer
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN, Report

SLOT_BYTES = 65536
BLOCK_BYTES = 8192


class PowerCut(Exception):
    """The power fails here; nothing after it happens."""


class MemorySlots:
    """Two slots and a bootloader that tries a new image once. Fills `shell.ports.SlotDriver`."""

    def __init__(self, image: bytes) -> None:
        self.images = [bytearray(image + b"\xff" * (SLOT_BYTES - len(image))), bytearray(b"\xff" * SLOT_BYTES)]
        self.sizes: list[int | None] = [len(image), None]
        self.states = [CONFIRMED, EMPTY]
        self.versions = ["0.2.1", ""]
        self.running = 0
        self.tries: int | None = None
        self.boot_refusal: Refused | Damaged | None = None
        self.image_refusal: Refused | None = None
        self.confirms = True
        self.readable_bytes = SLOT_BYTES
        self.room_bytes = SLOT_BYTES
        self.log: list[str] = []

    @property
    def spare(self) -> int:
        return 1 - self.running

    def boot(self) -> None:
        """Do the bootloader's part of a restart."""
        if self.tries is not None:
            self.running, self.tries = self.tries, None
            self.states[self.running] = TRIAL
        elif self.states[self.running] != CONFIRMED:
            self.states[self.running] = ROLLED_BACK
            self.running = self.spare

    def look(self) -> Slots:
        running, spare = (self._image(index) for index in (self.running, self.spare))
        return Slots(running=running, spare=spare, spare_bytes=SLOT_BYTES, block_bytes=BLOCK_BYTES, enforces_trial=True)

    def _image(self, index: int) -> SlotImage:
        size = self.sizes[index]
        digest = None if size is None else digest_of(bytes(self.images[index][:size]))
        return SlotImage(slot=f"ota_{index}", digest=digest, version=self.versions[index], state=self.states[index])

    def prepare_spare(self) -> None:
        self.log.append("prepare")
        self.states[self.spare], self.sizes[self.spare], self.versions[self.spare] = UNKNOWN, None, ""

    def erase_block(self, offset_bytes: int) -> None:
        self.log.append(f"erase {offset_bytes}")
        self.images[self.spare][offset_bytes : offset_bytes + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES

    def write(self, offset_bytes: int, data: bytes) -> None:
        end = offset_bytes + len(data)
        if end > self.room_bytes:
            raise Interrupted("interrupted-storage", "The disk is full: make room.")
        assert self.images[self.spare][offset_bytes:end] == b"\xff" * len(data), "not erased"
        self.images[self.spare][offset_bytes:end] = data

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        self.log.append(f"read {offset_bytes}")
        return bytes(self.images[self.spare][offset_bytes : min(offset_bytes + length_bytes, self.readable_bytes)])

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        return bytes(self.images[self.running][offset_bytes : offset_bytes + length_bytes])

    def inspect(self, size_bytes: int) -> tuple[str, int | None]:
        if self.image_refusal is not None:
            raise self.image_refusal
        self.sizes[self.spare] = size_bytes
        return "", None

    def set_boot_slot(self) -> None:
        if self.boot_refusal is not None:
            raise self.boot_refusal
        self.tries = self.spare

    def confirm(self) -> None:
        if self.confirms:
            self.states[self.running] = CONFIRMED

    def go_back(self) -> None:
        self.states[self.running] = ROLLED_BACK


class MemoryJournal:
    """Two copies in memory. Fills `shell.ports.JournalStorage`."""

    def __init__(self) -> None:
        self.copies = [b"", b""]
        self.written: list[int] = []
        self.cut_at: int | None = None

    def read_copies(self) -> tuple[bytes, bytes]:
        return self.copies[0], self.copies[1]

    def write_copy(self, index: int, data: bytes) -> None:
        self.written.append(index)
        if len(self.written) == self.cut_at:
            self.copies[index] = data[: len(data) // 2]
            raise PowerCut
        self.copies[index] = data


class MemoryDownload:
    """One download of a file, which may break off at a byte. Fills `shell.ports.Download`."""

    def __init__(self, data: bytes, first_byte: int, breaks_at: int | None) -> None:
        self._data = data
        self._offset = first_byte
        self._breaks_at = breaks_at
        self.lengths: list[int] = []
        self.is_open = True

    def read(self, length_bytes: int) -> bytes:
        assert self.is_open
        self.lengths.append(length_bytes)
        if self._breaks_at is not None and self._offset + length_bytes > self._breaks_at:
            raise Interrupted("download-interrupted", "The line is dead: try again.")
        piece = self._data[self._offset : self._offset + length_bytes]
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        self.is_open = False


class MemoryServer:
    """A fleet server that has one offer and one file. Fills `shell.ports.Transport`."""

    def __init__(self, file: bytes, offer: Offer | None) -> None:
        self.file = file
        self.offer = offer
        self.cancelled: str | None = None
        self.delta_file = b""
        self.deltas_opened = 0
        self.reports: list[Report] = []
        self.known: Report | None = None
        self.past_epochs: set[str] = set()
        self.downloads: list[MemoryDownload] = []
        self.first_bytes: list[int] = []
        self.unreachable: Interrupted | Refused | None = None
        self.open_errors: list[Interrupted | Refused] = []
        self.breaks_at: list[int] = []

    def exchange(self, report: Report) -> Answer:
        if self.unreachable is not None:
            raise self.unreachable
        self.reports.append(report)
        stale = self._take(report)
        said = report.assignment
        ended = said is not None and said.state in ("installed", "rolled_back", "refused")
        return Answer(
            acknowledged=said.id if said is not None and ended else None,
            offer=self.offer,
            cancelled=self.cancelled,
            stale=stale,
            next_check_s=600,
        )

    def _take(self, report: Report) -> bool:
        """Keep the greatest report, as the fleet does; return whether this one is out of date."""
        known = self.known
        if report.epoch in self.past_epochs:
            return True
        if known is not None and report.epoch == known.epoch:
            if (report.boot, report.seq) < (known.boot, known.seq):
                return True
        elif known is not None:
            self.past_epochs.add(known.epoch)
        self.known = report
        return False

    def open(self, url: str, sha256: str, first_byte: int) -> MemoryDownload:
        assert self.offer is not None
        delta, file = self.offer.delta, self.file
        if delta is not None and url == delta.url:
            assert sha256 == delta.sha256 and first_byte == 0
            self.deltas_opened += 1
            file = self.delta_file
        else:
            assert (url, sha256) == (self.offer.url, self.offer.sha256)
        self.first_bytes.append(first_byte)
        if self.open_errors:
            raise self.open_errors.pop(0)
        breaks_at = self.breaks_at.pop(0) if self.breaks_at else None
        download = MemoryDownload(file, first_byte, breaks_at)
        self.downloads.append(download)
        return download

    @property
    def everything_is_closed(self) -> bool:
        return not any(download.is_open for download in self.downloads)


# Conditions that hold an update back, by the code that says so.
CONDITIONS = {
    None: NO_SENSORS,
    "held-battery": NO_SENSORS.replace(battery_percent=50.0),
    "held-motors": NO_SENSORS.replace(is_idle=False),
}


class QuietHost:
    """The rest of the robot: fit to update unless told otherwise. Fills `shell.ports.Host`."""

    def __init__(self) -> None:
        self.hold: str | None = None
        self.holds: list[str | None] = []
        self.failing_check: str | None = None
        self.checked: list[str] = []
        self.crashes = False
        self.pauses: list[int] = []
        self.lines: list[str] = []

    def conditions(self) -> Conditions:
        return CONDITIONS[self.holds.pop(0) if self.holds else self.hold]

    def passes(self, check: str, timeout_s: int) -> bool:
        self.checked.append(check)
        if self.crashes:
            raise PowerCut
        return check != self.failing_check

    def pause(self, delay_s: int) -> None:
        self.pauses.append(delay_s)

    def log(self, text: str) -> None:
        self.lines.append(text)
