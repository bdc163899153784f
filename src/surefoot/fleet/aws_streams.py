"""File streams of AWS IoT: which blocks a request means, and what answers say.

Keys: `s` stream version, `f` file id, `l` block length in bytes, `o` first block, `n` how many blocks, `b` bitmap of
the blocks wanted from `o` on (bit k of byte j is block o + 8 j + k), `c` client token; data has `i` the block's number
and `p` its bytes. JSON carries `p` as base64 and `b` as hex digits; CBOR carries both as bytes.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# What belongs into the slot, and the release's whole file, which our own agent takes: its signature is in there.
SLOT_FILE, WHOLE_FILE = 0, 1
STREAM_VERSION = 1
BLOCK_BYTES_MIN, BLOCK_BYTES_MAX = 256, 131072
REQUEST_PAYLOAD_BYTES_MAX = 128 * 1024
CLIENT_TOKEN_CHARS_MAX = 64
# The composable library's CBOR requests carry these four bytes whatever they want; they are no bitmap.
NO_BITMAP = b"MQ=="


class StreamErrorCode(StrEnum):
    """The codes of rejections, by the names they have on the wire."""

    INVALID_TOPIC = "InvalidTopic"
    INVALID_JSON = "InvalidJson"
    INVALID_CBOR = "InvalidCbor"
    INVALID_REQUEST = "InvalidRequest"
    UNAUTHORIZED = "Unauthorized"
    BLOCK_SIZE_OUT_OF_BOUNDS = "BlockSizeOutOfBounds"
    OFFSET_OUT_OF_BOUNDS = "OffsetOutOfBounds"
    BLOCK_COUNT_LIMIT_EXCEEDED = "BlockCountLimitExceeded"
    BLOCK_BITMAP_LIMIT_EXCEEDED = "BlockBitmapLimitExceeded"
    RESOURCE_NOT_FOUND = "ResourceNotFound"
    VERSION_MISMATCH = "VersionMismatch"
    INTERNAL_ERROR = "InternalError"


class StreamError(Exception):
    """A request that is answered with a rejection."""

    def __init__(self, code: StreamErrorCode, message: str, client_token: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.client_token = client_token

    def to_object(self) -> dict[str, Any]:
        """Return the rejection, under the short names and under those that some clients read."""
        value: dict[str, Any] = {"o": self.code, "m": self.message, "code": self.code, "message": self.message}
        if self.client_token is not None:
            value |= {"c": self.client_token, "clientToken": self.client_token}
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The blocks a request means, in ascending order, and what answers give back."""

    numbers: tuple[int, ...]
    block_bytes: int
    client_token: str | None
    file_id: int = SLOT_FILE

    def ranges(self, size_bytes: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, first byte and length of each block; only the file's last one is short."""
        for number in self.numbers:
            first = number * self.block_bytes
            yield number, first, min(self.block_bytes, size_bytes - first)


def client_token_of(source: dict[str, Any]) -> str | None:
    """Return the client token of a request, None where there is none that could be given back."""
    token = source.get("c")
    return token if isinstance(token, str) and len(token) <= CLIENT_TOKEN_CHARS_MAX else None


def read_get(source: dict[str, Any], size_bytes: int, whole_bytes: int | None = None) -> Blocks:
    """Return the blocks that a `get` means of what belongs into the slot, or of the whole file if that is streamed.

    Raises:
        StreamError: with the code that AWS gives for what is wrong.
    """
    token = client_token_of(source)
    try:
        sizes = {SLOT_FILE: size_bytes, WHOLE_FILE: whole_bytes}
        return _read_get(source, sizes, token)
    except StreamError as error:
        raise StreamError(error.code, error.message, token) from None


def _read_get(source: dict[str, Any], sizes: dict[int, int | None], token: str | None) -> Blocks:
    if _number(source, "s", STREAM_VERSION) != STREAM_VERSION:
        raise StreamError(StreamErrorCode.VERSION_MISMATCH, f"The stream has version {STREAM_VERSION}.")
    file_id = _number(source, "f", None)
    size_bytes = sizes.get(file_id)
    if size_bytes is None:
        raise StreamError(StreamErrorCode.RESOURCE_NOT_FOUND, f"The stream has no file with id {file_id}.")
    block_bytes = _number(source, "l", None)
    if not BLOCK_BYTES_MIN <= block_bytes <= BLOCK_BYTES_MAX:
        detail = f"l must be from {BLOCK_BYTES_MIN} to {BLOCK_BYTES_MAX}."
        raise StreamError(StreamErrorCode.BLOCK_SIZE_OUT_OF_BOUNDS, detail)
    offset, total = _number(source, "o", 0), -(-size_bytes // block_bytes)
    if offset >= total:
        raise StreamError(StreamErrorCode.OFFSET_OUT_OF_BOUNDS, f"o must be below {total}, the number of blocks.")
    most = REQUEST_PAYLOAD_BYTES_MAX // block_bytes
    # Only a bitmap says itself how many it wants.
    bitmap = _bitmap(source.get("b"))
    count = _number(source, "n", 1 if bitmap is None else most)
    if count < 1:
        raise StreamError(StreamErrorCode.INVALID_REQUEST, "n must be at least 1.")
    if count > most and source.get("n") is not None and bitmap is None:
        raise StreamError(StreamErrorCode.BLOCK_COUNT_LIMIT_EXCEEDED, f"n may be {most} at most with this l.")
    if bitmap is None:
        numbers = tuple(range(offset, min(offset + count, total)))
    else:
        wanted = (offset + bit for bit in range(8 * len(bitmap)) if bitmap[bit // 8] >> bit % 8 & 1)
        numbers = tuple(number for number in wanted if number < total)[: min(count, most)]
    if not numbers:
        raise StreamError(StreamErrorCode.INVALID_REQUEST, "b names no block of the file.")
    return Blocks(numbers=numbers, block_bytes=block_bytes, client_token=token, file_id=file_id)


def data_object(blocks: Blocks, number: int, payload: bytes, *, as_json: bool) -> dict[str, Any]:
    """Return the message that carries one block."""
    value: dict[str, Any] = {"f": blocks.file_id, "l": len(payload), "i": number}
    value["p"] = base64.b64encode(payload).decode() if as_json else payload
    return value if blocks.client_token is None else {"c": blocks.client_token, **value}


def description_object(size_bytes: int, client_token: str | None) -> dict[str, Any]:
    """Return the answer to `describe`, which tells of what devices made for AWS IoT look for."""
    value = {"s": STREAM_VERSION, "d": "", "r": [{"f": SLOT_FILE, "z": size_bytes}]}
    return value if client_token is None else {"c": client_token, **value}


def _number(source: dict[str, Any], name: str, default: int | None) -> int:
    value = source.get(name, default)
    if isinstance(value, str) and len(value) <= 10 and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise StreamError(StreamErrorCode.INVALID_REQUEST, f"{name} must be a whole number.")
    return value


def _bitmap(value: object) -> bytes | None:
    if value is None or value in (NO_BITMAP, NO_BITMAP.decode()):
        return None
    if isinstance(value, str):
        try:
            value = binascii.unhexlify(value[2:] if value[:2].lower() == "0x" else value)
        except (ValueError, binascii.Error):
            raise StreamError(StreamErrorCode.INVALID_REQUEST, "b must be hex digits.") from None
    if not isinstance(value, bytes):
        raise StreamError(StreamErrorCode.INVALID_REQUEST, "b must be a bitmap.")
    if len(value) > BLOCK_BYTES_MAX // 8:
        raise StreamError(StreamErrorCode.BLOCK_BITMAP_LIMIT_EXCEEDED, "b names more blocks than a file may have.")
    return value or None
