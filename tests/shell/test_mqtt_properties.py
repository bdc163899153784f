"""MQTT under chance: bytes cut anywhere, words lost, late, twice and senseless, and power that fails between them."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.agent_case import NEW, NEW_FILE, OFFER, OLD
from shell.fakes import PowerCut
from shell.test_mqtt import CANCEL, Bench
from surefoot.shell.mqtt_packets import PacketReader, Published, encode_publish
from surefoot.wire.codes import RETRYABLE
from surefoot.wire.command import cancel_command, encode_command, encode_nudge
from surefoot.wire.errors import Refused
from surefoot.wire.report import Report

BYTES_MAX = 64
SENSELESS = (b"", b"{", b'{"cancel": 1}', b'{"answer": null}', b"\xff\xfe", b"[" * 3000, b'{"url": "x"}')


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    payloads=st.lists(st.binary(max_size=2 * BYTES_MAX), max_size=6),
    cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=20),
)
def test_messages_come_out_as_they_went_in_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    said = b"".join(encode_publish(number + 1, "a/b", payload, False) for number, payload in enumerate(payloads))
    reader = PacketReader(BYTES_MAX)
    heard = [packet for piece in cut(said, cuts) for packet in reader.feed(piece)]
    kept = [payload if len(payload) + 7 <= BYTES_MAX else None for payload in payloads]
    assert heard == [Published(packet_id=number + 1, payload=payload) for number, payload in enumerate(kept)]


@given(pieces=st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_are_packets_or_refused_and_little_is_held(pieces: list[bytes]) -> None:
    reader = PacketReader(BYTES_MAX)
    try:
        for piece in pieces:
            reader.feed(piece)
            assert len(reader._held) <= BYTES_MAX + 5
    except Refused as error:
        assert error.code == "refused-mqtt-format"


class World(Bench):
    """A robot, and a seed that says what goes wrong. Time passes by waiting only."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.calm = False
        self.heard: list[Report] = []
        hear, publish, write = self.ear.__class__.__call__, self.link.publish, self.storage.write_copy
        world = self

        class Ear(self.ear.__class__):  # type: ignore[name-defined, misc]
            def __call__(self, timeout_ms: int) -> bytes | str | None:
                world.may_cut(0.02)
                return hear(self, timeout_ms)

        def chancy_publish(topic: str, payload: bytes, timeout_ms: int) -> bool:
            self.may_cut(0.05)
            self.link.is_up, self.link.answers = self.is_well(0.8), self.is_well(0.8)
            took = publish(topic, payload, timeout_ms)
            self.trouble()
            self.may_cut(0.1)
            return took and self.is_well(0.9)

        def chancy_write(index: int, data: bytes) -> None:
            self.may_cut(0.02)
            write(index, data)
            self.may_cut(0.02)

        self.ear.__class__ = Ear
        self.link.publish = chancy_publish  # type: ignore[method-assign]
        self.storage.write_copy = chancy_write  # type: ignore[method-assign]

    def is_well(self, share: float) -> bool:
        return self.calm or self.random.random() < share

    def may_cut(self, share: float) -> None:
        if not self.calm and self.random.random() < share:
            raise PowerCut

    def trouble(self) -> None:
        """Say again what was said, say it late, and say what nobody should."""
        if self.calm:
            return
        for _ in range(self.random.randrange(4)):
            words = [
                encode_nudge(OFFER),
                CANCEL,
                encode_command(cancel_command("assignment-9")),
                self.random.choice(SENSELESS),
            ]
            words += [self.link.answer(report) for report in self.server.reports[-3:]]
            self.ear.tell(self.random.choice(words), self.random.choice((0, 100, 4000, 20_000)))

    def live(self) -> None:
        """Boot or check once; the power may fail, and then the next life begins with a boot."""
        self.server.breaks_at = [] if self.is_well(0.5) else [self.random.randrange(len(NEW_FILE))]
        try:
            due = self.start() if self.runner is None else self.check()
            if due is None:
                self.runner = None
            else:
                self.attention.rest(due * 1000)
        except PowerCut:
            self.runner = None
        assert self.slots.images[0][: len(OLD)] == OLD, "the image that was there first is never touched"
        running = self.slots.images[self.slots.running]
        assert running[: len(OLD)] == OLD or running[: len(NEW)] == NEW


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_lost_late_or_twice_the_record_is_what_the_robot_runs_in_the_end(seed: int) -> None:
    world = World(seed)
    for _ in range(30):
        if world.slots.running != 0:
            break
        world.live()

    world.calm = True
    for _ in range(10):
        # A fleet offers again what was rolled back by chance or cancelled; a late copy of a cancel may cost one more.
        ended = world.server.known and world.server.known.assignment
        if ended and ended.code in RETRYABLE:
            world.server.offer = OFFER.replace(attempt=ended.attempts + 1)
        world.live()

    running = world.slots.look().running
    assert (running.digest, running.state) == (OFFER.digest, "confirmed")
    assert world.journal.state == "installed" and world.journal.acknowledged
    assert world.server.known is not None
    assert (world.server.known.running.digest, world.server.known.running.state) == (running.digest, "confirmed")
    assert world.server.everything_is_closed
