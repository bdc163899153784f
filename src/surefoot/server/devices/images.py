"""Serves the bytes of published images: ranges, resume and caching, counted, a piece at a time."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from surefoot.fleet.deltas import releases_behind
from surefoot.fleet.downloads import REDIRECT_S, give_back, reserve, reserve_redirect
from surefoot.fleet.model import Robot
from surefoot.server.asgi import Response
from surefoot.server.devices.pieces import Pieces
from surefoot.server.devices.ranges import Span, names_etag, parse_range
from surefoot.server.problems import problem_response
from surefoot.server.services import Services
from surefoot.wire.errors import Damaged, Refused
from surefoot.wire.fields import HEX_DIGITS

# The bytes behind a SHA-256 never change. `private`: a shared cache would answer without asking for a token.
CACHE_CONTROL = b"private, max-age=31536000, immutable"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served of a published file: this part of its `size_bytes`, under the part's own entity tag.

    With `lies_elsewhere` whoever asks is sent on to where the file lies.
    """

    sha256: str
    size_bytes: int
    part: Span
    etag: str
    cache_control: bytes
    lies_elsewhere: bool = False


async def image_response(
    services: Services, pieces: Pieces, robot: Robot, method: str, sha256: str, headers: Mapping[bytes, bytes]
) -> Response:
    """Answer GET or HEAD for an image; what GET sends counts against the robot's downloads of the day.

    Raises:
        Refused: `not-found-image` unless a release of the fleet has a file with this SHA-256, `gone-recalled`,
            `refused-download-limit`.
    """
    size_bytes, lies_elsewhere = await asyncio.to_thread(_find, services, sha256)
    served = Served(
        sha256=sha256,
        size_bytes=size_bytes,
        part=Span(offset_bytes=0, length_bytes=size_bytes),
        etag=f'"{sha256}"',
        cache_control=CACHE_CONTROL,
        lies_elsewhere=lies_elsewhere,
    )
    return await bytes_response(services, pieces, robot.robot_id, method, served, headers)


async def bytes_response(
    services: Services, pieces: Pieces, robot_id: str, method: str, served: Served, headers: Mapping[bytes, bytes]
) -> Response:
    """Answer GET or HEAD for what is served to this robot; raise `Refused` (`refused-download-limit`)."""
    whole, etag = served.part, served.etag
    common = {b"etag": etag.encode(), b"accept-ranges": b"bytes", b"cache-control": served.cache_control}
    if b"if-none-match" in headers and names_etag(headers[b"if-none-match"].decode("latin-1"), etag):
        return Response(status=304, headers=common)
    common[b"content-type"] = b"application/octet-stream"
    total = whole.length_bytes
    if method == "HEAD":
        return Response(status=200, headers={**common, b"content-length": str(total).encode()})
    try:
        asked = parse_range(_range_header(headers, etag), total)
    except Refused as error:
        return problem_response(error, {b"content-range": f"bytes */{total}".encode(), b"accept-ranges": b"bytes"})
    sha256, size_bytes = served.sha256, served.size_bytes
    if served.lies_elsewhere:
        return await _redirect(services, robot_id, sha256, size_bytes)
    first, length_bytes = (0, total) if asked is None else (asked.offset_bytes, asked.length_bytes)
    common[b"content-length"] = str(length_bytes).encode()
    if asked is not None:
        common[b"content-range"] = f"bytes {first}-{first + length_bytes - 1}/{total}".encode()
    limit, now_s = services.settings.downloads_per_day, services.now_s()
    day = await services.write(lambda rows: reserve(rows, robot_id, sha256, size_bytes, length_bytes, limit, now_s))
    span = Span(offset_bytes=whole.offset_bytes + first, length_bytes=length_bytes)
    sending = _counted(services, robot_id, sha256, pieces.of(sha256, size_bytes, span), length_bytes, day)
    return Response(status=200 if asked is None else 206, headers=common, pieces=sending)


async def _redirect(services: Services, robot_id: str, sha256: str, size_bytes: int) -> Response:
    limit, now_s = services.settings.downloads_per_day, services.now_s()
    valid_s = await services.write(lambda rows: reserve_redirect(rows, robot_id, sha256, size_bytes, limit, now_s))
    url = await asyncio.to_thread(services.blobs.redirect_url, sha256, valid_s)
    # Never cached: the address is this robot's, and runs out.
    return Response(status=307, headers={b"location": (url or "").encode(), b"cache-control": b"no-store"})


async def _counted(
    services: Services, robot_id: str, sha256: str, sending: AsyncGenerator[bytes, None], length_bytes: int, day: int
) -> AsyncGenerator[bytes, None]:
    """Yield the pieces; give back what was reserved and not sent when the robot hangs up."""
    unsent_bytes = length_bytes
    try:
        async for piece in sending:
            yield piece
            unsent_bytes -= len(piece)
    except Damaged as error:
        log.error("download-cut sha256=%s code=%s", sha256, error.code)
        raise
    finally:
        if unsent_bytes:
            # Not awaited: should it be lost with the process, the robot is charged too much, never too little.
            services.store.submit(lambda rows: give_back(rows, robot_id, sha256, unsent_bytes, day))


def _find(services: Services, sha256: str) -> tuple[int, bool]:
    """Return a published file's size, and whether it is to be fetched elsewhere; waits for database and storage."""
    if len(sha256) == 64 and not sha256.strip(HEX_DIGITS):
        published = services.store.read(lambda rows: releases_behind(rows, sha256))
        if published and all(release.recalled_at_s is not None for release in published):
            raise Refused("gone-recalled", f"The release of image {sha256[:16]}… was recalled: ask for another.")
        # A file that was uploaded and not published yet is nobody's business.
        size_bytes = None if not published else services.blobs.size_bytes(sha256)
        if size_bytes is not None:
            return size_bytes, services.blobs.redirect_url(sha256, REDIRECT_S) is not None
    raise Refused("not-found-image", f"No release has the image {sha256[:16]!r}…: publish it first.")


def _range_header(headers: Mapping[bytes, bytes], etag: str) -> str | None:
    """Return the Range header if it counts: with If-Range, only while the file is still the one it names."""
    if_range = headers.get(b"if-range")
    if if_range is not None and if_range.decode("latin-1").strip() != etag:
        return None
    requested = headers.get(b"range")
    return None if requested is None else requested.decode("latin-1")
