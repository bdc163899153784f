"""One connection to an MQTT 5 broker, by gmqtt.

Each has a client of the library of its own: its packet numbers mean nothing on the next connection. The library's own
reconnecting is off, as it waits the same time for everyone.
"""

import asyncio
import inspect
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import gmqtt  # type: ignore[import-untyped]

from surefoot.server.mqtt.broker_address import BrokerAddress
from surefoot.server.mqtt.outgoing import Outgoing
from surefoot.server.mqtt.quick_reader import read_quickly
from surefoot.wire.errors import Interrupted, SurefootError

# Takes a topic and a payload. One that returns an awaitable is done when that is.
Handler = Callable[[str, bytes], Awaitable[None] | None]

# What a broker may send before the first of it is acknowledged, and so how many handlers run side by side.
UNACKNOWLEDGED_MAX = 512
# A dead broker is noticed after twice this.
KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 10.0
RETRY_S = 0.5
RETRY_S_MAX = 15.0
PORT = 8883
REFUSED = 0x80
ACKNOWLEDGED = 0
# The reason code by which a broker says that a message went nowhere; it need not.
NOBODY_SUBSCRIBED = b"\x10"

log = logging.getLogger(__name__)
# It warns of every connection that ends, and so do we, in one line.
_library_log = logging.getLogger("gmqtt")
_library_log.setLevel(logging.CRITICAL)


def tls_of(address: BrokerAddress) -> ssl.SSLContext | bool:
    """Return the context to enter by the server's own certificate; False for a broker without TLS."""
    if urlsplit(address.url).scheme != "mqtts":
        return False
    context = ssl.create_default_context(cafile=address.ca_path)
    context.load_cert_chain(address.certificate_path)
    return context


def away() -> Interrupted:
    """Return the error of whoever needs a broker that is not there."""
    return Interrupted("interrupted-broker", "The broker does not answer: it is told again when it does.")


class Connection:
    """One connection from its beginning to its end."""

    def __init__(self, address: BrokerAddress, client_id: str, session_s: int, handler: Handler) -> None:
        loop = asyncio.get_running_loop()
        self._address = address
        self._handler = handler
        self._lost: asyncio.Future[None] = loop.create_future()
        self._ended = loop.create_future()
        self._ended.set_result(None)
        self._running = 0
        self._outgoing = Outgoing(lambda message: self._library.publish(message))  # noqa: PLW0108 - it comes below
        self._subscribed: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        self._library = gmqtt.Client(
            client_id,
            clean_session=session_s == 0,
            optimistic_acknowledgement=False,
            persistent_storage=self._outgoing,
            logger=_library_log,
            session_expiry_interval=session_s,
            receive_maximum=UNACKNOWLEDGED_MAX,
        )
        # Fewer than no tries: gmqtt reconnects while its failures are not more than these.
        self._library.set_config({"reconnect_retries": -2})
        self._is_awaitable = inspect.iscoroutinefunction(handler)
        self._library.on_message = self._take if self._is_awaitable else self._take_other
        self._library.on_subscribe = self._note_subscribed
        self._library.on_disconnect = self._note_lost
        # The library keeps an acknowledgement's reason code to itself.
        packets = self._library._package_handler
        self._read_acknowledgement = packets._handle_puback_packet
        packets._handle_puback_packet = self._acknowledged

    async def open(self) -> None:
        """Connect; raise whatever kept it from that."""
        # Read anew each time: its files are replaced long before they expire.
        tls, url = await asyncio.to_thread(tls_of, self._address), urlsplit(self._address.url)
        connecting = asyncio.ensure_future(
            self._library.connect(url.hostname, url.port or PORT, ssl=tls, keepalive=KEEPALIVE_S)
        )
        # The library waits for ever for the word of a broker that hung up first.
        try:
            await asyncio.wait({connecting, self._lost}, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise away()
            connecting.result()
        finally:
            connecting.cancel()
        if not self._is_awaitable:
            read_quickly(self._library, self._take_at_once)

    async def lost(self) -> None:
        """Return when the connection has ended."""
        await self._lost

    async def close(self) -> None:
        """Hang up, and tell whoever waits for an acknowledgement that none will come."""
        self._note_lost()
        with suppress(Exception):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._library.disconnect()

    async def subscribe(self, filters: dict[str, int]) -> None:
        """Subscribe, and return once the broker has answered."""
        for topic_filter, qos in filters.items():
            answer = asyncio.get_running_loop().create_future()
            self._subscribed[self._library.subscribe(topic_filter, qos)] = answer
            await asyncio.wait({answer, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise away()
            if answer.result()[0] >= REFUSED:
                log.error("subscription-refused filter=%s code=%d", topic_filter, answer.result()[0])

    def publish(self, topic: str, payload: bytes, qos: int, expiry_s: int | None) -> Awaitable[bool]:
        """Publish; what is returned is done once the message is acknowledged."""
        if self._lost.done():
            raise away()
        properties = {} if expiry_s is None else {"message_expiry_interval": expiry_s}
        message = gmqtt.Message(topic, payload, qos=qos, **properties)
        if qos:
            return self._outgoing.put(message)
        self._library.publish(message)
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        done.set_result(True)
        return done

    def _take_other(self, _client: Any, topic: str, payload: bytes, _qos: int, _properties: Any) -> None:
        self._take_at_once(topic, payload)

    def _take_at_once(self, topic: str, payload: bytes) -> None:
        try:
            self._handler(topic, payload)
        except Exception:
            log.exception("message-failed topic=%s", topic)

    async def _take(self, _client: Any, topic: str, payload: bytes, qos: int, _properties: Any) -> int:
        if not qos and self._running >= UNACKNOWLEDGED_MAX:
            # Nobody was promised anything, and the broker bounds only what it waits for.
            return ACKNOWLEDGED
        # The specification wants acknowledgements in the order of the messages.
        before, self._ended = self._ended, asyncio.get_running_loop().create_future()
        ended = self._ended
        self._running += 1
        try:
            await self._handle(topic, payload)
            if not before.done():
                await asyncio.wait({before, self._lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._running -= 1
            ended.set_result(None)
        return ACKNOWLEDGED

    async def _handle(self, topic: str, payload: bytes) -> None:
        pause_s = RETRY_S
        while not self._lost.done():
            try:
                done = self._handler(topic, payload)
                assert done is not None  # noqa: S101 - it is one of those
                await done
                return
            except Interrupted as error:
                log.debug("message-waits topic=%s code=%s", topic, error.code)
                await asyncio.wait({self._lost}, timeout=pause_s)
                pause_s = min(RETRY_S_MAX, pause_s * 2)
            except SurefootError as error:
                log.error("message-failed topic=%s code=%s: %s", topic, error.code, error.message)
                return
            except Exception:
                # It would fail again for ever, and hold up all behind it.
                log.exception("message-failed topic=%s", topic)
                return

    def _acknowledged(self, command: int, packet: bytes) -> None:
        self._outgoing.is_heard = packet[2:3] != NOBODY_SUBSCRIBED
        self._read_acknowledgement(command, packet)

    def _note_subscribed(self, _client: Any, number: int, codes: tuple[int, ...], _properties: Any) -> None:
        answer = self._subscribed.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)
        self._outgoing.send()

    def _note_lost(self, *_: Any) -> None:
        if not self._lost.done():
            self._lost.set_result(None)
        self._outgoing.give_up(away)
