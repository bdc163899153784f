"""Figures for Prometheus: what this process does, counted as it happens, and how the fleet stands, asked of the store.

Every process answers for itself; what is asked of the store is the same in all of them.
"""

import asyncio
import time
from collections import Counter as Counts
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from surefoot.fleet.documents import expiries
from surefoot.fleet.fleet_metrics import Standing, mean_download_s, standings
from surefoot.fleet.incidents import Incident
from surefoot.fleet.model import RobotCount, Rollout, RolloutState
from surefoot.fleet.outbox import OutboxEntry, OutboxState
from surefoot.fleet.ports import Rows
from surefoot.server.gate_figures import GateFigures, families, gate_figures
from surefoot.server.mqtt.figures import MqttFigures

# The fleet is counted at most so often, however many ask.
FLEET_S = 15.0
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
SHOWN_STATES = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How the fleet stands: robots, rollouts that are not finished with phases and gates, incidents, and the outbox.

    `metadata` tells by role when the newest document expires (Unix seconds); `mean_download_s` is None before any.
    """

    robots: tuple[RobotCount, ...]
    rollouts: tuple[Rollout, ...]
    phases: dict[tuple[str, int | None], Standing]
    gates: tuple[GateFigures, ...]
    incidents_open: int
    outbox: dict[OutboxState, int]
    metadata: dict[str, float]
    mean_download_s: float | None


def count_fleet(rows: Rows) -> Fleet:
    """Ask the store."""
    rollouts = tuple(rollout for state in SHOWN_STATES for rollout in rows.find(Rollout, state=state))
    assignments = rows.count_assignments()
    return Fleet(
        robots=tuple(rows.count_robots()),
        rollouts=rollouts,
        phases=standings(assignments),
        gates=gate_figures(rows, rollouts),
        incidents_open=len(rows.find(Incident, is_open=True)),
        outbox={state: len(rows.find(OutboxEntry, state=state)) for state in OutboxState},
        metadata=expiries(rows),
        mean_download_s=mean_download_s(assignments),
    )


class Metrics:
    """One process's figures."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry()
        self._monotonic_s = monotonic_s
        self._requests = Counter(
            "surefoot_requests", "Requests answered.", ("plane", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "surefoot_request_seconds", "Time to answer.", ("plane",), registry=self._registry, buckets=SECONDS
        )
        # Looking a label up takes longer than counting: each is looked up once.
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self.mqtt = MqttFigures(self._registry)
        self._fleet: tuple[bytes, float] | None = None
        self._asking = asyncio.Lock()

    def answered(self, plane: str, status: int, seconds: float) -> None:
        """Count an answer."""
        histogram = self._histograms.get(plane)
        if histogram is None:
            histogram = self._histograms[plane] = self._seconds.labels(plane)
        self._counter(plane, status).inc()
        histogram.observe(seconds)

    def measured(self, plane: str, app: ASGIApp) -> ASGIApp:
        """Return the application with its answers counted under the plane's name."""

        async def measuring(scope: Scope, receive: Receive, send: Send) -> None:
            began_s, status = time.perf_counter(), 0

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, noting)
            finally:
                # Nobody was answered who hung up first.
                if status:
                    self.answered(plane, status, time.perf_counter() - began_s)

        return measuring

    def counting(self, plane: str, status: int) -> Callable[[], None]:
        """Return what counts an answer of this kind; those that are given at once are too fast to be worth timing."""
        return self._counter(plane, status).inc

    def _counter(self, plane: str, status: int) -> Counter:
        counter = self._counters.get((plane, status))
        if counter is None:
            counter = self._counters[plane, status] = self._requests.labels(plane, str(status))
        return counter

    async def text(self, epoch: int, ask: Callable[[Callable[[Rows], Fleet]], Awaitable[Fleet]]) -> bytes:
        """Return all figures in Prometheus's text format; `ask` runs a reading work on the store."""
        async with self._asking:
            if self._fleet is None or self._monotonic_s() - self._fleet[1] >= FLEET_S:
                text = _fleet_text(await ask(count_fleet))
                self._fleet = (text, self._monotonic_s())
        own = generate_latest(self._registry) + _text(_epoch(epoch))
        return own + self._fleet[0]


def _epoch(epoch: int) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily("surefoot_leader_epoch", "Epoch this process leads under, 0 while it does not.", epoch)


def _fleet_text(fleet: Fleet) -> bytes:
    return _text(_fleet_families(fleet))


def _fleet_families(fleet: Fleet) -> Iterator[GaugeMetricFamily]:
    robots = GaugeMetricFamily("surefoot_robots", "Robots by recorded status.", labels=("sku", "status"))
    counted: Counts[tuple[str, str]] = Counts()
    for count in fleet.robots:
        counted[count.sku, str(count.status or "unassigned")] += count.count
    for labels, number in sorted(counted.items()):
        robots.add_metric(labels, number)
    yield robots
    yield from _rollout_families(fleet)
    yield from families(fleet.gates)
    if fleet.mean_download_s is not None:
        yield GaugeMetricFamily(
            "surefoot_download_mean_seconds", "Average download time of the fleet.", fleet.mean_download_s
        )
    yield GaugeMetricFamily("surefoot_incidents_open", "Incidents nobody has closed.", fleet.incidents_open)
    outbox = GaugeMetricFamily("surefoot_outbox", "Messages that wait, and dead letters.", labels=("state",))
    for state, number in fleet.outbox.items():
        outbox.add_metric((state,), number)
    yield outbox
    expires = GaugeMetricFamily(
        "surefoot_metadata_expires_timestamp_seconds", "When a document of the metadata expires.", labels=("role",)
    )
    for role, at_s in fleet.metadata.items():
        expires.add_metric((role,), at_s)
    yield expires


def _rollout_families(fleet: Fleet) -> Iterator[GaugeMetricFamily]:
    states = GaugeMetricFamily(
        "surefoot_rollout", "1 for the state a rollout is in.", labels=("rollout", "sku", "state")
    )
    opened = GaugeMetricFamily("surefoot_rollout_phase", "Index of the open phase.", labels=("rollout",))
    phases = GaugeMetricFamily(
        "surefoot_rollout_robots", "Robots of a phase, by how they stand.", labels=("rollout", "phase", "standing")
    )
    for rollout in fleet.rollouts:
        states.add_metric((rollout.rollout_id, rollout.sku, rollout.state), 1)
        opened.add_metric((rollout.rollout_id,), rollout.phase)
        for index, name in (*((index, phase.name) for index, phase in enumerate(rollout.plan.phases)), (None, "")):
            found = fleet.phases.get((rollout.rollout_id, index))
            if found is not None:
                for standing in ("offered", "installed", "failed", "open"):
                    phases.add_metric((rollout.rollout_id, name, standing), getattr(found, standing))
    yield from (states, opened, phases)


class _Families(Collector):
    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self._families = list(families)

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def _text(families: Iterable[GaugeMetricFamily]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)
