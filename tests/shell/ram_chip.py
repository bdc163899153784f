"""A chip in memory for both interpreters: `esp32.Partition`, `esp32.NVS`, and as much bootloader as a good image needs.

The byte-exact one is in `surefoot.sim`, which MicroPython cannot run.
"""

from shell.fakes import PowerCut
from surefoot.wire import otadata as ota

BLOCK_BYTES = 4096
SLOT_BYTES = 8 * BLOCK_BYTES


class RamChip:
    """Two OTA slots and otadata, the first slot confirmed."""

    def __init__(self, image: bytes) -> None:
        self.slots = [bytearray(b"\xff" * SLOT_BYTES), bytearray(b"\xff" * SLOT_BYTES)]
        self.slots[0][: len(image)] = image
        self.otadata = bytearray(b"\xff" * (2 * BLOCK_BYTES))
        self.operations = 0
        self.cut_at: int | None = None
        self.put(0, 1, ota.VALID)
        self.running = 0
        self.blobs: dict[str, bytes] = {}
        self.operations = 0

    def draw(self) -> None:
        """Take power for one operation; the one it is to be cut at is not done."""
        self.operations += 1
        if self.operations == self.cut_at:
            raise PowerCut

    def put(self, index: int, seq: int, state: int) -> None:
        start = index * BLOCK_BYTES
        self.draw()
        self.otadata[start : start + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        self.draw()
        self.otadata[start : start + ota.RECORD_BYTES] = ota.encode_record(seq, state)

    def active(self) -> "tuple[int, ota.OtaRecord]":
        records = [ota.parse_record(bytes(self.otadata[start : start + 32])) for start in (0, BLOCK_BYTES)]
        index = ota.active_record(records[0], records[1])
        assert index is not None
        return index, records[index]

    def boot(self) -> None:
        """Do the bootloader's part of a restart."""
        index, record = self.active()
        if record.state == ota.PENDING_VERIFY:
            self.put(index, record.seq, ota.ABORTED)
            index, record = self.active()
        if record.state == ota.NEW:
            self.put(index, record.seq, ota.PENDING_VERIFY)
        self.running = ota.slot_of(record.seq, 2)

    def set_boot(self, slot: int) -> None:
        index, record = self.active()
        self.put(1 - index, ota.next_seq(record.seq, slot, 2), ota.NEW)

    def mark_valid(self) -> None:
        index, record = self.active()
        self.put(index, record.seq, ota.VALID)


def partition_of(chip: RamChip) -> type:
    """Return `esp32.Partition` of a chip."""

    class Partition:
        BOOT = 0
        RUNNING = 1

        def __init__(self, which: int, slot: "int | None" = None) -> None:
            self.slot = chip.running if slot is None else slot
            self.memory = chip.otadata if self.slot < 0 else chip.slots[self.slot]

        @staticmethod
        def find(kind: int = 0, subtype: int = 0xFF) -> "list[Partition]":
            return [Partition(-1, -1)] if kind else [Partition(-1, 0), Partition(-1, 1)]

        def info(self) -> "tuple[int, int, int, int, str, bool]":
            if self.slot < 0:
                return 1, 0, 0, len(self.memory), "otadata", False
            return 0, 0x10 + self.slot, 0, len(self.memory), "ota_" + str(self.slot), False

        def readblocks(self, block: int, buffer: bytearray, offset_bytes: int = 0) -> None:
            start = block * BLOCK_BYTES + offset_bytes
            buffer[:] = self.memory[start : start + len(buffer)]

        def writeblocks(self, block: int, data: bytes, offset_bytes: int) -> None:
            start = block * BLOCK_BYTES + offset_bytes
            assert self.memory[start : start + len(data)] == b"\xff" * len(data), "not erased"
            chip.draw()
            self.memory[start : start + len(data)] = data

        def ioctl(self, command: int, block: int) -> None:
            assert command == 6
            chip.draw()
            self.memory[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES] = b"\xff" * BLOCK_BYTES

        def get_next_update(self) -> "Partition":
            return Partition(-1, 1 - self.slot)

        def set_boot(self) -> None:
            chip.set_boot(self.slot)

        @staticmethod
        def mark_app_valid_cancel_rollback() -> None:
            chip.mark_valid()

    return Partition


def nvs_of(chip: RamChip) -> type:
    """Return `esp32.NVS` of a chip; what was not committed is not there."""

    class NVS:
        def __init__(self, namespace: str) -> None:
            self.uncommitted: dict[str, bytes] = {}

        def get_blob(self, key: str, buffer: bytearray) -> int:
            if key not in chip.blobs:
                raise OSError(-0x1102)
            value = chip.blobs[key]
            buffer[: len(value)] = value
            return len(value)

        def set_blob(self, key: str, value: bytes) -> None:
            self.uncommitted[key] = bytes(value)

        def commit(self) -> None:
            chip.draw()
            chip.blobs.update(self.uncommitted)

    return NVS
