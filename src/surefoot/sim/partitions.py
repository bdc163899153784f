"""Partitions of a simulated robot's flash: the geometries to flash, and what is found by reading the table back."""

from dataclasses import dataclass

from surefoot.sim.flash import SECTOR_BYTES, Flash
from surefoot.wire import otadata
from surefoot.wire import partition_table as table
from surefoot.wire.errors import Misuse
from surefoot.wire.partition_table import PartitionEntry

KIB = 1024
MIB = 1024 * KIB

# Where the robots' bootloader was built to look; ESP-IDF's own default is 0x8000.
TABLE_OFFSET_BYTES = 0x10000


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A flash size and the partitions on it."""

    name: str
    flash_size_bytes: int
    entries: tuple[PartitionEntry, ...]


def _entry(label: str, kind: int, subtype: int, offset_bytes: int, size_bytes: int, flags: int = 0) -> PartitionEntry:
    return PartitionEntry(
        kind=kind, subtype=subtype, offset_bytes=offset_bytes, size_bytes=size_bytes, label=label, flags=flags
    )


ROBOT = Geometry(
    name="robot",
    flash_size_bytes=8 * MIB,
    entries=(
        _entry("nvs", table.DATA, table.DATA_NVS, 0x11000, 0x6000),
        _entry("phy_init", table.DATA, table.DATA_PHY, 0x17000, 0x1000),
        _entry("otadata", table.DATA, table.DATA_OTA, 0x18000, 0x2000),
        _entry("factory", table.APP, table.APP_FACTORY, 0x20000, 2 * MIB),
        _entry("ota_0", table.APP, table.APP_OTA_0, 0x220000, 2 * MIB),
        _entry("ota_1", table.APP, table.APP_OTA_0 + 1, 0x420000, 2 * MIB),
        _entry("coredump", table.DATA, table.DATA_COREDUMP, 0x620000, 0x10000),
        _entry("nvs_keys", table.DATA, table.DATA_NVS_KEYS, 0x630000, 0x1000, table.FLAG_ENCRYPTED),
        _entry("storage", table.DATA, table.DATA_LITTLEFS, 0x631000, 0x1CF000),
    ),
)

SMALL = Geometry(
    name="small",
    flash_size_bytes=320 * KIB,
    entries=(
        _entry("nvs", table.DATA, table.DATA_NVS, 0x11000, 0x6000),
        _entry("otadata", table.DATA, table.DATA_OTA, 0x18000, 0x2000),
        _entry("factory", table.APP, table.APP_FACTORY, 0x20000, 64 * KIB),
        _entry("ota_0", table.APP, table.APP_OTA_0, 0x30000, 64 * KIB),
        _entry("ota_1", table.APP, table.APP_OTA_0 + 1, 0x40000, 64 * KIB),
    ),
)

NO_FACTORY = Geometry(
    name="no-factory",
    flash_size_bytes=256 * KIB,
    entries=(
        _entry("otadata", table.DATA, table.DATA_OTA, 0x11000, 0x2000),
        _entry("nvs", table.DATA, table.DATA_NVS, 0x13000, 0x6000),
        _entry("ota_0", table.APP, table.APP_OTA_0, 0x20000, 64 * KIB),
        _entry("ota_1", table.APP, table.APP_OTA_0 + 1, 0x30000, 64 * KIB),
    ),
)

THREE_SLOTS = Geometry(
    name="three-slots",
    flash_size_bytes=384 * KIB,
    entries=(
        _entry("nvs", table.DATA, table.DATA_NVS, 0x11000, 0x6000),
        _entry("otadata", table.DATA, table.DATA_OTA, 0x18000, 0x2000),
        _entry("factory", table.APP, table.APP_FACTORY, 0x20000, 64 * KIB),
        _entry("ota_0", table.APP, table.APP_OTA_0, 0x30000, 64 * KIB),
        _entry("ota_1", table.APP, table.APP_OTA_0 + 1, 0x40000, 64 * KIB),
        _entry("ota_2", table.APP, table.APP_OTA_0 + 2, 0x50000, 64 * KIB),
    ),
)

# One of each kind, small enough for thousands of worlds.
SMALL_GEOMETRIES = (SMALL, NO_FACTORY, THREE_SLOTS)
GEOMETRIES = (ROBOT, *SMALL_GEOMETRIES)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, read and written by offsets from its own beginning."""

    flash: Flash
    entry: PartitionEntry

    @property
    def label(self) -> str:
        """Its name in the table."""
        return self.entry.label

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.entry.size_bytes

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return bytes of the partition."""
        return self.flash.read(self._place(offset_bytes, length_bytes), length_bytes)

    def erase(self, offset_bytes: int, length_bytes: int) -> None:
        """Erase whole sectors of it."""
        self.flash.erase(self._place(offset_bytes, length_bytes), length_bytes)

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Program bytes; the place must have been erased."""
        self.flash.write(self._place(offset_bytes, len(data)), data)

    def _place(self, offset_bytes: int, length_bytes: int) -> int:
        if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > self.size_bytes:
            raise Misuse("misuse-flash", f"0x{offset_bytes:x} + {length_bytes} bytes is outside {self.label}.")
        return self.entry.offset_bytes + offset_bytes


