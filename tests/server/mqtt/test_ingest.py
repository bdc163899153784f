"""What robots say over MQTT counts as if said over HTTPS, once, and whatever is wrong with it hurts nobody else."""

import asyncio
import json
import logging
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fake_broker import FakeBroker
from server_bench import NOW_S, Bench, report
from surefoot.fleet.enrolment import revoke
from surefoot.fleet.health import RobotHealth
from surefoot.fleet.model import Facts
from surefoot.fleet.rollouts import start_rollout
from surefoot.rollout.metrics import Metric
from surefoot.rollout.plan import Phase, Plan
from surefoot.server.mqtt.ingest import MOST, PERIOD_S, Ingest
from surefoot.server.mqtt.ingest_diagnostics import BYTES_MOST, FORGET_S, Folder
from surefoot.server.mqtt.silence import SILENCE_S
from surefoot.server.mqtt.stream import Stream
from surefoot.wire.command import parse_command
from surefoot.wire.errors import Interrupted
from surefoot.wire.report import parse_report

PLAN = Plan(phases=(Phase(name="all", percent=100, soak_s=0),))


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


class Listening:
    """A server's ingest at a broker in memory, by a clock that tests move."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.clock = Clock()
        self.services = replace(bench.services, now_s=lambda: NOW_S + self.clock.now_s)
        self.broker = FakeBroker()
        self.stream = Stream(self.services, self.broker.client(), "zero", self.clock)
        self.ingest = Ingest(self.services, self.broker.client(), self.stream, self.clock)
        self.streams: list[Stream] = []

    def say(self, leaf: str, payload: bytes, robot_id: str = "robot-1") -> None:
        asyncio.run(self.ingest.take(f"fleet/{robot_id}/{leaf}", payload))

    def refused(self, reason: str) -> float:
        counted = self.services.metrics.mqtt.refused_messages.labels(reason)
        return float(counted._value.get())

    def health(self, robot_id: str = "robot-1") -> RobotHealth | None:
        return self.services.store.read(lambda rows: rows.get(RobotHealth, robot_id))

    def facts(self, robot_id: str = "robot-1") -> Facts | None:
        return self.services.store.read(lambda rows: rows.facts(robot_id))

    async def two_processes(self) -> list[Stream]:
        """Begin two that know of each other."""
        for name in ("one", "two"):
            client = self.broker.client()
            stream = Stream(self.services, client, name, self.clock)
            await stream.subscribe("group")
            await client.connect(stream.take, stream.connected)
            self.streams.append(stream)
        await self.tick()
        return self.streams

    async def hear(self, *robot_ids: str) -> None:
        """Let robots speak, in the order of their names."""
        for robot_id in robot_ids:
            await self.broker.deliver(f"fleet/{robot_id}/diagnostics", diagnostics(robot_id))
        for stream in self.streams:
            stream.send_parcels()
        await settle()

    async def tick(self) -> None:
        """Let a second pass."""
        self.clock.now_s += 1
        for stream in self.streams * 2:
            await stream.tick()
            await settle()


async def settle() -> None:
    """Let everything happen that is on its way."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def listening(bench: Bench) -> Listening:
    bench.enrol("robot-1")
    return Listening(bench)


def window(robot_id: str = "robot-1", number: int = 0, **sums: Any) -> bytes:
    told = {"length_s": 60, "ok_s": 60, **sums}
    return json.dumps({"robot_id": robot_id, "boot": 1, "number": number, **told}).encode()


def diagnostics(robot_id: str = "robot-1", level: int = 0, **values: str) -> bytes:
    status = {"name": f"{robot_id}/safety", "level": level, "message": "", "values": values}
    return json.dumps({"timestamp": NOW_S, "robot_id": robot_id, "status": [status]}).encode()


def test_a_report_counts_and_is_answered_on_the_command_topic(listening: Listening) -> None:
    bench = listening.bench
    bench.publish("0.2.1")
    work = bench.services.store.submit
    work(lambda rows: start_rollout(rows, "release-0.2.1", PLAN, "rollout-1", b"salt", NOW_S)).result()
    said = report("robot-1")
    listening.say("report", said)
    [answer] = [parse_command(command) for command in listening.broker.commands("robot-1")]
    assert answer.answers(parse_report(said))
    assert answer.answer is not None and answer.answer.offer is not None
    # The same question over HTTPS is the same assignment.
    over_https = bench.call("POST", "/v1/report", token="token-of-robot-1", body=said)
    assert json.loads(over_https.body)["order"]["id"] == answer.answer.offer.id
    facts = listening.facts()
    assert facts is not None and facts.report == parse_report(said)


