"""A delta as the download it stands for: the same bytes, made of the running image and a patch.

The same file runs on CPython and on MicroPython.
"""

from surefoot.wire.delta import HEAD_BYTES, PIECE_BYTES, DeltaHead, patched, refused
from surefoot.wire.image_header import ImageHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from surefoot.shell.ports import Download, Inflate
    from surefoot.wire.esp_image import Read
    from surefoot.wire.offer import Delta


class PatchedDownload:
    """The full file, made as it is read. Fills `shell.ports.Download`.

    Args:
        download: The delta, open at its first byte.
        delta: What the offer says of it.
        read_running: Reads the image that runs.
        inflate: Unpacks the patch.
    """

    def __init__(self, download: "Download", delta: "Delta", read_running: "Read", inflate: "Inflate") -> None:
        self._download = download
        self._left_bytes = delta.size_bytes
        head = DeltaHead.parse(self._read_delta(HEAD_BYTES))
        if head.source_digest != delta.source_digest:
            raise refused("it is for another image than the one that runs")
        size_bytes = ImageHeader.parse(head.header).size_bytes
        # The first bytes of the full file are the header.
        self._ready = head.header
        self._pieces = patched(inflate(self._read_delta), read_running, size_bytes)

    def read(self, length_bytes: int) -> bytes:
        """Return exactly so many bytes of the full file, fewer at its end.

        Raises:
            Interrupted: The way breaks.
            Refused: `refused-delta`.
        """
        data = bytearray(length_bytes)
        made = 0
        while made < length_bytes:
            piece = self._ready or next(self._pieces, b"")
            if not piece:
                return bytes(data[:made])
            part = piece[: length_bytes - made]
            data[made : made + len(part)] = part
            self._ready = piece[len(part) :]
            made += len(part)
        if made <= PIECE_BYTES:
            return bytes(data)
        # Nobody else holds it, and a copy would take another 4 KiB in one piece from a chip's memory.
        return data  # type: ignore[return-value]

    def close(self) -> None:
        """Let go of the delta's download."""
        self._download.close()

    def skip(self, length_bytes: int) -> None:
        """Pass over what was written before: a patch can only be followed from its beginning."""
        while length_bytes:
            piece = self.read(min(PIECE_BYTES, length_bytes))
            if not piece:
                raise refused("it ends before the place to go on from")
            length_bytes -= len(piece)

    def _read_delta(self, length_bytes: int) -> bytes:
        data = self._download.read(min(length_bytes, self._left_bytes))
        self._left_bytes -= len(data)
        return data


def open_patched(
    download: "Download", delta: "Delta", read_running: "Read", inflate: "Inflate", first_byte: int
) -> PatchedDownload:
    """Return the full file from a byte on, made with the delta of this download, which is closed if that fails.

    Raises:
        Interrupted: The way breaks.
        Refused: `refused-delta`, `refused-image-format`.
    """
    whole = False
    try:
        made = PatchedDownload(download, delta, read_running, inflate)
        made.skip(first_byte)
        whole = True
        return made
    finally:
        if not whole:
            download.close()
