"""Figures over HTTP: for Prometheus at /metrics, and for operators as JSON."""

from dataclasses import asdict
from typing import Self

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from surefoot.fleet.fleet_metrics import by_status, fleet_metrics
from surefoot.fleet.model import Status
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Needs, Permission, needs
from surefoot.server.services import Services

# Outside the operator plane's prefix, where Prometheus looks first.
metrics_router = APIRouter(tags=["metrics"])
router = APIRouter(tags=["metrics"])


class FleetMetricsOut(Model):
    """The fleet's figures; rates are shares of the updates that ended, times in seconds, null where nothing tells.

    `mean_download_s` is of the `downloads` whose time is known: from the offer to the robot's word that it has it all.
    `online` robots were heard within `online_within_s`, the time in which every robot asks once.
    """

    updates_ended: int
    success_rate: float | None
    rollback_rate: float | None
    downloads: int
    mean_download_s: float | None
    mean_install_s: float | None
    whole_fleet_s: float | None
    versions: dict[str, dict[str, int]]
    robots: int
    online: int
    online_within_s: int
    statuses: dict[Status, int]

    @classmethod
    def of(cls, rows: Rows, services: Services) -> Self:
        """Count the fleet."""
        robots = rows.count_robots()
        within_s = services.fleet.next_check_s + services.fleet.next_check_jitter_s
        return cls(
            robots=sum(count.count for count in robots),
            online=rows.count_heard(services.now_s() - within_s),
            online_within_s=within_s,
            statuses=by_status(robots),
            **asdict(fleet_metrics(rows, robots)),
        )


@metrics_router.get("/metrics", response_class=Response)
async def get_metrics(request: Request, services: ServicesDependency) -> Response:
    """Show this process's and the fleet's figures in Prometheus's text format."""
    if services.settings.metrics_need_token:
        Needs(Permission.READ)(request)
    text = await services.metrics.text(services.leadership.epoch, services.read)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/fleet-metrics", dependencies=[needs(Permission.READ)])
async def get_fleet_metrics(services: ServicesDependency) -> FleetMetricsOut:
    """Show what the fleet is judged by."""
    return await services.read(lambda rows: FleetMetricsOut.of(rows, services))