def test_a_report_that_comes_twice_is_answered_twice_and_counts_once(listening: Listening) -> None:
    for _ in range(2):
        listening.say("report", report("robot-1"))
    assert len(listening.broker.commands("robot-1")) == 2
    assert listening.bench.services.store.read(lambda rows: len(rows.history("robot-1", 10))) == 0


def test_a_report_whose_answer_cannot_be_published_is_not_done(listening: Listening) -> None:
    """So it is not acknowledged, and comes again with the next connection."""
    listening.broker.is_up = False
    with pytest.raises(Interrupted):
        listening.say("report", report("robot-1"))


def test_a_bad_message_is_counted_by_its_reason_and_changes_nothing(listening: Listening) -> None:
    counted = 0.0
    for leaf, payload, reason in (
        ("report", report("robot-2"), "robot-mismatch"),
        ("health", window("robot-2"), "robot-mismatch"),
        ("report", b"x" * 8193, "too-large"),
        ("online", b"10", "too-large"),
        ("report", b"{", "malformed"),
        ("health", b'{"robot_id": "robot-1"}', "malformed"),
        ("online", b"x", "malformed"),
        ("report", report("robot-1", sku="other"), "refused-sku-mismatch"),
        ("commands/ota", b"{}", "strange-topic"),
        ("diagnostics/x", b"{}", "strange-topic"),
    ):
        counted = listening.refused(reason)
        listening.say(leaf, payload)
        assert listening.refused(reason) == counted + 1, (leaf, payload)
    assert listening.facts() is None and listening.health() is None


def test_a_robot_hears_why_its_report_was_refused_as_it_would_over_https(listening: Listening) -> None:
    other_sku = report("robot-1", sku="other")
    for said, code in (
        (other_sku, "refused-sku-mismatch"),
        (report("robot-2"), "refused-robot-mismatch"),
        (b"{", "refused-report-format"),
        (b"x" * 8193, "refused-body-too-large"),
    ):
        listening.say("report", said)
        over_https = listening.bench.call("POST", "/v1/report", token="token-of-robot-1", body=said)
        told = parse_command(listening.broker.commands("robot-1")[-1])
        assert (told.refused, over_https.code) == (code, code)
    [first, *_] = [parse_command(command) for command in listening.broker.commands("robot-1")]
    assert first.answers(parse_report(other_sku)) and first.answer is None
    assert first.detail is not None and "enrolled as standard" in first.detail
    assert listening.broker.commands("robot-2") == [], "nobody else hears of it"


def test_only_reports_are_answered_with_a_refusal(listening: Listening) -> None:
    for leaf, payload in (("health", b"{"), ("online", b"x"), ("commands/ota", b"{}")):
        listening.say(leaf, payload)
    assert listening.broker.published == []


def test_a_refusal_that_cannot_be_published_is_not_done(listening: Listening) -> None:
    listening.broker.is_up = False
    with pytest.raises(Interrupted):
        listening.say("report", report("robot-1", sku="other"))


def test_a_robot_that_nobody_knows_or_that_was_revoked_says_nothing_that_counts(listening: Listening) -> None:
    listening.services.store.submit(lambda rows: revoke(rows, "robot-1", "0" * 64, NOW_S)).result()
    for robot_id in ("robot-1", "robot-9"):
        for leaf, payload in (("report", report(robot_id)), ("health", window(robot_id)), ("online", b"1")):
            listening.say(leaf, payload, robot_id)
    assert (listening.refused("revoked-robot"), listening.refused("unknown-robot")) == (3, 3)
    assert listening.broker.published == [] and listening.ingest.online() == set()


def test_a_robot_that_is_cut_off_as_it_was_revoked_is_offline_and_not_silent(listening: Listening) -> None:
    listening.say("online", b"1")
    listening.stream.take_own("robot-1", diagnostics())
    listening.services.store.submit(lambda rows: revoke(rows, "robot-1", "0" * 64, NOW_S)).result()
    # Its last will, which the broker says when it cuts it off.
    listening.say("online", b"0")
    assert listening.ingest.online() == set()
    assert listening.stream._noticer.table.ask(listening.clock() + SILENCE_S) == []
    health = listening.health()
    assert health is not None and health.signs.online_since_s is None
    listening.say("online", b"1")
    assert listening.ingest.online() == set()


