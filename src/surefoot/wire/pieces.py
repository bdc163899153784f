"""Reading files of any size through `read(offset_bytes, length_bytes) -> bytes`, a piece at a time."""

import hashlib

from surefoot.wire.errors import Refused
from surefoot.wire.limits import CHUNK_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Read = Callable[[int, int], bytes]

ERASED = b"\xff"


def take(read: "Read", offset_bytes: int, length_bytes: int) -> bytes:
    """Return exactly these bytes; raise `Refused` (`refused-image-format`) when the file ends before."""
    data = read(offset_bytes, length_bytes)
    if len(data) != length_bytes:
        raise Refused(
            "refused-image-format",
            f"The file is cut off at byte {offset_bytes + len(data)}: build or fetch it again.",
        )
    return data


def digest_of(
    read: "Read", offset_bytes: int, length_bytes: int, algorithm: "Callable[[], Any]" = hashlib.sha256
) -> bytes:
    """Return the digest of this part of the file, SHA-256 unless another algorithm is named."""
    state = algorithm()
    end = offset_bytes + length_bytes
    while offset_bytes < end:
        piece = take(read, offset_bytes, min(CHUNK_BYTES, end - offset_bytes))
        state.update(piece)
        offset_bytes += len(piece)
    result: bytes = state.digest()
    return result


def is_filled(read: "Read", offset_bytes: int, length_bytes: int, filling: bytes = ERASED) -> bool:
    """Tell whether this part of the file is nothing but one byte, again and again."""
    end = offset_bytes + length_bytes
    while offset_bytes < end:
        piece = take(read, offset_bytes, min(CHUNK_BYTES, end - offset_bytes))
        if piece != filling * len(piece):
            return False
        offset_bytes += len(piece)
    return True


def shifted(read: "Read", by_bytes: int) -> "Read":
    """Return a reader of what begins that many bytes into the file."""
    return lambda offset_bytes, length_bytes: read(offset_bytes + by_bytes, length_bytes)
