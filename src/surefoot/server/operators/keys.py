"""The signing keys, for operators."""

from typing import Annotated

from fastapi import APIRouter

from surefoot.fleet import audit
from surefoot.fleet.keys import trust_key
from surefoot.fleet.model import Key
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.operators.robot_models import KeyIn, KeyOut, KeysOut

router = APIRouter(tags=["keys"])


@router.get("/keys", dependencies=[needs(Permission.READ)])
async def get_keys(services: ServicesDependency) -> KeysOut:
    """List the signing keys."""
    return KeysOut(keys=[KeyOut.of(key) for key in await services.read(lambda rows: rows.find(Key))])


@router.post("/keys", status_code=201)
async def post_key(
    services: ServicesDependency, actor: Annotated[Actor, needs(Permission.ADMIN)], body: KeyIn
) -> KeyOut:
    """Trust a public key; doing it again changes nothing."""
    der = body.der()

    def work(rows: Rows) -> Key:
        known, now_s = len(rows.find(Key)), services.now_s()
        key = trust_key(rows, body.name, der, now_s)
        if len(rows.find(Key)) > known:
            audit.record(rows, actor.name, "key.trust", key.key_id, None, key, None, now_s)
        return key

    return KeyOut.of(await services.write(work))
