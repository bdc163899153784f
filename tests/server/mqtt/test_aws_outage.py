"""A device that tests a new image goes back when nobody answers: so the outages of the server must not count."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.aws_agent import AgentV3
from server.mqtt.jobs_field import JobsField, jobs_field
from surefoot.signing.signers import FileSigner
from waiting import wait_until

pytestmark = pytest.mark.mosquitto

OUTAGE_S = 10.0
FIRST_ANSWER_S = 2.0
OLD, NEW = 0x00020000, 0x00020001


@pytest.fixture
def field(tmp_path: Path, signer: FileSigner) -> Iterator[JobsField]:
    with jobs_field(tmp_path, signer) as made:
        yield made


def test_an_outage_of_ten_seconds_in_the_self_test_rolls_nothing_back(field: JobsField) -> None:
    field.enrol("robot-1")
    field.roll_out()
    with field.device("robot-1") as peer:
        device = AgentV3(ask=peer.ask, running=OLD, offered=NEW)
        assert device.run()
        device.boot()
        field.server.kill9()
        killed_s = time.monotonic()
        accepted = peer.topic("jobs/$next/get/accepted")
        peer.subscribe(accepted)
        before = len(peer.messages)
        # Some agents ask with QoS 0, which a broker need not keep for anybody.
        peer._client.publish(peer.topic("jobs/$next/get"), b'{"clientToken":"first"}', qos=0)
        peer.publish(peer.topic("jobs/$next/get"), b'{"clientToken":"second"}')
        wait_until(lambda: time.monotonic() - killed_s >= OUTAGE_S)
        field.server.start()
        started_s = time.monotonic()
        wait_until(lambda: len([topic for topic, _ in peer.messages[before:] if topic == accepted]) == 2)
        answered_s = time.monotonic()
        assert answered_s - started_s < FIRST_ANSWER_S
        answers = [json.loads(payload) for topic, payload in peer.messages[before:] if topic == accepted]
        assert [answer["clientToken"] for answer in answers] == ["first", "second"]
        assert answers[0]["execution"]["statusDetails"] == {"self_test": "ready", "updatedBy": f"0x{OLD:08x}"}
        assert not device.run()
    assert device.running == NEW
    assert not device.is_pending
    assert field.status("robot-1") == "installed"
