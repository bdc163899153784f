"""A companion's connection to AWS IoT Core: MQTT over mutual TLS, on 8883, or on 443 by ALPN.

AWS answers the client that asked whether it subscribed or not, other brokers only who did: so it subscribes, to five
filters. Nothing is published retained, nothing with QoS 2, and there is no will: a policy need not allow any of that.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from surefoot.shell.attention import ASKED, RECONNECTED
from surefoot.shell.https import tls_context
from surefoot.shell.paho_link import Connection, PahoLink
from surefoot.wire.command import cancel_command, encode_command
from surefoot.wire.errors import Interrupted, Refused

ALPN_PORT = 443
# By this name AWS knows MQTT with client certificates among what may come to port 443.
ALPN = "x-amzn-mqtt-ca"
ANSWER_TIMEOUT_S = 10.0
BLOCK_TIMEOUT_S = 15.0
FILTERS = ("jobs/notify-next", "jobs/+/get/+", "jobs/+/update/+", "streams/+/data/json", "streams/+/rejected/json")
GONE = ("ResourceNotFound", "Unauthorized", "VersionMismatch", "InvalidTopic")


class AwsLink(PahoLink):
    """One robot's connection. Fills `shell.aws_transport.JobsLink`.

    Args:
        address: Host and port of the endpoint.
        thing: The thing's name, which is the robot's id and the client id.
        ca_file: The certificates that may vouch for AWS, in PEM; None for the system's.
        certificate_file: The robot's key and certificate chain, in PEM.
        tell: Takes words and payloads of commands for the robot's ear; called in another thread.
        log_line: Tells a person.
    """

    # A job document may have 32 KiB, and a block as base64 has 22.
    packet_bytes_max = 64 * 1024

    def __init__(
        self,
        address: tuple[str, int],
        thing: str,
        ca_file: Path | None,
        certificate_file: Path | None,
        tell: Callable[[bytes | str], None],
        log_line: Callable[[str], None],
    ) -> None:
        self._root = f"$aws/things/{thing}/"
        self._was_connected = False
        self._answers: dict[str, SimpleQueue[tuple[str, dict[str, Any]]]] = {}
        self._in_hand: str | None = None
        # The next job as AWS said it last: some services say it again to everyone who asks.
        self._next: str | None = None
        super().__init__(address, thing, None, ca_file, certificate_file, tell, log_line)

    def ask(self, suffix: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Ask the Jobs service; see `JobsLink`."""
        token = secrets.token_hex(8)
        answers = self._answers[token] = SimpleQueue()
        try:
            payload = json.dumps({**body, "clientToken": token}).encode()
            if self.publish(f"{self._root}jobs/{suffix}", payload, int(ANSWER_TIMEOUT_S * 1000)):
                word, answer = answers.get(timeout=ANSWER_TIMEOUT_S)
                return word == "accepted", answer
        except Empty:
            pass
        finally:
            del self._answers[token]
        raise Interrupted("server-unreachable", "AWS IoT Core does not answer: it is asked again.")

    def blocks(self, stream: str, request: dict[str, Any], count: int) -> list[bytes]:
        """Return blocks of a stream; see `JobsLink`."""
        token = secrets.token_hex(8)
        answers = self._answers[token] = SimpleQueue()
        found: dict[int, bytes] = {}
        try:
            payload = json.dumps({**request, "c": token}).encode()
            if not self.publish(f"{self._root}streams/{stream}/get/json", payload, int(BLOCK_TIMEOUT_S * 1000)):
                raise Empty
            while len(found) < count:
                word, answer = answers.get(timeout=BLOCK_TIMEOUT_S)
                if word == "rejected":
                    self._refuse(answer)
                found[int(answer["i"])] = base64.b64decode(answer["p"], validate=True)
        except (Empty, KeyError, TypeError, ValueError, binascii.Error):
            raise Interrupted("download-interrupted", "A block of the stream did not come: it goes on later.") from None
        finally:
            del self._answers[token]
        first = int(request["o"])
        try:
            return [found[number] for number in range(first, first + count)]
        except KeyError:
            raise Interrupted("download-interrupted", "Other blocks came than were asked for.") from None

    def work_on(self, job_id: str | None) -> None:
        """Note the job in hand; see `JobsLink`."""
        self._in_hand = job_id

    def _refuse(self, answer: dict[str, Any]) -> None:
        code = answer.get("o", answer.get("code"))
        if code in GONE:
            raise Refused("refused-image-gone", f"AWS does not give the job's stream any more ({code}).")
        raise Interrupted("download-interrupted", f"AWS gives no blocks now ({code}): it goes on later.")

    def _make_connection(self) -> Connection:
        connection = Connection(self._robot_id)
        connection.packet_bytes_max = self.packet_bytes_max
        context = tls_context(self._ca_file, self._certificate_file)
        if self._address[1] == ALPN_PORT:
            context.set_alpn_protocols([ALPN])
        connection.tls_set_context(context)
        connection.on_connect = self._on_connect
        connection.on_subscribe = self._on_subscribe
        connection.on_message = self._on_message
        return connection

    def _on_connect(self, _client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        connection = self._connection
        if connection is None:
            return
        if reason.is_failure:
            connection.reason = f"it refuses the robot: {reason}"
            return
        connection.subscribe([(self._root + suffix, 1) for suffix in FILTERS])

    def _on_subscribe(self, _client: Client, _userdata: Any, _number: int, _codes: Any, _properties: Any) -> None:
        if self._was_connected:
            self._tell(RECONNECTED)
        self._was_connected = True
        self._connected.set()
        self._first_try_ended.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            value = json.loads(message.payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        if message.topic == f"{self._root}jobs/notify-next":
            self._take_next(value)
            return
        if message.topic == f"{self._root}jobs/$next/get/accepted":
            self._next = _job_id(value)
        word = message.topic.removeprefix(self._root).removesuffix("/json").rpartition("/")[2]
        answers = self._answers.get(str(value.get("clientToken") or value.get("c")))
        if answers is not None:
            answers.put((word, value))

    def _take_next(self, value: dict[str, Any]) -> None:
        job_id, in_hand = _job_id(value), self._in_hand
        if job_id == self._next:
            return
        self._next = job_id
        if in_hand is not None and job_id != in_hand:
            self._tell(encode_command(cancel_command(in_hand)))
        elif job_id is not None:
            self._tell(ASKED)


def _job_id(value: dict[str, Any]) -> str | None:
    execution = value.get("execution")
    job_id = execution.get("jobId") if isinstance(execution, dict) else None
    return job_id if isinstance(job_id, str) else None
