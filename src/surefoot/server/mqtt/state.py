"""What the rest of a process knows of its MQTT side: whether it is connected, and a bell to call whoever pushes."""

import asyncio
from dataclasses import dataclass, field


class Bell:
    """Wakes the one who waits for it; may be rung from any thread, and before anybody waits."""

    def __init__(self) -> None:
        self._rung = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def ring(self) -> None:
        """Wake whoever waits, or the next one who does."""
        self._rung = True
        waiting = self._waiting
        if waiting is not None and not waiting[0].is_closed():
            waiting[0].call_soon_threadsafe(waiting[1].set)

    async def wait(self, timeout_s: float) -> None:
        """Return when it rings or rang since the last time, at the latest after `timeout_s`."""
        event = asyncio.Event()
        self._waiting = asyncio.get_running_loop(), event
        try:
            if not self._rung:
                async with asyncio.timeout(timeout_s):
                    await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting, self._rung = None, False


@dataclass(slots=True)
class MqttState:
    """Whether this process is connected to the broker.

    `decided` rings when this process has stored something that robots should hear of at once.
    """

    is_connected: bool = False
    decided: Bell = field(default_factory=Bell)
