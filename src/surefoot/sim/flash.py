"""NOR flash and the power it needs.

Erasing sets a whole 4 KiB sector to 0xFF, programming can only clear bits, and the power can fail in the middle of
either. Programs reach the chip in pieces of at most 64 bytes that do not leave a 256-byte page, as ESP-IDF's driver
sends them. Every sector erase and every piece is one operation of the power supply, so a test first counts the
operations of a run and then cuts at each of them.
"""

import mmap
import os
import random
from enum import StrEnum
from pathlib import Path

from surefoot.wire.errors import Misuse

SECTOR_BYTES = 4096
PAGE_BYTES = 256
PIECE_BYTES = 64

_BLANK_SECTOR = bytes(SECTOR_BYTES)
_INVERTED = bytes(255 - byte for byte in range(256))


class PowerCut(BaseException):
    """The power failed. Like `KeyboardInterrupt` no `Exception`: nothing that runs on a robot can catch it."""


class Cut(StrEnum):
    """What the interrupted operation leaves behind."""

    NOTHING = "nothing"
    HALF = "half"
    NOISY = "noisy"
    DONE = "done"


class PowerSupply:
    """Counts operations, and fails in the one it was told to. Several storages may share one.

    Args:
        cut_at: number of the operation that is cut, the first being 1; None never cuts.
        cut: what that operation leaves.
        seed: which bits a noisy cut leaves undone.
    """

    def __init__(self, *, cut_at: int | None = None, cut: Cut = Cut.NOTHING, seed: int = 0) -> None:
        self._seed = seed
        self.restore(cut_at=cut_at, cut=cut)

    def restore(self, *, cut_at: int | None = None, cut: Cut = Cut.NOTHING) -> None:
        """Switch the power on, count from zero, and cut again at operation `cut_at` if given."""
        if cut_at is not None and cut_at < 1:
            raise Misuse("misuse-power", f"The first operation is number 1: cannot cut at {cut_at}.")
        self.operations = 0
        self.is_on = True
        self._cut_at = cut_at
        self._cut = Cut(cut)

    def require(self) -> None:
        """Raise `PowerCut` while the power is off."""
        if not self.is_on:
            raise PowerCut("The power is off: restore it first.")

    def draw(self, count: int) -> int:
        """Take power for `count` operations and return how many complete.

        If it is fewer, the power is off now: leave what `torn` says of the next one and raise `PowerCut`.
        """
        self.require()
        if self._cut_at is None or self.operations + count < self._cut_at:
            self.operations += count
            return count
        complete = self._cut_at - self.operations - 1
        self.operations = self._cut_at
        self.is_on = False
        return complete

    def torn(self, old: bytes, new: bytes) -> bytes:
        """Return what an interrupted change from `old` to `new` (of the same length) leaves."""
        match self._cut:
            case Cut.NOTHING:
                return old
            case Cut.HALF:
                return new[: len(new) // 2] + old[len(new) // 2 :]
            case Cut.NOISY:
                noise = random.Random(f"{self._seed}/{self.operations}").randbytes(len(new))
                return bytes(a ^ ((a ^ b) & n) for a, b, n in zip(old, new, noise, strict=True))
            case Cut.DONE:
                return new


class Flash:
    """A NOR flash chip.

    The bytes are kept inverted, so that the erased state is zero: memory and files stay sparse until programmed.

    Args:
        size_bytes: a multiple of the sector size.
        power: the supply it hangs on, by default one of its own that never fails.
        path: a file that keeps the bytes, made if missing; what was programmed survives a kill of the process.
    """

    def __init__(self, size_bytes: int, *, power: PowerSupply | None = None, path: Path | None = None) -> None:
        if size_bytes <= 0 or size_bytes % SECTOR_BYTES:
            raise Misuse("misuse-flash", f"A flash of {size_bytes} bytes is not made of sectors of {SECTOR_BYTES}.")
        self.size_bytes = size_bytes
        self.power = power or PowerSupply()
        self._inverted: bytearray | mmap.mmap = bytearray(size_bytes) if path is None else _map(path, size_bytes)

    def close(self) -> None:
        """Let go of the file, if there is one."""
        if isinstance(self._inverted, mmap.mmap):
            self._inverted.close()

    def copy(self, power: PowerSupply | None = None) -> "Flash":
        """Return a flash in memory with the same content, on a power supply of its own."""
        twin = Flash(self.size_bytes, power=power)
        twin._inverted[:] = self._inverted[:]
        return twin

    def read(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return bytes of the flash."""
        self.power.require()
        self._check_range(offset_bytes, length_bytes)
        return bytes(self._inverted[offset_bytes : offset_bytes + length_bytes]).translate(_INVERTED)

    def erase(self, offset_bytes: int, length_bytes: int) -> None:
        """Set whole sectors to 0xFF, one operation each."""
        self.power.require()
        self._check_range(offset_bytes, length_bytes)
        if offset_bytes % SECTOR_BYTES or length_bytes % SECTOR_BYTES:
            raise Misuse("misuse-flash", f"Cannot erase {length_bytes} bytes at 0x{offset_bytes:x}: not whole sectors.")
        count = length_bytes // SECTOR_BYTES
        complete = self.power.draw(count)
        end = offset_bytes + complete * SECTOR_BYTES
        for start in range(offset_bytes, end, SECTOR_BYTES):
            self._put_sector(start, _BLANK_SECTOR)
        if complete < count:
            old = bytes(self._inverted[end : end + SECTOR_BYTES])
            self._put_sector(end, self.power.torn(old, _BLANK_SECTOR))
            raise PowerCut(f"Power cut while erasing the sector at 0x{end:x}.")

    def write(self, offset_bytes: int, data: bytes) -> None:
        """Program bytes, one operation per piece.

        Raises:
            Misuse: `misuse-flash`, a bit would have to rise, which real NOR flash ignores silently: erase first.
        """
        self.power.require()
        self._check_range(offset_bytes, len(data))
        new = bytes(data).translate(_INVERTED)
        old = bytes(self._inverted[offset_bytes : offset_bytes + len(new)])
        if old != bytes(len(new)) and int.from_bytes(old, "little") & ~int.from_bytes(new, "little"):
            raise Misuse("misuse-flash", f"Cannot set bits by writing at 0x{offset_bytes:x}: erase the sector first.")
        count = _piece_count(offset_bytes, len(new))
        complete = self.power.draw(count)
        if complete == count:
            self._inverted[offset_bytes : offset_bytes + len(new)] = new
            return
        start, end = _piece(offset_bytes, len(new), complete)
        torn = self.power.torn(old[start:end], new[start:end])
        self._inverted[offset_bytes : offset_bytes + end] = new[:start] + torn
        raise PowerCut(f"Power cut while programming at 0x{offset_bytes + start:x}.")

    def _put_sector(self, offset_bytes: int, inverted: bytes) -> None:
        # Reading a hole of a sparse file costs nothing; writing zeros into it would fill it.
        if self._inverted[offset_bytes : offset_bytes + SECTOR_BYTES] != inverted:
            self._inverted[offset_bytes : offset_bytes + SECTOR_BYTES] = inverted

    def _check_range(self, offset_bytes: int, length_bytes: int) -> None:
        if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > self.size_bytes:
            raise Misuse("misuse-flash", f"0x{offset_bytes:x} + {length_bytes} bytes is outside the flash.")


def _map(path: Path, size_bytes: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        found_bytes = os.fstat(descriptor).st_size
        if found_bytes == 0:
            os.ftruncate(descriptor, size_bytes)
        elif found_bytes != size_bytes:
            raise Misuse("misuse-flash", f"{path} holds a flash of {found_bytes} bytes, not {size_bytes}: remove it.")
        return mmap.mmap(descriptor, size_bytes)
    finally:
        os.close(descriptor)


def _first_page_bytes(offset_bytes: int, length_bytes: int) -> int:
    return min(length_bytes, PAGE_BYTES - offset_bytes % PAGE_BYTES)


def _piece_count(offset_bytes: int, length_bytes: int) -> int:
    first_bytes = _first_page_bytes(offset_bytes, length_bytes)
    # From the second page on, pieces are aligned, so that no page boundary shortens one.
    return -(-first_bytes // PIECE_BYTES) + -(-(length_bytes - first_bytes) // PIECE_BYTES)


def _piece(offset_bytes: int, length_bytes: int, index: int) -> tuple[int, int]:
    """Return start and end of one piece, relative to the beginning of the write."""
    first_bytes = _first_page_bytes(offset_bytes, length_bytes)
    first_count = -(-first_bytes // PIECE_BYTES)
    if index < first_count:
        return index * PIECE_BYTES, min((index + 1) * PIECE_BYTES, first_bytes)
    start = first_bytes + (index - first_count) * PIECE_BYTES
    return start, min(start + PIECE_BYTES, length_bytes)
