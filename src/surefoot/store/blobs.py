"""The `Blobs` port on a directory: every file is named by the SHA-256 of its bytes."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from surefoot.store.blob_rules import SHA256, check_piece, check_sha256, missing, not_stored

INCOMING = "incoming"


class DirectoryBlobs:
    """Files below `path`, a directory that any number of processes may share.

    A file is written in `incoming/`, synced, and only then moved to its name, so whatever has a name is complete.
    Whoever writes one there holds a lock on it; what nobody holds was left by a killed process and is removed at start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._incoming = path / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        _sync(path.parent)
        for leftover in self._incoming.iterdir():
            _sweep(leftover)

    def put(self, sha256: str, data: bytes) -> None:
        """Store durably; what is there already is left alone.

        Raises:
            Refused: `refused-sha256` when the bytes have another SHA-256.
            Interrupted: `interrupted-blob` when the file system would not take them.
        """
        check_sha256(sha256, data)
        try:
            self._put(self._file(sha256), data)
        except OSError as error:
            raise not_stored(sha256, str(error.strerror)) from error

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
        check_piece(sha256, offset_bytes, length_bytes)
        try:
            return _read(self._file(sha256), offset_bytes, length_bytes)
        except OSError as error:
            raise missing(sha256) from error

    def redirect_url(self, sha256: str, valid_s: int) -> str | None:
        """Return None: files of a directory have no address."""
        return None

    def sha256s(self) -> Iterator[str]:
        """Yield the SHA-256 of every file."""
        for file in self._path.glob("??/??/*"):
            if SHA256.fullmatch(file.name):
                yield file.name

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
                    fcntl.flock(incoming, fcntl.LOCK_EX)
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
            raise missing(file.name)
        piece = b""
        while len(piece) < length_bytes:
            # One call may return less than was asked for, and nothing when the file has just been cut.
            more = os.pread(descriptor, length_bytes - len(piece), offset_bytes + len(piece))
            if not more:
                raise missing(file.name)
            piece += more
        return piece
    finally:
        os.close(descriptor)


def _sweep(leftover: Path) -> None:
    """Remove a file that nobody is writing any more."""
    with suppress(FileNotFoundError, BlockingIOError), leftover.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between its creation and its lock a file is empty: that one may still be somebody's.
        if os.fstat(file.fileno()).st_size:
            leftover.unlink()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
