"""Two slots in a directory, and a boot record beside them: a robot to try things with, no flash needed.

The record has the meaning of ESP-IDF's: an image that was set to boot is on trial once, and whoever is not confirmed by
the next boot has lost. A boot here is the start of the agent.
"""

import json
from pathlib import Path

from surefoot.agent.values import SlotImage, Slots
from surefoot.shell.files import replace_file
from surefoot.shell.slot_file import BLOCK_BYTES, SlotFile
from surefoot.wire import esp_image
from surefoot.wire.errors import Damaged, Misuse, Refused
from surefoot.wire.limits import CHUNK_BYTES, IMAGE_BYTES_MAX
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN

SLOTS = ("a", "b")
RECORD = "boot.json"
NEW = "new"


def make_directory(directory: Path, image: bytes) -> None:
    """Do what the factory does: put an image into slot a, confirmed.

    Raises:
        Refused: `refused-file-exists` when there are slots already.
    """
    if (directory / RECORD).exists():
        raise Refused("refused-file-exists", f"{directory} holds a robot already: take another directory.")
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / "slot.a", image)
    replace_file(directory / RECORD, json.dumps({"running": "a", "a": CONFIRMED, "b": EMPTY}).encode())


class DirectorySlots:
    """The slots of one robot. Fills `shell.ports.SlotDriver`; `boot` comes before anything else."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record: dict[str, str] = {}

    def boot(self) -> str:
        """Choose a slot as the bootloader would, and return its label.

        Raises:
            Damaged: `damaged-boot-record`.
        """
        try:
            record: dict[str, str] = json.loads((self._directory / RECORD).read_bytes())
            running, spare = record["running"], _other(record["running"])
        except (OSError, ValueError, KeyError) as error:
            detail = f"{self._directory / RECORD} is not a boot record: make the robot anew with `surefoot agent init`."
            raise Damaged("damaged-boot-record", detail) from error
        if record[running] == TRIAL:
            record[running], record["running"] = ROLLED_BACK, spare
        elif record[spare] == NEW:
            record[spare], record["running"] = TRIAL, spare
        self._put(record)
        return record["running"]

    def look(self) -> Slots:
        """Return what both slots hold."""
        running = self._record["running"]
        return Slots(
            running=self._image(running),
            spare=self._image(_other(running)),
            spare_bytes=IMAGE_BYTES_MAX,
            block_bytes=BLOCK_BYTES,
            enforces_trial=True,
        )

    def prepare_spare(self) -> None:
        """Forget the spare slot's record, then its bytes."""
        if self._record[self._record["running"]] == TRIAL:
            raise Misuse("misuse-on-trial", "The running image is on trial: confirm it before beginning an update.")
        self._put({**self._record, self._spare: EMPTY})
        self._file(self._spare).clear()

    def erase_block(self, offset_bytes: int) -> None:
        """Cut the spare slot's file off here."""
        self._file(self._spare).erase_block(offset_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Write into the spare slot's file."""
        self._file(self._spare).write(offset_bytes, data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the spare slot's file."""
        return self._file(self._spare).read(offset_bytes, length_bytes)

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the running slot's file."""
        return self._file(self._record["running"]).read(offset_bytes, length_bytes)

    def inspect(self, size_bytes: int) -> tuple[str, int | None]:
        """Return the descriptor's version and chip id when the spare slot holds an ESP-IDF image, else nothing.

        Raises:
            Refused: `refused-image-format` when it begins like one and is none.
        """
        if self._file(self._spare).size_bytes() != size_bytes:
            raise Refused("refused-image-format", "The slot does not hold as many bytes as were received.")
        if not esp_image.has_magic(self.read(0, CHUNK_BYTES)):
            return "", None
        measured = esp_image.measure(self.read, size_bytes)
        return measured.version, measured.chip_id

    def set_boot_slot(self) -> None:
        """Let the next boot try the spare slot."""
        self._file(self._spare).sync()
        self._put({**self._record, self._spare: NEW})

    def confirm(self) -> None:
        """Keep the running image."""
        self._put({**self._record, self._record["running"]: CONFIRMED})

    def go_back(self) -> None:
        """Give the running image up: the next boot takes the other.

        Raises:
            Damaged: `damaged-no-rollback-image` when the other slot holds none.
        """
        if not self._file(self._spare).path.exists():
            raise Damaged("damaged-no-rollback-image", "No other image to go back to: keep this one.")
        self._put({**self._record, self._record["running"]: ROLLED_BACK, "running": self._spare})

    @property
    def _spare(self) -> str:
        return _other(self._record["running"])

    def _file(self, label: str) -> SlotFile:
        return SlotFile(self._directory / f"slot.{label}")

    def _put(self, record: dict[str, str]) -> None:
        replace_file(self._directory / RECORD, json.dumps(record).encode())
        self._record = record

    def _image(self, label: str) -> SlotImage:
        file, state = self._file(label), self._record[label]
        digest = file.digest()
        if digest is None:
            return SlotImage(slot=label, digest=None, version="", state=EMPTY)
        known = state if state not in (NEW, EMPTY) else UNKNOWN
        return SlotImage(slot=label, digest=digest, version=_version_in(file), state=known)


def _other(label: str) -> str:
    return SLOTS[1 - SLOTS.index(label)]


def _version_in(file: SlotFile) -> str:
    """Return the version text of an ESP-IDF image, "" for anything else, the beginning of such an image included."""
    if not esp_image.has_magic(file.read(0, CHUNK_BYTES)):
        return ""
    try:
        return esp_image.measure(file.read, file.size_bytes()).version
    except Refused:
        return ""
