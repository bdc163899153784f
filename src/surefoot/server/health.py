"""Whether the process lives, and whether it can do its work; for supervisors and load balancers, without a token."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from surefoot.fleet.model import Key
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.services import Services

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """All is well; anything else is a problem document.

    `leads` tells whether this process decides on rollouts, `epoch` under which epoch of the lease it does, else 0.
    """

    status: str = "ok"
    leads: bool
    epoch: int


class ReadyOut(HealthOut):
    """The database answers reads and takes writes.

    `broker` is `connected`, `away`, or `none` without one; robots are served over HTTPS in any case.
    """

    store: str = "ok"
    broker: str


@router.get("/healthz")
async def is_alive(services: ServicesDependency) -> HealthOut:
    """Say that the process answers."""
    return HealthOut(**_leading(services))


@router.get("/readyz")
async def is_ready(services: ServicesDependency) -> ReadyOut:
    """Say that the database answers reads and takes writes."""
    await services.read(lambda rows: rows.get(Key, ""))
    await services.write(lambda rows: rows.get(Key, ""))
    return ReadyOut(broker=_broker(services), **_leading(services))


def _broker(services: Services) -> str:
    if services.broker is None:
        return "none"
    return "connected" if services.mqtt.is_connected else "away"


def _leading(services: Services) -> dict[str, Any]:
    return {"leads": services.leadership.lease is not None, "epoch": services.leadership.epoch}
