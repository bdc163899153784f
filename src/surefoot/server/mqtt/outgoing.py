"""What goes out with QoS 1: in order, and no more at once than the broker takes; someone waits for each."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

PACKET_NUMBERS = 65535


class Outgoing:
    """The messages of one connection. Stands where gmqtt keeps what it would send again, which is nothing here.

    Whoever waits for a message is told when the connection ended before it was acknowledged, and decides what then.

    Args:
        publish: Sends one; raises OverflowError where the broker takes no more before it has acknowledged some.
    """

    def __init__(self, publish: Callable[[Any], None]) -> None:
        self._publish = publish
        self._waiting: deque[tuple[Any, asyncio.Future[bool]]] = deque()
        self._under_way: dict[int, asyncio.Future[bool]] = {}
        self._next: asyncio.Future[bool] | None = None
        self._at_once_max = PACKET_NUMBERS
        self._is_called = False
        # Whether anybody has subscribed to what is acknowledged just now, by the broker's word.
        self.is_heard = True

    def put(self, message: Any) -> "asyncio.Future[bool]":
        """Send a message as soon as there is room; what is returned is done when it was acknowledged.

        It tells whether anybody subscribed to it, as far as the broker says.
        """
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, done))
        self.send()
        return done

    def send(self) -> None:
        """Send what there is room for."""
        self._is_called = False
        while self._waiting and len(self._under_way) < self._at_once_max:
            message, self._next = self._waiting[0]
            # Nobody waits any more.
            if not self._next.done():
                try:
                    self._publish(message)
                except OverflowError:
                    self._at_once_max = max(1, len(self._under_way))
                    return
            self._waiting.popleft()

    def give_up(self, error: Callable[[], Exception]) -> None:
        """Tell everyone who waits that it was in vain."""
        for done in (*self._under_way.values(), *(done for _, done in self._waiting)):
            if not done.done():
                done.set_exception(error())
        self._under_way.clear()
        self._waiting.clear()

    def push_message(self, number: int, _package: bytes) -> None:
        """Take from gmqtt that the message was sent under this number."""
        if self._next is not None:
            self._under_way[number] = self._next

    def remove_message_by_mid(self, number: int) -> None:
        """Take from gmqtt that it was acknowledged."""
        done = self._under_way.pop(number, None)
        if done is not None and not done.done():
            done.set_result(self.is_heard)
        # Acknowledgements come several at a time.
        if self._waiting and not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self.send)

    @property
    def is_empty(self) -> bool:
        """Whether gmqtt has anything to send again: never."""
        return True

    def get_all(self) -> list[tuple[int, bytes]]:
        """Return what gmqtt has to send again: nothing."""
        return []

    async def wait_empty(self) -> None:
        """Return at once, as there is nothing to wait for."""

    def clear(self) -> None:
        """Do nothing."""
