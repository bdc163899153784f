"""A robot's way to a fleet in the same process: every message as bytes, and no network in between."""

from collections.abc import Callable

from surefoot.fleet.exchange import exchange
from surefoot.fleet.model import Robot
from surefoot.fleet.ports import Blobs, Rows, Store
from surefoot.fleet.settings import FleetSettings
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer, encode_answer, parse_answer
from surefoot.wire.report import Report, encode_report, parse_report


class BlobDownload:
    """One open download. Fills `shell.ports.Download`."""

    def __init__(self, blobs: Blobs, sha256: str, first_byte: int, size_bytes: int) -> None:
        self._blobs = blobs
        self._sha256 = sha256
        self._offset_bytes = first_byte
        self._size_bytes = size_bytes

    def read(self, length_bytes: int) -> bytes:
        """Return the next bytes of the file."""
        length_bytes = min(length_bytes, self._size_bytes - self._offset_bytes)
        data = self._blobs.read(self._sha256, self._offset_bytes, length_bytes) if length_bytes > 0 else b""
        self._offset_bytes += len(data)
        return data

    def close(self) -> None:
        """Nothing is held."""


class FleetLink:
    """The fleet's use cases as a robot's transport. Fills `shell.ports.Transport`.

    Args:
        store: The fleet's rows.
        blobs: The fleet's images.
        robot: The robot whose credentials it carries.
        clock: Unix seconds of the world's time.
        new_id: Makes assignment ids.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        robot: Robot,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._blobs = blobs
        self.robot = robot
        self._clock = clock
        self._new_id = new_id
        self._settings = FleetSettings(public_url="sim:")

    def exchange(self, report: Report) -> Answer:
        """Bring the report to the fleet and its answer back."""
        received = parse_report(encode_report(report))

        def work(rows: Rows) -> Answer:
            return exchange(rows, self.robot, received, self._clock(), self._settings, self._new_id)

        return parse_answer(encode_answer(self._store.submit(work).result()))

    def open(self, url: str, sha256: str, first_byte: int) -> BlobDownload:
        """Open an image; `Refused` (`refused-image-gone`) when the fleet has none of that name."""
        size_bytes = self._blobs.size_bytes(sha256)
        if size_bytes is None:
            raise Refused("refused-image-gone", f"There is no image {sha256[:16]}…: publish it first.")
        return BlobDownload(self._blobs, sha256, first_byte, size_bytes)
