"""The slot port on a chip that runs MicroPython, over its `esp32.Partition`.

MicroPython cannot read a slot's state, mark an image invalid, or begin an update: it copies blocks and sets the boot
slot. So the boot records are read from otadata as the bootloader reads them, and what ESP-IDF's `esp_ota_begin` would
refuse is refused here.

Going back writes nothing. The bootloader ends a trial that was not confirmed at the next restart by itself, the same
way as after a crash; a record written from here could be torn into one that is neither on trial nor given up, and such
an image stays for good.
"""

from surefoot.agent.values import SlotImage, Slots
from surefoot.shell.esp32_partition import (
    BLOCK_BYTES,
    erase,
    image_of,
    is_bootable,
    label_of,
    program,
    read,
    reader_of,
    size_of,
)
from surefoot.wire import esp_image
from surefoot.wire import otadata as ota
from surefoot.wire import partition_table as table
from surefoot.wire.errors import Damaged, Misuse
from surefoot.wire.report import CONFIRMED, ROLLED_BACK, TRIAL, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPARE_STATE: "dict[int | None, str]" = {ota.VALID: CONFIRMED, ota.INVALID: ROLLED_BACK, ota.ABORTED: ROLLED_BACK}


class Esp32Slots:
    """Running and spare slot of a booted chip. Fills `shell.ports.SlotDriver`.

    Args:
        partition: MicroPython's `esp32.Partition`.
        block_bytes: What the agent shall erase and record at a time, a multiple of 4096. More wears the journal less
            and costs more of the download after a power cut.
    """

    def __init__(self, partition: "Any", *, block_bytes: int = 16 * BLOCK_BYTES) -> None:
        self._partition = partition
        self._block_bytes = block_bytes
        self._running = partition(partition.RUNNING)
        self._spare = self._running.get_next_update()
        self._otadata = partition.find(table.DATA, table.DATA_OTA)[0]
        apps = [found.info()[1] for found in partition.find(table.APP)]
        self._slot_count = len([subtype for subtype in apps if _is_ota_slot(subtype)])
        self._was_on_trial = self._state_of(self._running) == ota.PENDING_VERIFY
        # What runs cannot change before the next boot, and reading a whole slot takes a second.
        self._running_image = image_of(self._running)

    def look(self) -> Slots:
        """Return what both slots hold, read from flash."""
        digest, version, _ = self._running_image
        running = SlotImage(
            slot=label_of(self._running),
            digest=digest,
            version=version,
            state=TRIAL if self._is_on_trial() else CONFIRMED,
        )
        digest, version, spare_state = image_of(self._spare)
        if digest is not None:
            spare_state = _SPARE_STATE.get(self._state_of(self._spare), UNKNOWN)
        spare = SlotImage(slot=label_of(self._spare), digest=digest, version=version, state=spare_state)
        return Slots(
            running=running,
            spare=spare,
            spare_bytes=size_of(self._spare),
            block_bytes=self._block_bytes,
            enforces_trial=True,
        )

    def prepare_spare(self) -> None:
        """Erase the spare slot's boot record, unless the bootloader would start another image without it.

        The active record can be the spare's, when its image did not boot: left there, it would start the new one
        before anybody judged it.

        Raises:
            Misuse: `misuse-on-trial`; the spare slot may hold all that there is to go back to.
        """
        self._refuse_on_trial()
        records = self._records()
        active = ota.active_record(records[0], records[1])
        for index in (0, 1):
            if not records[index].is_crc_right() or not self._means(records[index], self._spare):
                continue
            if index != active or self._starts_running(records[1 - index]):
                erase(self._otadata, index * BLOCK_BYTES)

    def erase_block(self, offset_bytes: int) -> None:
        """Erase one block of the spare slot, as much of it as the slot has."""
        self._refuse_on_trial()
        end = min(offset_bytes + self._block_bytes, size_of(self._spare))
        for offset in range(offset_bytes, end, BLOCK_BYTES):
            erase(self._spare, offset)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Program the spare slot."""
        self._refuse_on_trial()
        program(self._spare, offset_bytes, data)

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the spare slot."""
        return read(self._spare, offset_bytes, length_bytes)

    def read_running(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read from the running slot."""
        return read(self._running, offset_bytes, length_bytes)

    def inspect(self, size_bytes: int) -> "tuple[str, int | None]":
        """Verify the spare slot's image as the bootloader will, and return its version text and chip id.

        Raises:
            Refused: `refused-image-format`.
        """
        image = esp_image.verify_whole(self.read, size_bytes)
        return image.version, image.chip_id

    def set_boot_slot(self) -> None:
        """Let the bootloader try the spare slot next, and read back that it will: old MicroPython hides failures.

        Raises:
            Damaged: `stage-failed`.
        """
        self._refuse_on_trial()
        reason = "the boot record does not read back"
        try:
            self._spare.set_boot()
        except OSError as error:
            reason = f"ESP-IDF says {error}"
        active = self._active_record()
        # UNDEFINED is what a bootloader that was built without rollback goes by.
        if active is None or not self._means(active, self._spare) or active.state not in (ota.NEW, ota.UNDEFINED):
            raise Damaged(
                "stage-failed", f"{label_of(self._spare)} will not boot next ({reason}): the update ends here."
            )

    def confirm(self) -> None:
        """Mark the running image valid. Whether that succeeded, only `look` tells: what stands in flash decides."""
        active = self._active_record()
        # ESP-IDF marks the active record whichever image runs, and would so confirm another one.
        if active is not None and self._means(active, self._running):
            try:
                self._partition.mark_app_valid_cancel_rollback()
            except OSError:
                return

    def go_back(self) -> None:
        """Leave the trial unconfirmed: the bootloader gives the image up at the restart that follows.

        Raises:
            Damaged: `damaged-no-rollback-image` when something else confirmed the image, or no other would boot.
        """
        if self._state_of(self._running) == ota.VALID:
            detail = f"{label_of(self._running)} was confirmed meanwhile: let nothing but the agent confirm images."
            raise Damaged("damaged-no-rollback-image", detail)
        chip_id = esp_image.measure(reader_of(self._running), size_of(self._running)).chip_id
        others = [app for app in self._partition.find(table.APP) if label_of(app) != label_of(self._running)]
        if not any(is_bootable(app, chip_id) for app in others):
            raise Damaged("damaged-no-rollback-image", "No other image would boot: keep this one.")

    def _is_on_trial(self) -> bool:
        state = self._state_of(self._running)
        return state == ota.PENDING_VERIFY or (self._was_on_trial and state != ota.VALID)

    def _refuse_on_trial(self) -> None:
        if self._is_on_trial():
            raise Misuse("misuse-on-trial", "The running image is on trial: confirm it before beginning an update.")

    def _records(self) -> "list[ota.OtaRecord]":
        return [
            ota.parse_record(read(self._otadata, index * BLOCK_BYTES, ota.RECORD_BYTES))
            for index in range(ota.RECORD_COUNT)
        ]

    def _active_record(self) -> "ota.OtaRecord | None":
        records = self._records()
        active = ota.active_record(records[0], records[1])
        return None if active is None else records[active]

    def _starts_running(self, only: "ota.OtaRecord") -> bool:
        """Whether the bootloader would start the running image if it had no other record than this one."""
        if only.is_valid():
            return self._means(only, self._running)
        subtype: int = self._running.info()[1]
        return subtype == table.APP_FACTORY

    def _state_of(self, slot: "Any") -> "int | None":
        """Return the state that the first record with a right CRC gives a slot, None without one, as ESP-IDF does."""
        for record in self._records():
            if record.is_crc_right() and self._means(record, slot):
                return record.state
        return None

    def _means(self, record: "ota.OtaRecord", slot: "Any") -> bool:
        subtype: int = slot.info()[1]
        return _is_ota_slot(subtype) and ota.slot_of(record.seq, self._slot_count) == subtype - table.APP_OTA_0


def _is_ota_slot(subtype: int) -> bool:
    return table.APP_OTA_0 <= subtype < table.APP_OTA_0 + table.APP_OTA_SLOTS_MAX
