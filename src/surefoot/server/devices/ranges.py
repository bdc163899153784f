"""Byte ranges and conditional requests (RFC 9110 sections 13 and 14), for files that never change."""

import re
from dataclasses import dataclass

from surefoot.wire.errors import Refused

# More digits than any file has bytes: such a header is ignored, as a malformed one is.
_SINGLE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of a file."""

    offset_bytes: int
    length_bytes: int


def parse_range(header: str | None, size_bytes: int) -> Span | None:
    """Return the part a Range header asks for, or None for the whole file.

    A malformed header, another unit and a list of ranges are ignored, which the RFC allows.

    Raises:
        Refused: `refused-range` when the part lies past the end.
    """
    match = _SINGLE_RANGE.fullmatch((header or "").strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        length_bytes = min(int(last), size_bytes)
        offset_bytes = size_bytes - length_bytes
    else:
        offset_bytes = int(first)
        if last and int(last) < offset_bytes:
            return None
        end = min(int(last) + 1, size_bytes) if last else size_bytes
        length_bytes = end - offset_bytes
    if length_bytes <= 0:
        raise Refused(
            "refused-range",
            f"The range {header!r} lies past the end: the file has {size_bytes} bytes.",
        )
    return Span(offset_bytes=offset_bytes, length_bytes=length_bytes)


def names_etag(if_none_match: str, etag: str) -> bool:
    """Whether an If-None-Match header names this entity tag (weak comparison) or any."""
    candidates = [candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")]
    return "*" in candidates or etag in candidates
