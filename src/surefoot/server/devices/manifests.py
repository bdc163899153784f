"""`GET /v1/manifest/{sku}`: what is the latest release for a sku, signed, the same for everyone.

It needs no credentials: it is public by nature, as robots can only trust it for its signature, and so every cache on
the way may keep it. The latest is the highest version among the stable releases, those whose rollout finished; while
none is stable, the highest of all. A recalled release is none of them.
"""

import hashlib
from collections.abc import Mapping

from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import Response
from surefoot.server.devices.ranges import names_etag
from surefoot.server.services import Services
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.manifest import signed_manifest_to_object

# A robot asks every few hours, and a recall should not hide behind a cache for longer than a minute.
CACHE_CONTROL = b"public, max-age=60"


async def manifest_response(services: Services, method: str, sku: str, headers: Mapping[bytes, bytes]) -> Response:
    """Answer GET or HEAD; `Refused` (`not-found-release`) when the sku has no release."""
    release = await services.read(lambda rows: latest(rows, sku))
    if release is None:
        raise Refused("not-found-release", "There is no release for this sku: publish one first.")
    body = encode_object(signed_manifest_to_object(release.manifest))
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    common = {b"etag": etag.encode(), b"cache-control": CACHE_CONTROL}
    if b"if-none-match" in headers and names_etag(headers[b"if-none-match"].decode("latin-1"), etag):
        return Response(status=304, headers=common)
    length = {b"content-type": b"application/json", b"content-length": str(len(body)).encode()}
    return Response(status=200, headers=common | length, body=b"" if method == "HEAD" else body)


def latest(rows: Rows, sku: str) -> Release | None:
    """Return the latest release of a sku, or None."""
    offered = [release for release in rows.find(Release, sku=sku) if release.recalled_at_s is None]
    stable = [release for release in offered if release.stable]
    return max(stable or offered, key=lambda release: release.version, default=None)
