"""Key rotations, for operators: only an admin takes a step, and every step is audited."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Request

from surefoot.fleet.metadata import vouch_for
from surefoot.fleet.ports import Rows
from surefoot.fleet.rotation import Rotation
from surefoot.fleet.rotation_release import Submission, publish_transition
from surefoot.fleet.rotation_steps import (
    begin_rotation,
    cancel_rotation,
    destroy_key,
    exclude_robot,
    name_new_key,
    progress,
    verify_adoption,
)
from surefoot.server.client_address import client_address
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.metadata import encoded
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.release_models import ReasonIn, ReleaseIn, ReleaseOut
from surefoot.server.operators.robot_models import KeyIn
from surefoot.server.operators.rotation_models import ExclusionIn, RotationIn, RotationOut, RotationsOut
from surefoot.server.services import Services

Admin = Annotated[Actor, needs(Permission.ADMIN)]

router = APIRouter(tags=["rotations"])


@router.get("/rotations", dependencies=[needs(Permission.READ)])
async def get_rotations(services: ServicesDependency) -> RotationsOut:
    """List the rotations with where they stand."""
    now_s = services.now_s()

    def work(rows: Rows) -> RotationsOut:
        known = rows.find(Rotation, newest_first=True)
        return RotationsOut(rotations=[RotationOut.of(progress(rows, one.rotation_id, now_s)) for one in known])

    return await services.read(work)


@router.post("/rotations", status_code=201)
async def post_rotation(services: ServicesDependency, actor: Admin, body: RotationIn) -> RotationOut:
    """Revoke a key and begin its rotation; doing it again changes nothing."""
    return await _step(
        services,
        lambda rows, now_s: begin_rotation(rows, services.new_id(), body.key_id, body.reason, actor.name, now_s),
    )


@router.get("/rotations/{rotation_id}", dependencies=[needs(Permission.READ)])
async def get_rotation(services: ServicesDependency, rotation_id: str) -> RotationOut:
    """Show where a rotation stands, and which robots it waits for."""
    return await services.read(lambda rows: RotationOut.of(progress(rows, rotation_id, services.now_s())))


@router.post("/rotations/{rotation_id}/new-key")
async def post_new_key(services: ServicesDependency, actor: Admin, rotation_id: str, body: KeyIn) -> RotationOut:
    """Trust the new key and name it; doing it again changes nothing."""
    der = body.der()
    return await _step(services, lambda rows, now_s: name_new_key(rows, rotation_id, body.name, der, actor.name, now_s))


@router.post("/rotations/{rotation_id}/transitions", status_code=201)
async def post_transition(services: ServicesDependency, actor: Admin, rotation_id: str, body: ReleaseIn) -> ReleaseOut:
    """Publish a sku's transition release, the last that the old key signs; doing it again changes nothing."""
    offered = Submission(sku=body.sku, sha256=body.sha256, manifest=body.manifest.signed())
    targets, now_s = encoded(body.targets), services.now_s()

    def work(rows: Rows) -> ReleaseOut:
        release = publish_transition(rows, services.blobs, rotation_id, services.new_id(), offered, actor.name, now_s)
        vouch_for(rows, release, targets, services.metadata_key, now_s)
        return ReleaseOut.of(release)

    return await services.write(work)


@router.post("/rotations/{rotation_id}/exclusions")
async def post_exclusion(
    services: ServicesDependency, actor: Admin, rotation_id: str, body: ExclusionIn
) -> RotationOut:
    """Decide not to wait for a robot; doing it again changes nothing."""
    return await _step(
        services, lambda rows, now_s: exclude_robot(rows, rotation_id, body.robot_id, body.reason, actor.name, now_s)
    )


@router.post("/rotations/{rotation_id}/verify")
async def post_verify(services: ServicesDependency, actor: Admin, rotation_id: str) -> RotationOut:
    """Go on to the destruction of the old key, once every active robot has adopted the new one."""
    return await _step(services, lambda rows, now_s: verify_adoption(rows, rotation_id, actor.name, now_s))


@router.post("/rotations/{rotation_id}/destroy")
async def post_destroy(services: ServicesDependency, actor: Admin, rotation_id: str, request: Request) -> RotationOut:
    """Mark the old key destroyed, for ever; the server keeps who did so, when and from which address."""
    where = _address(services, request)
    return await _step(services, lambda rows, now_s: destroy_key(rows, rotation_id, actor.name, where, now_s))


@router.post("/rotations/{rotation_id}/cancel")
async def post_cancel(
    services: ServicesDependency, actor: Admin, rotation_id: str, body: ReasonIn, request: Request
) -> RotationOut:
    """Give up before any transition release; the old key stays revoked."""
    where = _address(services, request)
    return await _step(
        services, lambda rows, now_s: cancel_rotation(rows, rotation_id, body.reason, actor.name, where, now_s)
    )


async def _step(services: Services, step: Callable[[Rows, float], Rotation]) -> RotationOut:
    now_s = services.now_s()
    return await services.write(lambda rows: RotationOut.of(progress(rows, step(rows, now_s).rotation_id, now_s)))


def _address(services: Services, request: Request) -> str:
    connected = "" if request.client is None else request.client.host
    return client_address(connected, dict(request.headers.raw), services.settings)
