"""Which of the server's processes answers which AWS-style device, and who answers for one that went.

Every process hears every request; the keeper of the device (`server.mqtt.peers`) answers it, and the others remember it
for as long as it takes to notice that a keeper is gone. What such a keeper had answered itself may be answered twice.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from surefoot.server.mqtt.peers import GONE_S

# A process that begins hears of the others within this; until then it would answer for all of them.
SETTLE_S = 0.5
LOOK_S = 1.0
# Past the noticing of a gone process, and below the 16 s that a device in its self-test waits.
HELD_S = GONE_S + 2 * LOOK_S
HELD_MAX = 10_000


class Keepers(Protocol):
    """Who knows which process keeps a device."""

    def keeps(self, robot_id: str) -> bool:
        """Whether this process does."""


class Turns:
    """One process's turns.

    Args:
        keepers: Who keeps which device.
        monotonic_s: A clock that never steps.
        settle_s: How long to listen for others first.
    """

    def __init__(
        self, keepers: Keepers, monotonic_s: Callable[[], float] = time.monotonic, settle_s: float = SETTLE_S
    ) -> None:
        self._keepers = keepers
        self._monotonic_s = monotonic_s
        self._settle_s = settle_s
        self._settled = asyncio.Event()
        self._held: deque[tuple[float, str, tuple[str, bytes]]] = deque(maxlen=HELD_MAX)

    def begin(self) -> None:
        """Listen for the others from now on."""
        if not self._settled.is_set():
            asyncio.get_running_loop().call_later(self._settle_s, self._settled.set)

    async def mine(self, thing: str, request: tuple[str, bytes] | None) -> bool:
        """Whether this process answers a device; a request (topic and payload) that is another's is remembered."""
        await self._settled.wait()
        if self._keepers.keeps(thing):
            return True
        if request is not None:
            self._held.append((self._monotonic_s(), thing, request))
        return False

    async def inherited(self, pause_s: float = LOOK_S) -> list[tuple[str, bytes]]:
        """Return, after a pause, the requests that have become this process's own, as their keeper went."""
        await asyncio.sleep(pause_s)
        now_s = self._monotonic_s()
        while self._held and now_s - self._held[0][0] > HELD_S:
            self._held.popleft()
        own = [one for one in self._held if self._keepers.keeps(one[1])]
        if own:
            self._held = deque((one for one in self._held if one not in own), maxlen=HELD_MAX)
        return [request for _, _, request in own]
