"""The `Blobs` port on a directory: every file is named by the SHA-256 of its bytes."""

import os
import re
import tempfile
from hashlib import sha256 as hash_sha256
from pathlib import Path

from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused

SHA256 = re.compile("[0-9a-f]{64}")


class DirectoryBlobs:
    """Files below `path`, a directory that belongs to one process.

    A file is written in `incoming/`, synced, and only then moved to its name, so whatever has a name is complete;
    what a killed process left in `incoming/` is removed at start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._incoming = path / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        _sync(path.parent)
        for leftover in self._incoming.iterdir():
            leftover.unlink()

    def put(self, sha256: str, data: bytes) -> None:
        """Store durably; what is there already is left alone.

        Raises:
            Refused: `refused-sha256` when the bytes have another SHA-256.
            Interrupted: `interrupted-blob` when the file system would not take them.
        """
        found = hash_sha256(data).hexdigest()
        if found != sha256:
            raise Refused("refused-sha256", f"The file has the SHA-256 {found}, not {sha256}: send it again.")
        try:
            self._put(self._file(sha256), data)
        except OSError as error:
            raise Interrupted(
                "interrupted-blob", f"{sha256} could not be stored: see to the disk and retry. {error.strerror}"
            ) from error

    def size_bytes(self, sha256: str) -> int | None:
        """Return the file's size, or None when there is none."""
        if not SHA256.fullmatch(sha256):
            return None
        try:
            return self._file(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        """Return a piece of the file.

        Raises:
            Damaged: `damaged-blob` when the file, or so much of it, is not there.
            Misuse: `misuse-blob-range` when the piece has a negative offset or length.
        """
        if offset_bytes < 0 or length_bytes < 0:
            raise Misuse("misuse-blob-range", f"{length_bytes} bytes at {offset_bytes} are no piece of a file.")
        # Checked before the name is: what a stranger sent must never become part of a path.
        if not SHA256.fullmatch(sha256):
            raise _missing(sha256)
        try:
            return _read(self._file(sha256), offset_bytes, length_bytes)
        except OSError as error:
            raise _missing(sha256) from error

    def _file(self, sha256: str) -> Path:
        # Two levels of 256 directories keep each of them small.
        return self._path / sha256[:2] / sha256[2:4] / sha256

    def _put(self, file: Path, data: bytes) -> None:
        # Another size means that the disk lost some of it: it is replaced.
        if self.size_bytes(file.name) != len(data):
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as incoming:
                moving = Path(incoming.name)
                try:
                    incoming.write(data)
                    incoming.flush()
                    os.fsync(incoming.fileno())
                    moving.replace(file)
                finally:
                    moving.unlink(missing_ok=True)
        # Even when the file was there: the put that brought it may have been killed before it came this far.
        for directory in (file.parent, file.parent.parent, self._path):
            _sync(directory)


def _read(file: Path, offset_bytes: int, length_bytes: int) -> bytes:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        # Asked before reading, which would set aside as much memory as was asked for.
        if offset_bytes + length_bytes > os.fstat(descriptor).st_size:
            raise _missing(file.name)
        piece = bytearray()
        while len(piece) < length_bytes:
            # One call may return less than was asked for, and nothing when the file has just been cut.
            more = os.pread(descriptor, length_bytes - len(piece), offset_bytes + len(piece))
            if not more:
                raise _missing(file.name)
            piece += more
        return bytes(piece)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing(sha256: str) -> Damaged:
    return Damaged("damaged-blob", f"The file {sha256[:64]!r} is missing or too short: publish the release again.")
