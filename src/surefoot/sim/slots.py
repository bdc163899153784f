"""The agent's slot port on the simulated chip, by ESP-IDF's own update functions."""

import hashlib

from surefoot.agent.values import SlotImage, Slots
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.flash import SECTOR_BYTES
from surefoot.sim.partitions import Partition
from surefoot.wire import esp_image
from surefoot.wire import otadata as ota
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.report import CONFIRMED, EMPTY, ROLLED_BACK, TRIAL, UNKNOWN

# An image that runs without a trial record was chosen by the bootloader for want of another: there is no trial to end.
RUNNING_STATE = {ota.PENDING_VERIFY: TRIAL}
SPARE_STATE = {ota.VALID: CONFIRMED, ota.INVALID: ROLLED_BACK, ota.ABORTED: ROLLED_BACK}


class ChipSlots:
    """Running and spare slot of a booted chip. Fills `shell.ports.SlotDriver`."""

    def __init__(self, app: AppUpdate, *, block_bytes: int = SECTOR_BYTES, enforces_trial: bool = True) -> None:
        self._app = app
        self._enforces_trial = enforces_trial
        self._block_bytes = block_bytes

    def look(self) -> Slots:
        """Return what both slots hold, read from flash."""
        running, spare = self._app.running, self._app.next_update_slot()
        running_state = RUNNING_STATE.get(self._app.slot_state(running.label) or ota.VALID, CONFIRMED)
        return Slots(
            running=_image(running, running_state),
            spare=_image(spare, SPARE_STATE.get(self._app.slot_state(spare.label) or ota.NEW, UNKNOWN)),
            spare_bytes=spare.size_bytes,
            block_bytes=self._block_bytes,
            enforces_trial=self._enforces_trial,
        )

    def prepare_spare(self) -> None:
        """Erase the spare slot's boot record if it has one; the agent erases the slot itself block by block."""
        self._app.begin(self._app.next_update_slot().label, erase_bytes=0)

    def erase_block(self, offset_bytes: int) -> None:
        """Erase one block of the spare slot, as much of it as the slot has."""
        slot = self._spare()
        slot.erase(offset_bytes, min(self._block_bytes, slot.size_bytes - offset_bytes))

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Program the spare slot."""
        self._spare().write(offset_bytes, data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the spare slot."""
        return self._spare().read(offset_bytes, length_bytes)

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the running slot."""
        slot = self._app.running
        return slot.read(offset_bytes, max(0, min(length_bytes, slot.size_bytes - offset_bytes)))

    def inspect(self, size_bytes: int) -> tuple[str, int | None]:
        """Verify the spare slot's image as the bootloader will, and return its version text and chip id."""
        image = esp_image.verify_whole(self.read, size_bytes)
        return image.version, image.chip_id

    def set_boot_slot(self) -> None:
        """Let the bootloader try the spare slot next."""
        self._app.set_boot_slot(self._spare().label)

    def confirm(self) -> None:
        """Mark the running image valid."""
        self._app.mark_valid()

    def go_back(self) -> None:
        """Mark the running image invalid; where ESP-IDF refuses that for want of a record, choose the other slot.

        A first boot that was cut leaves the old image without a record, though it is whole. A bootloader that enforces
        trials finds it at the next start; another would start the failed image for ever.
        """
        try:
            self._app.mark_invalid()
        except Damaged:
            if self._enforces_trial:
                raise
            self._app.set_boot_slot(self._app.next_update_slot().label)

    def _spare(self) -> Partition:
        return self._app.resume(self._app.next_update_slot().label)


def image_digest(slot: Partition) -> str | None:
    """Return the digest of the image in a slot, None when there is none."""
    try:
        size_bytes = esp_image.measure(slot.read, slot.size_bytes).size_bytes
    except Refused:
        return None
    return hashlib.sha256(slot.read(0, size_bytes)).hexdigest()


def _image(slot: Partition, state: str) -> SlotImage:
    digest = image_digest(slot)
    if digest is None:
        erased = slot.read(0, SECTOR_BYTES) == b"\xff" * SECTOR_BYTES
        return SlotImage(slot=slot.label, digest=None, version="", state=EMPTY if erased else UNKNOWN)
    version = esp_image.measure(slot.read, slot.size_bytes).version
    return SlotImage(slot=slot.label, digest=digest, version=version, state=state)
