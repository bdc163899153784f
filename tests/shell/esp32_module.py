"""MicroPython's `esp32` module on the simulated chip: the same calls, the same silences, the same bytes in flash.

After `esp32_partition.c` and `esp32_nvs.c` of MicroPython. Errors of ESP-IDF come as `OSError` with its number.
"""

import struct
from typing import Any
from zlib import crc32

from surefoot.sim import partitions
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.flash import SECTOR_BYTES
from surefoot.wire.errors import SurefootError

ESP_FAIL = -1
ESP_ERR_FLASH_OP_TIMEOUT = -0x6002
ESP_ERR_NVS_NOT_FOUND = -0x1102
ESP_ERR_NVS_NOT_ENOUGH_SPACE = -0x1105
ESP_ERR_OTA_VALIDATE_FAILED = -0x1503


def partition_class(app: AppUpdate, *, hides_failures: bool = False, worn_blocks: tuple[int, ...] = ()) -> type[Any]:
    """Return `esp32.Partition` as the booted application sees it; old MicroPython hides that `set_boot` failed.

    Flash is worn in these blocks of each partition: ESP-IDF gives up erasing them.
    """

    class Partition:
        BOOT, RUNNING = 0, 1
        TYPE_APP, TYPE_DATA = 0, 1

        def __init__(self, which: int | partitions.Partition) -> None:
            assert which == self.RUNNING or isinstance(which, partitions.Partition)
            self.part = which if isinstance(which, partitions.Partition) else app.running

        @staticmethod
        def find(type: int = 0, subtype: int = 0xFF, label: str | None = None) -> "list[Partition]":  # noqa: A002 - its name
            return [
                Partition(part)
                for part in app.partitions.all
                if part.entry.kind == type and subtype in {0xFF, part.entry.subtype} and label in {None, part.label}
            ]

        def info(self) -> tuple[int, int, int, int, str, bool]:
            entry = self.part.entry
            return entry.kind, entry.subtype, entry.offset_bytes, entry.size_bytes, entry.label, False

        def readblocks(self, block: int, buffer: bytearray, offset_bytes: int = 0) -> None:
            buffer[:] = self.part.read(block * SECTOR_BYTES + offset_bytes, len(buffer))

        def writeblocks(self, block: int, data: bytes, offset_bytes: int | None = None) -> None:
            if block in worn_blocks:
                raise OSError(ESP_ERR_FLASH_OP_TIMEOUT)
            if offset_bytes is None:
                self.part.erase(block * SECTOR_BYTES, len(data))
            self.part.write(block * SECTOR_BYTES + (offset_bytes or 0), data)

        def ioctl(self, command: int, argument: int) -> int | None:
            match command:
                case 4:
                    return self.part.size_bytes // SECTOR_BYTES
                case 5:
                    return SECTOR_BYTES
                case 6 if argument in worn_blocks:
                    raise OSError(ESP_ERR_FLASH_OP_TIMEOUT)
                case 6:
                    self.part.erase(argument * SECTOR_BYTES, SECTOR_BYTES)
                    return 0
                case _:
                    return None

        def get_next_update(self) -> "Partition":
            return Partition(app.next_update_slot())

        def set_boot(self) -> None:
            try:
                app.set_boot_slot(self.part.label)
            except SurefootError:
                if not hides_failures:
                    raise OSError(ESP_ERR_OTA_VALIDATE_FAILED) from None

        @classmethod
        def mark_app_valid_cancel_rollback(cls) -> None:
            try:
                app.mark_valid()
            except SurefootError:
                raise OSError(ESP_FAIL) from None

    return Partition


def nvs_class(nvs: partitions.Partition, *, reads: bool = True) -> type[Any]:
    """Return `esp32.NVS` on the nvs partition, a pair of sectors for each key; it may have lost the power to read.

    Harsher than ESP-IDF's, which keeps the old value until the new one is complete: here an interrupted write may lose
    the value it replaces. What did not arrive whole is not found.
    """

    class NVS:
        def __init__(self, namespace: str) -> None:
            assert 0 < len(namespace) <= 15

        def get_blob(self, key: str, buffer: bytearray) -> int:
            if not reads:
                raise OSError(ESP_FAIL)
            place = self._place(key)
            length: int
            length, crc = struct.unpack("<II", nvs.read(place, 8))
            if length > len(buffer):
                raise OSError(ESP_ERR_NVS_NOT_FOUND)
            data = nvs.read(place + 8, length)
            if crc32(data) != crc:
                raise OSError(ESP_ERR_NVS_NOT_FOUND)
            buffer[:length] = data
            return length

        def set_blob(self, key: str, value: bytes) -> None:
            place = self._place(key)
            if 8 + len(value) > 2 * SECTOR_BYTES:
                raise OSError(ESP_ERR_NVS_NOT_ENOUGH_SPACE)
            nvs.erase(place, 2 * SECTOR_BYTES)
            nvs.write(place, struct.pack("<II", len(value), crc32(value)) + value)

        def commit(self) -> None:
            """ESP-IDF's writes at once."""

        def _place(self, key: str) -> int:
            assert 0 < len(key) <= 15
            # By the key's last digit, so that every boot finds what another one wrote.
            return int(key[-1]) * 2 * SECTOR_BYTES

    return NVS