def test_of_a_flood_of_bad_messages_one_a_minute_is_logged(
    listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    listening.services.metrics.mqtt._monotonic_s = listening.clock
    with caplog.at_level(logging.WARNING):
        for step_s in (0, 1, 59, 1):
            listening.clock.now_s += step_s
            listening.say("report", b"{")
    assert [record.message for record in caplog.records if "message-refused" in record.message] != []
    assert sum("message-refused" in record.message for record in caplog.records) == 2
    assert listening.refused("malformed") == 4


def test_a_window_counts_once_however_often_it_comes(listening: Listening) -> None:
    for _ in range(2):
        listening.say("health", window())
    health = listening.health()
    assert health is not None and health.sums.before.told_s == 60


def test_who_is_online_is_known_here_and_stored(listening: Listening) -> None:
    listening.say("online", b"1")
    health = listening.health()
    assert listening.ingest.online() == {"robot-1"}
    assert health is not None and health.signs.online_since_s == listening.services.now_s()
    # The last will.
    listening.say("online", b"0")
    health = listening.health()
    assert listening.ingest.online() == set()
    assert health is not None and health.signs.online_since_s is None


def fold(listening: Listening, *, seconds: int = 60, level: int = 0, robot_id: str = "robot-1") -> Folder:
    folder = listening.stream.folder
    for _ in range(seconds):
        assert folder.take(robot_id, diagnostics(robot_id, level), listening.clock())
        listening.clock.now_s += 1
    return folder


def store_all(listening: Listening, folder: Folder) -> None:
    folder.take_urgent()
    # The second of the minute in which this robot is due.
    for _ in range(61):
        folder.take_due()
        listening.clock.now_s += 1
    asyncio.run(folder.store())


def test_diagnostics_are_folded_and_stored_once_a_minute(listening: Listening) -> None:
    folder = fold(listening, seconds=50)
    fold(listening, seconds=10, level=1)
    assert listening.health() is None
    store_all(listening, folder)
    health = listening.health()
    assert health is not None
    # The last message stands for two seconds.
    assert (health.sums.before.told_s, health.sums.before.warn_s) == (61, 11)
    store_all(listening, folder)
    assert listening.health() == health


def test_a_minutes_windows_are_spread_over_the_minute(listening: Listening) -> None:
    folder = listening.stream.folder
    for number in range(600):
        folder.take(f"robot-{number}", diagnostics(f"robot-{number}"), listening.clock())
    listening.clock.now_s += 60
    folder.take_due()
    waiting: list[int] = []
    for _ in range(60):
        listening.clock.now_s += 1
        folder.take_due()
        waiting.append(len(folder._waiting) - sum(waiting))
    assert sum(waiting) + 30 > 600 and max(waiting) < 30


def test_a_safety_stop_without_an_operator_is_stored_at_once(listening: Listening) -> None:
    folder = fold(listening, seconds=3)
    for by_operator, is_at_once in (("true", False), ("false", True)):
        folder.take("robot-1", diagnostics(estop_active="false"), listening.clock())
        folder.take("robot-1", diagnostics(estop_active="true", estop_by_operator=by_operator), listening.clock())
        assert bool(folder.urgent) is is_at_once
        folder.take_urgent()
        asyncio.run(folder.store())
        assert (listening.health() is not None) is is_at_once


def test_a_robot_that_sends_windows_is_not_folded_twice(listening: Listening) -> None:
    folder = fold(listening)
    folder.sends_windows("robot-1")
    fold(listening)
    store_all(listening, folder)
    assert listening.health() is None
    folder.take("robot-1", diagnostics(estop_active="true"), listening.clock())
    folder.take_urgent()
    asyncio.run(folder.store())
    health = listening.health()
    assert health is not None and health.sums.before.told_s == 0


def test_a_robot_that_sends_windows_no_more_is_folded_again(listening: Listening) -> None:
    """The release that it went back to may send none."""
    folder = fold(listening)
    folder.sends_windows("robot-1")
    listening.clock.now_s += FORGET_S
    fold(listening)
    store_all(listening, folder)
    health = listening.health()
    assert health is not None and health.sums.before.told_s > 0


def test_a_flood_of_one_robot_is_turned_away_unread_and_the_others_are_heard(listening: Listening) -> None:
    listening.bench.enrol("robot-2")
    folder, clock = listening.stream.folder, listening.clock
    count = BYTES_MOST // len(diagnostics())
    taken = [folder.take("robot-1", diagnostics(), clock()) for _ in range(2 * count)]
    assert taken == [True] * count + [False] * count
    assert folder.take("robot-2", diagnostics("robot-2"), clock())
    assert folder.take("robot-1", diagnostics(), clock() + 1)
    for _ in range(MOST + 1):
        listening.say("report", b"{")
    assert listening.refused("too-many") == count + 1
    listening.say("report", report("robot-2"), "robot-2")
    assert listening.facts("robot-2") is not None
    listening.clock.now_s += PERIOD_S
    listening.say("report", report("robot-1"))
    assert listening.facts() is not None


def test_a_message_that_is_tried_again_while_the_store_is_away_is_not_one_too_many(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Interrupted("interrupted-store", "away")

    with monkeypatch.context() as patch:
        patch.setattr(type(listening.services), "write", away)
        for _ in range(2 * MOST):
            with pytest.raises(Interrupted):
                listening.say("health", window())
    listening.say("health", window())
    assert listening.health() is not None


def test_bad_diagnostics_are_counted_by_their_reason(listening: Listening) -> None:
    for payload, reason in (
        (diagnostics("robot-2"), "robot-mismatch"),
        (b" " * 100_000, "too-large"),
        (b"[" * 60_000, "malformed"),
        (b'{"robot_id": "robot-1", "status": 1}', "malformed"),
        (b"\xff", "malformed"),
    ):
        counted = listening.refused(reason)
        assert not listening.stream.folder.take("robot-1", payload, listening.clock())
        assert listening.refused(reason) == counted + 1, payload[:9]
    assert len(listening.stream.folder) == 0


def test_diagnostics_of_a_robot_that_nobody_knows_are_let_go(listening: Listening) -> None:
    folder = fold(listening, robot_id="robot-9")
    store_all(listening, folder)
    assert listening.refused("unknown-robot") == 1
    assert len(folder) == 0 and listening.health("robot-9") is None


def test_what_the_store_cannot_take_is_stored_later(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fold(listening)

    async def write(*_: object, **__: object) -> None:
        raise Interrupted("interrupted-store", "away")

    with monkeypatch.context() as patch:
        patch.setattr(type(listening.services), "write", write)
        with pytest.raises(Interrupted):
            store_all(listening, folder)
    asyncio.run(folder.store())
    assert listening.health() is not None


def test_two_processes_fold_each_robot_in_one_of_them(listening: Listening) -> None:
    """The broker gives each of them every other message, and yet nothing is counted twice or by halves."""
    robot_ids = [f"robot-{number}" for number in range(1, 21)]
    for robot_id in robot_ids[1:]:
        listening.bench.enrol(robot_id)

    async def work() -> None:
        one, two = await listening.two_processes()
        for _ in range(10):
            await listening.hear(*robot_ids)
            await listening.tick()
        assert len(one.folder) + len(two.folder) == 20 and len(one.folder) and len(two.folder)
        for stream in (one, two):
            await stream.stop()

    asyncio.run(work())
    for robot_id in robot_ids:
        health = listening.health(robot_id)
        assert health is not None and health.sums.before.told_s == 10, robot_id


def test_robots_change_hands_when_a_process_leaves_or_dies(listening: Listening) -> None:
    robot_ids = [f"robot-{number}" for number in range(1, 21)]

    async def work() -> None:
        one, two = await listening.two_processes()
        await listening.hear(*robot_ids)
        # Nobody hears of it again, and it did not say good-bye.
        listening.broker.clients[-2].handler = None
        listening.streams.remove(one)
        for _ in range(8):
            await listening.tick()
        await listening.hear(*robot_ids)
        assert len(two.folder) == 20

    asyncio.run(work())


def test_a_robot_is_called_silent_when_no_process_has_heard_it_for_a_minute(listening: Listening) -> None:
    """One process heard it last, and then it became another's: asked, the one keeps the other from being wrong."""
    found: list[bool] = []

    async def work() -> None:
        for stream in await listening.two_processes():
            stream.set_online("robot-1", True)
            # Each has heard it once, one of them half a minute later.
            stream.take_own("robot-1", diagnostics())
            for _ in range(30):
                await listening.tick()
        for _ in range(45):
            health = listening.health()
            found.append(health is not None and Metric.SILENT in health.place.first_s)
            await listening.tick()

    listening.say("online", b"1")
    store_all(listening, fold(listening, seconds=1))
    asyncio.run(work())
    # Heard last thirty seconds before the looks begin.
    assert 30 <= found.index(True) <= 36
