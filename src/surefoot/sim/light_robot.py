"""Robots that are light enough for many of them to fit into one process, and speak real HTTPS.

A `LightRobot` has no flash: what it runs is a digest. A `GreedyRobot` takes all the bytes that it is given.
"""

import hashlib
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from surefoot.sim.light_client import LOST, Answer, LightClient
from surefoot.sim.process_promises import Place
from surefoot.wire.offer import Offer, offer_from_object, parse_answer
from surefoot.wire.report import (
    CONFIRMED,
    DOWNLOADING,
    FIRST_EPOCH,
    INSTALLED,
    TRIAL,
    VERIFYING,
    AssignmentReport,
    Report,
    SlotReport,
    encode_report,
)

# Of one file, on average.
RANGES_PER_FILE = 4
# What a robot is answered that does all as agreed: 429 is the limit, 503 a database that did not say whether it took.
_AGREED = frozenset({200, 204, 206, 429, 503})


class LightRobot:
    """A robot that asks, reports, downloads in ranges, and from then on runs what it was offered.

    `acknowledged` is the greatest report that was answered with 200, `running_digest` what runs at this moment.
    """

    def __init__(self, robot_id: str, sku: str, version: str, client: LightClient, chance: random.Random) -> None:
        self.robot_id = robot_id
        self.running_digest = hashlib.sha256(version.encode()).hexdigest()
        self.acknowledged: Place | None = None
        self.reports_acknowledged = 0
        self.updates = 0
        self.taken = Taken()
        self.unexpected: list[str] = []
        self.client = client
        self._sku = sku
        self._version = version
        self._chance = chance
        self._boot, self._seq = 1, 0
        self._offer: Offer | None = None
        self._file = bytearray()
        self._said: AssignmentReport | None = None
        self._state = CONFIRMED

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is in hand, and the server knows how the last update ended."""
        return self._offer is None and self._said is None

    def step(self) -> None:
        """Do one thing; a request that is lost is one that a later step makes again."""
        try:
            if self._offer is not None and self._state == CONFIRMED and self._chance.random() < 0.8:
                self._go_on(self._offer)
            elif self._said is None and self._chance.random() < 0.3:
                self._check()
            else:
                self._report("/v1/check" if self._chance.random() < 0.5 else "/v1/report")
        except LOST:
            pass

    def _check(self) -> None:
        answer = self.client.ask("GET", f"/v1/check?sku={self._sku}&version={self._version}")
        if self._is_agreed(answer, "check") and answer.status == 200:
            self._take(offer_from_object(json.loads(answer.body)))

    def _report(self, path: str) -> None:
        self._seq += 1
        place = (self._boot, self._seq)
        answer = self.client.ask("POST", path, encode_report(self._facts()))
        if not self._is_agreed(answer, "report") or answer.status != 200:
            return
        self.acknowledged = place
        self.reports_acknowledged += 1
        if self._state == TRIAL:
            self._state = CONFIRMED
            self._say(INSTALLED)
            return
        told = parse_answer(answer.body)
        if told.stale:
            self.unexpected.append(f"{place} was called stale")
        if self._said is not None and self._said.state == INSTALLED and told.acknowledged == self._said.id:
            self._offer, self._said = None, None
        if told.offer is not None:
            self._take(told.offer)

    def _take(self, offer: Offer) -> None:
        if self._offer is None and offer.digest != self.running_digest:
            self._offer = offer
            self._file.clear()
            self._say(DOWNLOADING)

    def _go_on(self, offer: Offer) -> None:
        """Fetch the next range, or restart with what was fetched."""
        size_bytes = offer.size_bytes or 0
        if self._said is not None and self._said.state == INSTALLED:
            self._report("/v1/report")
            return
        if len(self._file) < size_bytes:
            self._fetch(offer, size_bytes)
            return
        if hashlib.sha256(self._file).hexdigest() != offer.sha256:
            self.unexpected.append(f"the bytes of {offer.sha256} are others")
            self._file.clear()
            return
        self._say(VERIFYING)
        self._report("/v1/report")
        self._boot, self._seq, self._state = self._boot + 1, 0, TRIAL
        self.running_digest, self._version = offer.digest or "", str(offer.version)
        self.updates += 1
        self._say(TRIAL)

    def _fetch(self, offer: Offer, size_bytes: int) -> None:
        start = len(self._file)
        length = min(self._chance.randint(1, size_bytes // RANGES_PER_FILE * 2), size_bytes - start)
        headers = {"Range": f"bytes={start}-{start + length - 1}", "If-Range": f'"{offer.sha256}"'}
        answer = self.client.ask(
            "GET",
            urlsplit(offer.url).path,
            headers=headers,
            on_bytes=lambda received: self.taken.add(offer.sha256, size_bytes, received),
        )
        if self._is_agreed(answer, "download") and answer.status == 206:
            self._file += answer.body
            self._say(DOWNLOADING)

    def _say(self, state: str) -> None:
        if self._offer is not None:
            self._said = AssignmentReport(
                id=self._offer.id, state=state, attempts=1, received_bytes=len(self._file), code=None
            )

    def _facts(self) -> Report:
        running = SlotReport(slot="ota_0", version=self._version, digest=self.running_digest, state=self._state)
        return Report(
            robot_id=self.robot_id,
            sku=self._sku,
            epoch=FIRST_EPOCH,
            boot=self._boot,
            seq=self._seq,
            running=running,
            spare=None,
            assignment=self._said,
            version_floor=None,
            protocol=1,
            companion_version=None,
            trusted_keys=(),
            accepts=(),
            code=None,
        )

    def _is_agreed(self, answer: Answer, what: str) -> bool:
        if answer.status not in _AGREED:
            self.unexpected.append(f"{what} was answered with {answer.status}: {answer.body[:300]!r}")
        return answer.status in _AGREED


@dataclass(slots=True)
class Taken:
    """Bytes received of each file, over all connections; any thread."""

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def add(self, sha256: str, size_bytes: int, received: int) -> None:
        """Count bytes of a file."""
        with self._lock:
            self.files[sha256] = (self.files.get(sha256, (0, 0))[0] + received, size_bytes)

    def all(self) -> list[tuple[int, int]]:
        """Return received bytes and size of each file."""
        with self._lock:
            return list(self.files.values())


class GreedyRobot:
    """A robot that downloads whatever there is, over several connections, and hangs up amid an answer now and then.

    `refusals` counts how often it was told that it has had enough.
    """

    def __init__(self, robot_id: str) -> None:
        self.robot_id = robot_id
        self.taken = Taken()
        self.unexpected: list[str] = []
        self.statuses: Counter[int] = Counter()

    @property
    def refusals(self) -> int:
        """How often it was told that it has had enough."""
        return self.statuses[429]

    def step(self, client: LightClient, sha256: str, size_bytes: int, chance: random.Random) -> None:
        """Ask once for a part of a file."""
        start = chance.randrange(size_bytes)
        headers = {} if chance.random() < 0.3 else {"Range": f"bytes={start}-"}
        hang_up = chance.randint(1, size_bytes) if chance.random() < 0.3 else None
        try:
            answer = client.ask(
                "GET",
                f"/v1/images/{sha256}",
                headers=headers,
                stop_at_bytes=hang_up,
                on_bytes=lambda received: self.taken.add(sha256, size_bytes, received),
            )
        except LOST:
            return
        self.statuses[answer.status] += 1
        if answer.status not in _AGREED:
            self.unexpected.append(f"a download was answered with {answer.status}: {answer.body[:300]!r}")
