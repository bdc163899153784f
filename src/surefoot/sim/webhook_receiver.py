"""A webhook's address on this machine that keeps what it receives, told apart by the event's id."""

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from surefoot.sim.https_receiver import HttpsReceiver, Received


class WebhookReceiver(HttpsReceiver):
    """Takes everything, with the certificate and key in `pem_path`, which has to be for localhost."""

    def __init__(self, pem_path: Path) -> None:
        super().__init__(pem_path, self._take)
        self.deliveries = 0
        self._bodies: dict[str, set[bytes]] = defaultdict(set)
        self._lock = threading.Lock()

    def received(self) -> Mapping[str, frozenset[bytes]]:
        """Return the different bodies received so far, by the event's id."""
        with self._lock:
            return {event_id: frozenset(bodies) for event_id, bodies in self._bodies.items()}

    def _take(self, request: Received) -> int:
        event_id = str(json.loads(request.body)["id"])
        with self._lock:
            self.deliveries += 1
            self._bodies[event_id].add(request.body)
        return 204