@dataclass(frozen=True, slots=True)
class Partitions:
    """All partitions of a flash, in the order of its table."""

    all: tuple[Partition, ...]

    def __getitem__(self, label: str) -> Partition:
        """Return the partition of that label; `Misuse` when there is none."""
        for partition in self.all:
            if partition.label == label:
                return partition
        raise Misuse("misuse-partition", f"There is no partition {label}.")

    def find(self, kind: int, subtype: int) -> Partition | None:
        """Return the first partition of that type, if any."""
        for partition in self.all:
            if (partition.entry.kind, partition.entry.subtype) == (kind, subtype):
                return partition
        return None

    @property
    def factory(self) -> Partition | None:
        """The factory image's partition."""
        return self.find(table.APP, table.APP_FACTORY)

    @property
    def slots(self) -> tuple[Partition, ...]:
        """The OTA slots ota_0, ota_1, … up to the first that is missing."""
        slots: list[Partition] = []
        while len(slots) < table.APP_OTA_SLOTS_MAX:
            slot = self.find(table.APP, table.APP_OTA_0 + len(slots))
            if slot is None:
                break
            slots.append(slot)
        return tuple(slots)

    @property
    def otadata(self) -> Partition | None:
        """The partition of the boot records."""
        return self.find(table.DATA, table.DATA_OTA)


def flash_table(flash: Flash, geometry: Geometry, *, table_offset_bytes: int = TABLE_OFFSET_BYTES) -> None:
    """Write the geometry's partition table, as the production line does."""
    flash.erase(table_offset_bytes, SECTOR_BYTES)
    flash.write(table_offset_bytes, table.encode_table(geometry.entries))


def read_partitions(flash: Flash, *, table_offset_bytes: int = TABLE_OFFSET_BYTES) -> Partitions:
    """Find the partitions by the table in flash.

    Raises:
        Refused: `refused-partition-table`.
    """
    entries = table.parse_table(flash.read(table_offset_bytes, table.TABLE_BYTES), flash.size_bytes)
    return Partitions(tuple(Partition(flash, entry) for entry in entries))


def read_records(records: Partition) -> list[otadata.OtaRecord]:
    """Return the two boot records of the otadata partition."""
    return [
        otadata.parse_record(records.read(index * SECTOR_BYTES, otadata.RECORD_BYTES))
        for index in range(otadata.RECORD_COUNT)
    ]


def rewrite_record(records: Partition, index: int, record: bytes) -> None:
    """Replace a boot record as ESP-IDF does: between erase and write it does not exist."""
    records.erase(index * SECTOR_BYTES, SECTOR_BYTES)
    records.write(index * SECTOR_BYTES, record)
