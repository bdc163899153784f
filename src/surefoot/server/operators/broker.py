"""Where robots meet the server over MQTT, for operators."""

from fastapi import APIRouter
from pydantic import Field

from surefoot.server.health import BrokerState, broker_state
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Permission, needs

router = APIRouter(tags=["robots"])


class BrokerOut(Model):
    """The MQTT broker as the process that answers sees it; without one robots hear of updates when they ask."""

    state: BrokerState
    robot_url: str | None = Field(description="Where robots connect with a certificate of the fleet CA.")
    password_url: str | None = Field(description="Where they do with robot id and token; null at a broker elsewhere.")


@router.get("/broker", dependencies=[needs(Permission.READ)])
async def get_broker(services: ServicesDependency) -> BrokerOut:
    """Show where robots connect over MQTT, and whether the server is connected there."""
    broker = services.broker
    return BrokerOut(
        state=broker_state(services),
        robot_url=None if broker is None else broker.robot_url,
        password_url=None if broker is None else broker.password_url,
    )
