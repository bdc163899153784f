"""Images and releases, for operators."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from surefoot.fleet import audit
from surefoot.fleet.aws_limits import warnings
from surefoot.fleet.deltas import count_offered, files_of
from surefoot.fleet.image_signatures import keep_signature
from surefoot.fleet.metadata import vouch_for
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.releases import check_image, publish
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.metadata import encoded
from surefoot.server.operators.permissions import Actor, Permission, needs, still_needs
from surefoot.server.operators.release_models import ImageOut, ReleaseIn, ReleaseOut, ReleasesOut, WarningsOut
from surefoot.wire import limits
from surefoot.wire.errors import Refused

Publisher = Annotated[Actor, needs(Permission.PUBLISH)]

RELEASES_PER_PAGE_MAX = 1000

router = APIRouter()

_IMAGE_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}


@router.put("/images/{sha256}", tags=["images"], status_code=201, openapi_extra=_IMAGE_BODY)
async def put_image(services: ServicesDependency, actor: Publisher, sha256: str, request: Request) -> ImageOut:
    """Store a signed image under the SHA-256 of its file; nothing is stored that no active key signed."""
    settings, uploads = services.settings, request.app.state.uploads
    headers, bytes_max = dict(request.headers.raw), settings.image_bytes_max
    async with uploads.arrived(sha256, headers, request.receive, bytes_max, settings.image_timeout_s) as data:
        payload = await services.read(lambda rows: check_image(rows, data))
        await still_needs(request, Permission.PUBLISH)
        await asyncio.to_thread(services.blobs.put, sha256, data)
    stored = {"version": payload.version, "size_bytes": len(data), "digest": payload.digest}
    await services.write(
        lambda rows: audit.record(rows, actor.name, "image.store", sha256, None, stored, None, services.now_s())
    )
    return ImageOut(
        sha256=sha256,
        size_bytes=len(data),
        format=payload.format,
        version=None if payload.version is None else str(payload.version),
        digest=payload.digest,
        key_id=payload.key_id,
    )


@router.get("/releases", tags=["releases"], dependencies=[needs(Permission.READ)])
async def get_releases(
    services: ServicesDependency,
    after: Annotated[str | None, Query(max_length=limits.NAME_CHARS_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=RELEASES_PER_PAGE_MAX)] = 100,
) -> ReleasesOut:
    """List the releases, the newest first, a page at a time."""
    found, deltas = await services.read(
        lambda rows: (rows.find(Release, newest_first=True, limit=limit, after=after), count_offered(rows))
    )
    next_after = found[-1].release_id if len(found) == limit else None
    releases = [ReleaseOut.of(release, deltas[release.release_id]) for release in found]
    return ReleasesOut(releases=releases, next_after=next_after)


@router.get("/releases/{release_id}/warnings", tags=["releases"], dependencies=[needs(Permission.READ)])
async def get_warnings(services: ServicesDependency, release_id: str) -> WarningsOut:
    """Say which robots of the release's sku cannot get it, before a rollout brings it."""

    def work(rows: Rows) -> WarningsOut:
        release = rows.get(Release, release_id)
        if release is None:
            raise Refused("not-found-release", f"There is no release {release_id}: list the releases.")
        return WarningsOut(warnings=warnings(rows, release, services.fleet))

    return await services.read(work)


@router.post("/releases", tags=["releases"], status_code=201)
async def post_release(services: ServicesDependency, actor: Publisher, body: ReleaseIn) -> ReleaseOut:
    """Publish a stored image for a sku; doing it again changes nothing."""
    manifest, targets, now_s = body.manifest.signed(), encoded(body.targets), services.now_s()

    def work(rows: Rows) -> ReleaseOut:
        new_id = services.new_id()
        release = publish(rows, services.blobs, new_id, body.sku, body.sha256, manifest, now_s)
        if release.release_id == new_id:
            audit.record(rows, actor.name, "release.publish", new_id, None, release, None, now_s)
        if body.image_signature is not None:
            keep_signature(rows, release, bytes.fromhex(body.image_signature))
        vouch_for(rows, release, targets, services.metadata_key, now_s)
        return ReleaseOut.of(release, len(files_of(rows, release.release_id)))

    return await services.write(work)
