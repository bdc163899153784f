"""A broker in memory for tests of what stands behind an MQTT client: filters, shared subscriptions in turn, acks."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from surefoot.server.mqtt.connection import Handler, away


@dataclass
class FakeBroker:
    """What clients published, in order; `is_up` tells whether it answers, `deaf_things` who subscribed to nothing."""

    is_up: bool = True
    published: list[tuple[str, bytes]] = field(default_factory=list)
    deaf_things: set[str] = field(default_factory=set)
    clients: list["FakeClient"] = field(default_factory=list)
    _turns: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def client(self) -> "FakeClient":
        """Return a new client of this broker."""
        made = FakeClient(self)
        self.clients.append(made)
        return made

    async def deliver(self, topic: str, payload: bytes) -> None:
        """Hand a message to whoever subscribed, and return when all of them have handled it."""
        groups: dict[str, list[FakeClient]] = defaultdict(list)
        for client in self.clients:
            for topic_filter in client.filters:
                group, bare = _split(topic_filter)
                if client.handler is not None and _matches(bare, topic):
                    groups[group or f"{id(client)}"].append(client)
        for group, members in groups.items():
            member = members[self._turns[group] % len(members)]
            self._turns[group] += 1
            await member.hear(topic, payload)

    def commands(self, robot_id: str) -> list[bytes]:
        """Return what was published to a robot's command topic."""
        return [payload for topic, payload in self.published if topic == f"fleet/{robot_id}/commands/ota"]


class FakeClient:
    """Fills `MqttClient`; what it publishes reaches the other clients before it returns."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.filters: list[str] = []
        self.handler: Handler | None = None
        self.is_open = True

    async def connect(self, handler: Handler, on_change: Callable[[bool], None]) -> None:
        self.handler = handler
        on_change(True)

    async def subscribe(self, topic_filter: str, qos: int) -> None:
        self.filters.append(topic_filter)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, expiry_s: int | None = None) -> bool:
        if not self._broker.is_up:
            raise away()
        self._broker.published.append((topic, payload))
        await self._broker.deliver(topic, payload)
        await asyncio.sleep(0)
        return not any(topic.startswith(f"$aws/things/{thing}/") for thing in self._broker.deaf_things)

    async def close(self) -> None:
        self.handler = None

    async def hear(self, topic: str, payload: bytes) -> None:
        assert self.handler is not None
        done = self.handler(topic, payload)
        if inspect.isawaitable(done):
            await done


def _split(topic_filter: str) -> tuple[str, str]:
    if not topic_filter.startswith("$share/"):
        return "", topic_filter
    _, group, bare = topic_filter.split("/", 2)
    return f"{group}/{bare}", bare


def _matches(topic_filter: str, topic: str) -> bool:
    parts, levels = topic_filter.split("/"), topic.split("/")
    return len(parts) == len(levels) and all(part in ("+", level) for part, level in zip(parts, levels, strict=True))
