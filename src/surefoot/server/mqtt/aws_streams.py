"""File streams of AWS IoT over MQTT: the bytes of a device's own job, block by block, in JSON and in CBOR.

A download counts as over HTTPS: before the first block leaves, the whole file is set aside once, and once more when as
many bytes have left as it has.
"""

import json
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any

import cbor2

from surefoot.fleet.aws_stream_access import CBOR, DESCRIBE, Streamed, StreamTopic, streamed
from surefoot.fleet.aws_streams import (
    Blocks,
    StreamError,
    StreamErrorCode,
    client_token_of,
    data_object,
    description_object,
    read_get,
)
from surefoot.fleet.downloads import OverLimit, reserve
from surefoot.fleet.ports import Rows
from surefoot.server.devices.pieces import Pieces
from surefoot.server.devices.ranges import Span
from surefoot.server.mqtt.client import MqttClient
from surefoot.server.mqtt.ingest import known_robot
from surefoot.server.services import Services
from surefoot.wire.errors import Damaged

REQUEST_BYTES_MAX = 48 * 1024
NESTED_MAX = 8
# Blocks are of the moment: a device that was away asks for what it lacks.
EXPIRY_S = 15
# 16 MiB beside what is held for downloads over HTTPS.
PIECES_MAX = 64
ALLOWANCES_MAX = 100_000


class AwsStreams:
    """Answers requests for blocks.

    Args:
        services: What it works with.
        client: Where blocks are published.
    """

    def __init__(self, services: Services, client: MqttClient) -> None:
        self._services = services
        self._client = client
        self._pieces = Pieces(services.blobs, PIECES_MAX)
        # How many bytes of a file a robot may still take of what was set aside.
        self._allowed: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def answer(self, topic: StreamTopic, payload: bytes) -> None:
        """Answer one request; raise `Interrupted` when store, blobs or broker are away."""
        source: dict[str, Any] = {}
        try:
            source = decode(payload, topic.form)
            found = await self._services.read(lambda rows: _find(rows, topic))
            if topic.operation == DESCRIBE:
                value = description_object(found.delivery.size_bytes, client_token_of(source))
                await self._publish(topic, "description", value)
                return
            blocks = read_get(source, found.delivery.size_bytes, found.release.size_bytes)
            _, size_bytes = found.part(blocks.file_id)
            await self._allow(topic.thing, found, sum(length for _, _, length in blocks.ranges(size_bytes)))
            await self._send(topic, found, blocks)
        except StreamError as error:
            told = StreamError(error.code, error.message, error.client_token or client_token_of(source))
            await self._publish(topic, "rejected", told.to_object())

    async def _send(self, topic: StreamTopic, found: Streamed, blocks: Blocks) -> None:
        release, sent = found.release, []
        offset_bytes, size_bytes = found.part(blocks.file_id)
        for number, first, length in blocks.ranges(size_bytes):
            span = Span(offset_bytes=offset_bytes + first, length_bytes=length)
            try:
                pieces = self._pieces.of(release.sha256, release.size_bytes, span)
                block = b"".join([piece async for piece in pieces])
            except Damaged as error:
                raise StreamError(StreamErrorCode.INTERNAL_ERROR, f"The file cannot be read [{error.code}].") from error
            sent.append(self._publish(topic, "data", data_object(blocks, number, block, as_json=topic.form != CBOR)))
        for acknowledged in sent:
            await acknowledged

    async def _allow(self, robot_id: str, found: Streamed, length_bytes: int) -> None:
        services, sha256, size_bytes = self._services, found.release.sha256, found.release.size_bytes
        key, limit = (robot_id, sha256), services.settings.downloads_per_day
        left = self._allowed.pop(key, 0)
        while left < length_bytes:
            try:
                await services.write(
                    lambda rows: reserve(rows, robot_id, sha256, size_bytes, size_bytes, limit, services.now_s())
                )
            except OverLimit as error:
                raise StreamError(StreamErrorCode.UNAUTHORIZED, error.message) from None
            left += size_bytes
        self._allowed[key] = left - length_bytes
        while len(self._allowed) > ALLOWANCES_MAX:
            self._allowed.popitem(last=False)

    def _publish(self, topic: StreamTopic, word: str, value: dict[str, Any]) -> Awaitable[object]:
        return self._client.publish(topic.reply(word), encode(value, topic.form), expiry_s=EXPIRY_S)


def _find(rows: Rows, topic: StreamTopic) -> Streamed:
    return streamed(rows, known_robot(rows, topic.thing).robot_id, topic.stream)


def decode(payload: bytes, form: str) -> dict[str, Any]:
    """Return a request's object; an empty request says nothing.

    Raises:
        StreamError: `InvalidRequest` for one that is too large, `InvalidJson`, `InvalidCbor`.
    """
    if len(payload) > REQUEST_BYTES_MAX:
        raise StreamError(StreamErrorCode.INVALID_REQUEST, f"The request has more than {REQUEST_BYTES_MAX} bytes.")
    invalid = StreamErrorCode.INVALID_CBOR if form == CBOR else StreamErrorCode.INVALID_JSON
    try:
        value = _decode_cbor(payload) if form == CBOR else json.loads(payload.decode())
    except (ValueError, RecursionError, cbor2.CBORDecodeError):
        raise StreamError(invalid, f"The request is not {form.upper()}.") from None
    if not isinstance(value, dict):
        raise StreamError(invalid, "The request is no object.")
    return value


def encode(value: dict[str, Any], form: str) -> bytes:
    """Return an answer's bytes."""
    return cbor2.dumps(value) if form == CBOR else json.dumps(value, separators=(",", ":")).encode()


def _refuse_tag(*_: Any) -> None:
    raise ValueError("a tag")


# Requests have none, and the library would make dates, fractions and regular expressions of them.
_TAGS = dict.fromkeys((*range(64), *range(100, 128), *range(256, 270), 1004, 43000, 55799), _refuse_tag)


def _decode_cbor(payload: bytes) -> Any:
    return cbor2.loads(
        payload, max_depth=NESTED_MAX, semantic_decoders=_TAGS, tag_hook=_refuse_tag, strict_hashable_types=True
    )
