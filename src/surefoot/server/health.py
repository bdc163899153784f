"""Whether the process lives, and whether it can do its work; for supervisors and load balancers, without a token."""

from fastapi import APIRouter
from pydantic import BaseModel

from surefoot.fleet.model import Key
from surefoot.server.dependencies import ServicesDependency

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """All is well; anything else is a problem document."""

    status: str = "ok"


@router.get("/healthz")
async def is_alive() -> HealthOut:
    """Say that the process answers."""
    return HealthOut()


@router.get("/readyz")
async def is_ready(services: ServicesDependency) -> HealthOut:
    """Say that the database answers reads and takes writes."""
    await services.read(lambda rows: rows.get(Key, ""))
    await services.write(lambda rows: rows.get(Key, ""))
    return HealthOut()
