"""Signed metadata on the wire, and the keeping of it fresh.

Everyone may read it: it is signed, and companions ask for it before they trust anything else. What carries a version in
its name never changes, so any cache may keep it; the timestamp is asked for anew each time.
"""

import hashlib
import logging
from collections.abc import Mapping

from surefoot.fleet.documents import MetadataFile
from surefoot.fleet.metadata import is_renewal_due, renew
from surefoot.fleet.model import Release
from surefoot.server.asgi import JSON, Response
from surefoot.server.devices.ranges import names_etag
from surefoot.server.services import Services
from surefoot.wire.errors import Refused
from surefoot.wire.metadata import target_path

METADATA_PREFIX = "/v1/metadata/"
TARGETS_PREFIX = "/v1/targets/"
LOOK_S = 60.0
TIMESTAMP_FILE = "timestamp.json"

log = logging.getLogger(__name__)


class Freshness:
    """Has the server's own key sign anew before companions take the news for stale."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._looked_at_s: float | None = None

    async def keep(self) -> None:
        """Look once in a minute whether anything is due; call this as often as is convenient, on the leader alone."""
        services, online = self._services, self._services.metadata_key
        now_s = services.now_s()
        if online is None or (self._looked_at_s is not None and 0 <= now_s - self._looked_at_s < LOOK_S):
            return
        self._looked_at_s = now_s
        if not await services.read(lambda rows: is_renewal_due(rows, online, now_s)):
            return
        try:
            await services.write(lambda rows: renew(rows, online, now_s))
        except Refused as error:
            log.error("metadata-stale code=%s detail=%s", error.code, error.message)


async def metadata_response(services: Services, method: str, name: str, headers: Mapping[bytes, bytes]) -> Response:
    """Answer GET or HEAD for a document; `Refused` (`not-found-metadata`)."""
    found = await services.read(lambda rows: rows.get(MetadataFile, name))
    if found is None:
        raise Refused("not-found-metadata", f"There is no metadata {name[:80]!r}: see `surefoot trust show`.")
    etag = f'"{hashlib.sha256(found.data).hexdigest()}"'
    caching = b"no-cache" if name == TIMESTAMP_FILE else b"public, max-age=31536000, immutable"
    common = {b"etag": etag.encode(), b"cache-control": caching, b"content-type": JSON}
    if b"if-none-match" in headers and names_etag(headers[b"if-none-match"].decode("latin-1"), etag):
        return Response(status=304, headers=common)
    common[b"content-length"] = str(len(found.data)).encode()
    return Response(status=200, headers=common, body=b"" if method == "HEAD" else found.data)


async def sha256_of_target(services: Services, path: str) -> str:
    """Return the image behind a target's address, which has the SHA-256 before its last name (TUF, section 6.2).

    Raises:
        Refused: `not-found-image`.
    """
    folder, _, last = path.rpartition("/")
    sha256, _, name = last.partition(".")
    releases = await services.read(lambda rows: rows.find(Release, sha256=sha256, sku=folder))
    if any(target_path(release.sku, release.version, release.format) == f"{folder}/{name}" for release in releases):
        return sha256
    raise Refused("not-found-image", f"There is no target {path[:80]!r}: the metadata lists those there are.")
