"""What ESP-IDF's bootloader does at power-on, byte for byte in otadata (checked by `tests/vectors/otadata-boot.json`).

After `bootloader_utility.c` of ESP-IDF 5, without anti-rollback, test app and encryption.
"""

from collections.abc import Iterator

from surefoot.sim.flash import Flash
from surefoot.sim.partitions import (
    TABLE_OFFSET_BYTES,
    Partition,
    Partitions,
    read_partitions,
    read_records,
    rewrite_record,
)
from surefoot.wire import esp_image
from surefoot.wire import otadata as ota
from surefoot.wire.errors import Damaged, Refused

_FACTORY = -1


def boot(flash: Flash, *, rollback_enabled: bool = True, table_offset_bytes: int = TABLE_OFFSET_BYTES) -> str:
    """Choose, verify and start an image; return the label of its partition.

    Raises:
        Damaged: `damaged-not-bootable`, no image verifies, or there is no partition table to find one by.
    """
    try:
        partitions = read_partitions(flash, table_offset_bytes=table_offset_bytes)
    except Refused as refused:
        raise Damaged("damaged-not-bootable", f"Nothing to boot: {refused.message}") from refused
    first, is_unwritten = _select(partitions, rollback_enabled)
    for index in _order(first, len(partitions.slots)):
        partition = _app(partitions, index)
        if partition is None or not is_bootable(partition):
            continue
        if is_unwritten and index != _FACTORY and partitions.otadata:
            rewrite_record(partitions.otadata, 0, ota.encode_record(index + 1, ota.VALID))
        return partition.label
    raise Damaged("damaged-not-bootable", "Nothing to boot: no partition holds a valid image. Flash one by cable.")


def is_bootable(partition: Partition) -> bool:
    """Whether the bootloader would start the image in this partition."""
    try:
        esp_image.verify(partition.read, partition.size_bytes)
    except Refused:
        return False
    return True


def _select(partitions: Partitions, rollback_enabled: bool) -> tuple[int, bool]:
    """Return the app to try first, and whether the first OTA slot that boots shall be recorded."""
    slot_count = len(partitions.slots)
    if partitions.otadata is None:
        return _FACTORY, False
    records = read_records(partitions.otadata)
    if rollback_enabled:
        for index, record in enumerate(records):
            # An unconfirmed trial ends here. The CRC is not looked at, and stays as it is.
            if record.state == ota.PENDING_VERIFY:
                records[index] = _change_state(partitions.otadata, index, record, ota.ABORTED)
    if slot_count == 0 or all(record.is_invalid() for record in records):
        if partitions.factory:
            return _FACTORY, False
        return 0, all(record.seq == ota.SEQ_BLANK or not record.is_crc_right() for record in records)
    active = ota.active_record(*records)
    if active is None:
        return _FACTORY, False
    # The attempt is recorded before the image is verified: a corrupt new image leaves PENDING_VERIFY behind.
    if rollback_enabled and records[active].state == ota.NEW:
        _change_state(partitions.otadata, active, records[active], ota.PENDING_VERIFY)
    return ota.slot_of(records[active].seq, slot_count), False


def _change_state(records: Partition, index: int, record: ota.OtaRecord, state: int) -> ota.OtaRecord:
    changed = record.replace(state=state)
    rewrite_record(records, index, changed.encode())
    return changed


def _order(first: int, slot_count: int) -> Iterator[int]:
    """Yield the apps in the order they are tried: downwards to factory, then the slots above."""
    yield from range(first, _FACTORY - 1, -1)
    yield from range(first + 1, slot_count)


def _app(partitions: Partitions, index: int) -> Partition | None:
    if index == _FACTORY:
        return partitions.factory
    return partitions.slots[index] if index < len(partitions.slots) else None
