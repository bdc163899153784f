"""Figures over HTTP: for Prometheus at /metrics, and for operators as JSON."""

from typing import Self

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from surefoot.fleet.fleet_metrics import FleetMetrics, fleet_metrics
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Needs, Permission, needs

# Outside the operator plane's prefix, where Prometheus looks first.
metrics_router = APIRouter(tags=["metrics"])
router = APIRouter(tags=["metrics"])


class FleetMetricsOut(Model):
    """The fleet's figures; rates are shares of the updates that ended, times in seconds, null where nothing tells."""

    updates_ended: int
    success_rate: float | None
    rollback_rate: float | None
    mean_install_s: float | None
    whole_fleet_s: float | None
    versions: dict[str, dict[str, int]]

    @classmethod
    def of(cls, metrics: FleetMetrics) -> Self:
        """Show the figures."""
        return cls(**{name: getattr(metrics, name) for name in cls.model_fields})


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
    return FleetMetricsOut.of(await services.read(fleet_metrics))
