"""Whether the process lives, and whether it can do its work; for supervisors and load balancers, without a token."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from surefoot.fleet.lease import Lease
from surefoot.fleet.model import Key
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.services import Services

# A database that is asked more often than this says nothing new.
WRITE_EVERY_S = 1.0

router = APIRouter(tags=["health"])


class BrokerState(StrEnum):
    """Whether this process is connected to the MQTT broker, and whether there is one."""

    CONNECTED = "connected"
    AWAY = "away"
    NONE = "none"


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
    broker: BrokerState


@router.get("/healthz")
async def is_alive(services: ServicesDependency) -> HealthOut:
    """Say that the process answers."""
    return HealthOut(**_leading(services))


class Readiness:
    """Tries whether the database takes writes, as one that is full or read-only answers reads all the same.

    Args:
        monotonic_s: A clock that never steps.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._wrote_at_s: float | None = None

    async def check(self, services: Services) -> None:
        """Raise what the database does not do; strangers may ask, so what is done for it is done once a second."""
        await services.read(lambda rows: rows.get(Key, ""))
        now_s = self._monotonic_s()
        if self._wrote_at_s is not None and now_s - self._wrote_at_s < WRITE_EVERY_S:
            return
        name = f"ready {services.new_id()}"

        def work(rows: Rows) -> None:
            # A row of its own that is gone at once: it is in nobody's way, and nothing is left of it.
            rows.put(Lease(name=name, holder="", epoch=0, beat=0))
            rows.drop(Lease, name)

        await services.write(work)
        self._wrote_at_s = now_s


@router.get("/readyz")
async def is_ready(request: Request, services: ServicesDependency) -> ReadyOut:
    """Say that the database answers reads and takes writes."""
    await request.app.state.readiness.check(services)
    return ReadyOut(broker=broker_state(services), **_leading(services))


def broker_state(services: Services) -> BrokerState:
    """Return how this process stands with the broker."""
    if services.broker is None:
        return BrokerState.NONE
    return BrokerState.CONNECTED if services.mqtt.is_connected else BrokerState.AWAY


def _leading(services: Services) -> dict[str, Any]:
    return {"leads": services.leadership.lease is not None, "epoch": services.leadership.epoch}
