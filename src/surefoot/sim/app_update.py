"""What a running application does to flash through ESP-IDF's `app_update` (after `esp_ota_ops.c` of ESP-IDF 5).

Only what the application may ask for; who asks, and whether it is wise, is the agent's.
"""

from surefoot.sim.bootloader import is_bootable
from surefoot.sim.flash import SECTOR_BYTES, Flash
from surefoot.sim.partitions import TABLE_OFFSET_BYTES, Partition, read_partitions, read_records, rewrite_record
from surefoot.wire import esp_image
from surefoot.wire import otadata as ota
from surefoot.wire.errors import Damaged, Misuse


class AppUpdate:
    """ESP-IDF's update functions, as the application that was booted from `running` sees them.

    Args:
        flash: the robot's flash.
        running: label of the booted partition.
        rollback_enabled: how ESP-IDF was built (`CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE`).
        erases_stale_record: newer ESP-IDF: `begin` also erases the record of the image it overwrites.
        table_offset_bytes: where the partition table lies.
    """

    def __init__(
        self,
        flash: Flash,
        running: str,
        *,
        rollback_enabled: bool = True,
        erases_stale_record: bool = True,
        table_offset_bytes: int = TABLE_OFFSET_BYTES,
    ) -> None:
        self.partitions = read_partitions(flash, table_offset_bytes=table_offset_bytes)
        self.running = self.partitions[running]
        self._rollback_enabled = rollback_enabled
        self._erases_stale_record = erases_stale_record

    def next_update_slot(self) -> Partition:
        """Return the OTA slot after the running one, around to the first."""
        slots = self.partitions.slots
        if not slots:
            raise Misuse("misuse-partition", "There is no OTA slot to update.")
        return slots[(slots.index(self.running) + 1) % len(slots)] if self.running in slots else slots[0]

    def records(self) -> list[ota.OtaRecord]:
        """Return the two boot records as they are in flash."""
        return read_records(self._otadata())

    def slot_state(self, label: str) -> int | None:
        """Return the state that the first record with a right CRC gives this OTA slot; None without one."""
        for record in self.records():
            if self._slot_label(record.seq) == label and record.is_crc_right():
                return record.state
        return None

    def boot_slot(self) -> str | None:
        """Return the label of the OTA slot that the active record means; None without an active record."""
        records = self.records()
        active = ota.active_record(*records)
        return None if active is None else self._slot_label(records[active].seq)

    def begin(self, label: str, erase_bytes: int | None = None) -> Partition:
        """Prepare an OTA slot for writing and return it.

        Args:
            label: the slot.
            erase_bytes: how much to erase, rounded up to sectors; None erases all, 0 leaves it to the caller.

        Raises:
            Misuse: `misuse-running-slot`; `misuse-on-trial`, the running image must be confirmed first;
                `misuse-partition`, not an OTA slot.
        """
        slot = self._spare_slot(label)
        if self._rollback_enabled and self.slot_state(self.running.label) == ota.PENDING_VERIFY:
            raise Misuse("misuse-on-trial", "The running image is on trial: confirm it before beginning an update.")
        wanted_bytes = slot.size_bytes if erase_bytes is None else erase_bytes
        slot.erase(0, -(-wanted_bytes // SECTOR_BYTES) * SECTOR_BYTES)
        if self._rollback_enabled and self._erases_stale_record:
            self._erase_stale_record()
        return slot

    def resume(self, label: str) -> Partition:
        """Return an OTA slot for further writing, nothing erased; ESP-IDF asks no more than `misuse-running-slot`."""
        return self._spare_slot(label)

    def set_boot_slot(self, label: str) -> None:
        """Verify the image in a partition and let the bootloader start it next.

        Choosing factory erases all boot records.

        Raises:
            Refused: `refused-image-format`, nothing was changed.
            Misuse: `misuse-partition`, neither an OTA slot nor factory.
        """
        partition = self.partitions[label]
        esp_image.verify(partition.read, partition.size_bytes)
        otadata = self._otadata()
        if partition == self.partitions.factory:
            otadata.erase(0, otadata.size_bytes)
            return
        slot = self._slot_index(label)
        records = self.records()
        active = ota.active_record(*records)
        if active is None:
            index, seq = 0, ota.next_seq(None, slot, len(self.partitions.slots))
        elif self._slot_label(records[active].seq) == label:
            index, seq = active, records[active].seq
        else:
            index, seq = 1 - active, ota.next_seq(records[active].seq, slot, len(self.partitions.slots))
        state = ota.NEW if self._rollback_enabled else ota.UNDEFINED
        # ESP-IDF changes seq, state and CRC of what it read: the label bytes stay.
        rewrite_record(otadata, index, ota.encode_record(seq, state, records[index].label))

    def mark_valid(self) -> None:
        """Confirm: the *active* record becomes VALID, whichever image runs; an already valid one is not rewritten.

        Raises:
            Misuse: `misuse-no-boot-record`, the factory image has nothing to confirm.
        """
        index, record = self._active_record()
        if record.state != ota.VALID:
            rewrite_record(self._otadata(), index, record.replace(state=ota.VALID).encode())

    def mark_invalid(self) -> None:
        """Give the active record up (INVALID); the previous image starts at the next boot.

        Raises:
            Misuse: `misuse-no-boot-record`.
            Damaged: `damaged-no-rollback-image`, there is no other image that could start; nothing was changed.
        """
        index, record = self._active_record()
        if not self.is_rollback_possible():
            raise Damaged("damaged-no-rollback-image", "No other valid image to go back to: keep this one.")
        rewrite_record(self._otadata(), index, record.replace(state=ota.INVALID).encode())

    def is_rollback_possible(self) -> bool:
        """Whether there is an image to go back to: the other record's, or factory when that record is not valid."""
        records = self.records()
        active = ota.active_record(*records)
        if active is None:
            return False
        other = records[1 - active]
        if not other.is_valid():
            return self.partitions.factory is not None and is_bootable(self.partitions.factory)
        return is_bootable(self.partitions.slots[ota.slot_of(other.seq, len(self.partitions.slots))])

    def _erase_stale_record(self) -> None:
        """Erase the inactive record unless it means the running slot, whichever other slot it means."""
        records = self.records()
        active = ota.active_record(*records)
        if active is None:
            return
        stale = records[1 - active]
        if stale.seq == ota.SEQ_BLANK or not stale.is_crc_right() or self._slot_label(stale.seq) == self.running.label:
            return
        self._otadata().erase((1 - active) * SECTOR_BYTES, SECTOR_BYTES)

    def _otadata(self) -> Partition:
        if self.partitions.otadata is None:
            raise Misuse("misuse-partition", "There is no otadata partition.")
        return self.partitions.otadata

    def _active_record(self) -> tuple[int, ota.OtaRecord]:
        records = self.records()
        active = ota.active_record(*records)
        if active is None:
            raise Misuse("misuse-no-boot-record", "No boot record is active: a factory image cannot be marked.")
        return active, records[active]

    def _spare_slot(self, label: str) -> Partition:
        slot = self.partitions.slots[self._slot_index(label)]
        if slot == self.running:
            raise Misuse("misuse-running-slot", f"{label} is running: write another slot.")
        return slot

    def _slot_index(self, label: str) -> int:
        for index, slot in enumerate(self.partitions.slots):
            if slot.label == label:
                return index
        raise Misuse("misuse-partition", f"{label} is not an OTA slot.")

    def _slot_label(self, seq: int) -> str | None:
        slots = self.partitions.slots
        return slots[ota.slot_of(seq, len(slots))].label if slots else None
