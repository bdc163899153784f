"""Images and releases, for operators."""

import asyncio
import hashlib
from typing import Any

from fastapi import APIRouter, Request

from surefoot.fleet.model import Release
from surefoot.fleet.releases import check_image, publish
from surefoot.server.asgi import ClientGone, read_body
from surefoot.server.dependencies import ServicesDependency
from surefoot.server.operator_release_models import ImageOut, ReleaseIn, ReleaseOut, ReleasesOut
from surefoot.wire.errors import Interrupted, Refused

router = APIRouter()

_IMAGE_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}


@router.put("/images/{sha256}", tags=["images"], status_code=201, openapi_extra=_IMAGE_BODY)
async def put_image(services: ServicesDependency, sha256: str, request: Request) -> ImageOut:
    """Store a signed image under the SHA-256 of its file; nothing is stored that no active key signed."""
    settings = services.settings
    async with request.app.state.uploads:
        try:
            data = await read_body(
                dict(request.headers.raw), request.receive, settings.image_bytes_max, settings.image_timeout_s
            )
        except ClientGone:
            raise Interrupted("interrupted-body", "The image did not arrive whole: send it again.") from None
        found = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        if found != sha256:
            raise Refused("refused-sha256", f"The file has the SHA-256 {found}, not the one it was sent under.")
        header = await services.read(lambda rows: check_image(rows, data))
        await asyncio.to_thread(services.blobs.put, sha256, data)
    return ImageOut(sha256=sha256, size_bytes=len(data), version=str(header.version), digest=header.digest)


@router.get("/releases", tags=["releases"])
async def get_releases(services: ServicesDependency) -> ReleasesOut:
    """List the releases."""
    found = await services.read(lambda rows: rows.find(Release, newest_first=True))
    return ReleasesOut(releases=[ReleaseOut.of(release) for release in found])


@router.post("/releases", tags=["releases"], status_code=201)
async def post_release(services: ServicesDependency, body: ReleaseIn) -> ReleaseOut:
    """Publish a stored image for a sku; doing it again changes nothing."""
    manifest = body.manifest.signed()
    release = await services.write(
        lambda rows: publish(rows, services.blobs, services.new_id(), body.sku, body.sha256, manifest, services.now_s())
    )
    return ReleaseOut.of(release)
