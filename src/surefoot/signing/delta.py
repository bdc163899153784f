"""Makes deltas: what a robot needs to turn the image it runs into another one (the file format is `wire.delta`'s).

A delta is not signed. It carries the target's signed header, and the robot judges what comes out by that, as it judges
a full download; a wrong delta costs a robot the time to notice.
"""

import hashlib
import io
import zlib

from surefoot.wire.delta import WINDOW_BITS, DeltaHead, patched
from surefoot.wire.errors import Refused
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader

# More memory for the packer would be of use for larger windows only; with this one it packs worse.
_PACKER_MEMORY_LEVEL = 8


def make_delta(source_file: bytes, target_file: bytes) -> bytes:
    """Return the delta that leads robots from one signed image to another; it was applied once, and led there.

    Args:
        source_file: The signed image whose firmware robots run, header included.
        target_file: The signed image they shall get.

    Raises:
        Refused: `refused-image-format` or `refused-digest` when a file is no whole signed image;
            `refused-delta` when both hold the same firmware.
    """
    # The server has this module too, and leaves the work, with all it takes to load, to a process of its own.
    import detools  # type: ignore[import-untyped] # noqa: PLC0415

    source, target = _firmware(source_file), _firmware(target_file)
    if source == target:
        raise Refused("refused-delta", "Both images hold the same firmware: there is nothing to send.")
    head = DeltaHead(source_digest=hashlib.sha256(source).hexdigest(), header=target_file[:HEADER_BYTES])
    patch = io.BytesIO()
    detools.create_patch(io.BytesIO(source), io.BytesIO(target), patch, compression="none")
    packer = zlib.compressobj(9, zlib.DEFLATED, WINDOW_BITS, _PACKER_MEMORY_LEVEL)
    delta = head.encode() + packer.compress(patch.getvalue()) + packer.flush()
    made = b"".join(
        patched(io.BytesIO(patch.getvalue()).read, lambda at, length: source[at : at + length], len(target))
    )
    if made != target:
        raise Refused("refused-delta", "The delta leads to other bytes than the target's: publish without it.")
    return delta


def _firmware(file: bytes) -> bytes:
    """Return the firmware of a signed image; who signed it is not asked here."""
    header = ImageHeader.parse(file[:HEADER_BYTES])
    firmware = file[HEADER_BYTES:]
    if len(firmware) != header.size_bytes:
        detail = f"The image has {len(firmware)} bytes and its header says {header.size_bytes}: fetch it again."
        raise Refused("refused-image-format", detail)
    if hashlib.sha256(firmware).hexdigest() != header.digest:
        raise Refused("refused-digest", "The image's SHA-256 is not the one its header names: fetch it again.")
    return firmware
