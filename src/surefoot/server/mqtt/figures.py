"""Figures of the MQTT side for Prometheus, and the log lines about messages that are refused: rare, however many."""

import logging
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LOGGED_EVERY_S = 60.0
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60)

log = logging.getLogger(__name__)


class MqttFigures:
    """One process's figures; `monotonic_s` spaces the log lines."""

    def __init__(self, registry: CollectorRegistry, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._logged_s: dict[str, float] = {}
        self.connected = Gauge("surefoot_mqtt_connected", "1 while connected to the broker.", registry=registry)
        self.messages = Counter("surefoot_mqtt_messages", "Messages that counted.", ("kind",), registry=registry)
        self.refused_messages = Counter("surefoot_mqtt_refused", "Messages refused.", ("reason",), registry=registry)
        self.unknown_statuses = Counter(
            "surefoot_mqtt_unknown_statuses", "Statuses that said nothing known but their level.", registry=registry
        )
        self.seconds = Histogram(
            "surefoot_mqtt_seconds", "From a message to its end.", ("kind",), registry=registry, buckets=SECONDS
        )
        self.pushes = Counter("surefoot_mqtt_pushes", "Commands pushed to robots.", ("kind",), registry=registry)
        self.push_seconds = Histogram(
            "surefoot_mqtt_push_seconds", "From a decision to its last push.", registry=registry, buckets=SECONDS
        )

    def refused(self, reason: str, robot_id: str, detail: str) -> None:
        """Count a message that did not count, and tell of the reason at most once a minute."""
        self.refused_messages.labels(reason).inc()
        now_s = self._monotonic_s()
        if now_s - self._logged_s.get(reason, -LOGGED_EVERY_S) >= LOGGED_EVERY_S:
            self._logged_s[reason] = now_s
            log.warning("message-refused reason=%s robot_id=%s detail=%s", reason, robot_id, detail)
