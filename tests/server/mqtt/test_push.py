"""Decisions reach robots that are connected: calls as many as there are places, and a halt everyone who is updating."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from fake_broker import FakeBroker
from server_bench import NOW_S, Bench, report
from surefoot.fleet.lease import Lease, Sight, take
from surefoot.fleet.model import Rollout
from surefoot.fleet.outbox import OutboxEntry
from surefoot.fleet.pins import pin_robot, unpin_robot
from surefoot.fleet.ports import Rows
from surefoot.fleet.recall import recall_release
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, resume_rollout, start_rollout
from surefoot.rollout.maintenance import DAY_MIN, Window
from surefoot.rollout.membership import position
from surefoot.rollout.plan import Phase, Plan, one_robot_plan
from surefoot.rollout.ramp import Ramp
from surefoot.server.courier import Courier
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.devices.poll_cache_store import WatchedStore
from surefoot.server.mqtt.push import Pusher
from surefoot.server.mqtt.state import Bell
from surefoot.server.mqtt.waves import CALL_AGAIN_S
from surefoot.server.services import Services
from surefoot.wire.command import Command, parse_command
from surefoot.wire.errors import Interrupted

T = TypeVar("T")

ROBOTS = tuple(f"robot-{number}" for number in range(1, 7))
# In which a rollout whose salt is `salt` takes them.
ORDER = tuple(sorted(ROBOTS, key=lambda robot_id: position(b"salt", robot_id)))
RUNNING_SEQ = {"seq": 0}


def week_min_of(now_s: float) -> int:
    """Return the minutes since Monday 00:00 UTC; the epoch began on a Thursday."""
    return int(now_s // 60 + 3 * DAY_MIN) % (7 * DAY_MIN)


def plan(capacity: int = 100, percent: float = 100, **more: Any) -> Plan:
    phases = (Phase(name="first", percent=percent, soak_s=0), Phase(name="all", percent=100, soak_s=0))
    return Plan(phases=phases[percent == 100 :], capacity=capacity, **more)


@dataclass
class RobotsThere:
    """Who is online, and who came so lately."""

    robot_ids: set[str] = field(default_factory=lambda: set(ROBOTS))
    returned: set[str] = field(default_factory=set)

    def online(self) -> set[str]:
        return self.robot_ids

    def take_returned(self) -> set[str]:
        returned, self.returned = self.returned, set()
        return returned


@dataclass
class Pushing:
    """A leading server with a broker in memory, six robots, and a release."""

    bench: Bench
    broker: FakeBroker = field(default_factory=FakeBroker)
    there: RobotsThere = field(default_factory=RobotsThere)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        for robot_id in ROBOTS:
            self.bench.enrol(robot_id)
            self.report(robot_id)
        self.image = self.bench.publish("0.2.1")
        self.lease = self.lead()
        self.pusher = Pusher(self.bench.services, self.broker.client(), self.there, lambda: self.now_s)

    def run(self, work: Callable[[Rows], T]) -> T:
        return self.bench.services.store.submit(work).result()

    def lead(self) -> Lease:
        sight = Sight(lease=self.run(lambda rows: rows.get(Lease, "leader")), since_s=0.0)
        lease = self.run(lambda rows: take(rows, sight, "me"))
        assert lease is not None
        return lease

    def start(self, capacity: int = 100, percent: float = 100, **more: Any) -> None:
        start = plan(capacity, percent, **more)
        self.run(lambda rows: start_rollout(rows, "release-0.2.1", start, "rollout-1", b"salt", NOW_S))

    def halt(self) -> None:
        self.run(lambda rows: halt_rollout(rows, "rollout-1", "smoke", NOW_S))

    def step(self, later_s: float = 1.0) -> list[str]:
        """Push once, and return whom something was pushed to."""
        self.now_s += later_s
        before = len(self.broker.published)
        asyncio.run(self.pusher.step(self.lease))
        return [topic.split("/")[1] for topic, _ in self.broker.published[before:]]

    def report(self, robot_id: str, **changes: Any) -> dict[str, Any]:
        """Let a robot report over HTTPS, and return its answer."""
        RUNNING_SEQ["seq"] += 1
        body = report(robot_id, seq=RUNNING_SEQ["seq"], **changes)
        answer = self.bench.call("POST", "/v1/report", token=f"token-of-{robot_id}", body=body)
        told: dict[str, Any] = json.loads(answer.body)
        return told

    def install(self, robot_id: str) -> None:
        offer = self.report(robot_id)["order"]
        running = {"slot": "ota_1", "version": "0.2.1", "digest": offer["digest"], "state": "confirmed"}
        self.report(robot_id, running=running)

    def said_to(self, robot_id: str) -> list[Command]:
        return [parse_command(command) for command in self.broker.commands(robot_id)]

    def waiting(self) -> list[OutboxEntry]:
        return self.bench.services.store.read(lambda rows: rows.find(OutboxEntry))


@pytest.fixture
def pushing(bench: Bench) -> Pushing:
    return Pushing(bench)


def test_a_rollout_that_starts_calls_who_is_online_by_the_documented_payload(pushing: Pushing) -> None:
    pushing.there.robot_ids = {"robot-1", "robot-3"}
    pushing.start()
    assert [entry.kind for entry in pushing.waiting()] == ["mqtt_wake"]
    assert sorted(pushing.step()) == ["robot-1", "robot-3"]
    [payload] = pushing.broker.commands("robot-1")
    sha256 = pushing.image.sha256
    url = f"https://fleet.test/v1/images/{sha256}"
    assert json.loads(payload) == {"url": url, "sha256": sha256, "version": "0.2.1"}
    assert pushing.waiting() == []


def test_whoever_comes_online_later_is_called_then(pushing: Pushing) -> None:
    pushing.there.robot_ids = set()
    pushing.start()
    assert pushing.step() == []
    pushing.there.robot_ids = {"robot-2"}
    assert pushing.step() == ["robot-2"]
    assert pushing.step() == []


def test_no_more_are_called_than_there_are_places_and_the_next_when_one_is_free(pushing: Pushing) -> None:
    pushing.start(capacity=2)
    assert tuple(pushing.step()) == ORDER[:2]
    assert pushing.step() == []
    pushing.install(ORDER[0])
    # The other one that was called has a place to come to.
    assert tuple(pushing.step()) == ORDER[2:3]
    pushing.install(ORDER[1])
    pushing.install(ORDER[2])
    assert tuple(pushing.step()) == ORDER[3:5]


def test_whoever_was_called_and_does_not_come_keeps_no_place_for_long(pushing: Pushing) -> None:
    pushing.start(capacity=2)
    assert tuple(pushing.step()) == ORDER[:2]
    assert tuple(pushing.step(11)) == ORDER[2:4]


def test_robots_are_called_in_the_rollouts_random_order_and_not_by_id(pushing: Pushing) -> None:
    pushing.start()
    assert tuple(pushing.step()) == ORDER != ROBOTS


def test_of_a_large_fleet_each_search_looks_at_the_next_robots(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.server.mqtt.waves.LOOKED_AT_MAX", 2)
    pushing.start()
    assert [sorted(pushing.step(30)) for _ in range(3)] == [list(ROBOTS[first : first + 2]) for first in (0, 2, 4)]
    assert pushing.step(30) == [] and pushing.step(30) == []
    # Behind the last it begins with the first again, once they may be called again.
    assert sorted(pushing.step(CALL_AGAIN_S) + pushing.step(30) + pushing.step(30) + pushing.step(30)) == list(ROBOTS)


def test_robots_that_are_pinned_or_excluded_are_not_called(pushing: Pushing) -> None:
    pushing.run(lambda rows: pin_robot(rows, ORDER[0], None, "on loan", NOW_S, "ana"))
    pushing.start(exclude=(ORDER[1],))
    assert tuple(pushing.step()) == ORDER[2:]
    assert [pushing.report(robot_id)["order"] for robot_id in ORDER[:2]] == [None, None]
    pushing.run(lambda rows: unpin_robot(rows, ORDER[0], NOW_S))
    assert tuple(pushing.step()) == ORDER[:1]


@pytest.mark.parametrize("open_now", [False, True])
def test_robots_are_called_only_while_their_maintenance_window_is_open(pushing: Pushing, open_now: bool) -> None:
    minute = week_min_of(NOW_S) % DAY_MIN
    begin = minute if open_now else (minute + 60) % DAY_MIN
    pushing.start(maintenance_windows=(Window(from_min=begin, to_min=(begin + 30) % DAY_MIN),))
    called = pushing.step()
    assert tuple(called) == (ORDER if open_now else ())
    assert (pushing.report("robot-1")["order"] is not None) is open_now


def test_a_robot_that_a_person_pins_after_it_was_found_is_not_called_any_more(pushing: Pushing) -> None:
    pushing.start(capacity=1)
    assert tuple(pushing.step()) == ORDER[:1]
    pushing.run(lambda rows: pin_robot(rows, ORDER[1], None, "on loan", NOW_S, "ana"))
    pushing.install(ORDER[0])
    assert tuple(pushing.step()) == ORDER[2:3]


def test_no_more_are_called_than_the_ramp_lets_in(pushing: Pushing) -> None:
    pushing.start(ramp=Ramp(first_wave=2))
    assert tuple(pushing.step()) == ORDER[:2]
    for robot_id in ORDER[:2]:
        pushing.install(robot_id)
    assert pushing.step(11) == []
    pushing.run(lambda rows: rows.put(replace(rows.find(Rollout)[0], offers_max=3)))
    assert tuple(pushing.step()) == ORDER[2:3]


def test_a_robot_is_called_once_in_ten_minutes(pushing: Pushing) -> None:
    pushing.start()
    assert len(pushing.step()) == len(ROBOTS)
    for _ in range(5):
        assert pushing.step(100) == []
    assert len(pushing.step(CALL_AGAIN_S - 500)) == len(ROBOTS)


def test_a_robot_that_comes_online_anew_is_called_again(pushing: Pushing) -> None:
    """The broker may have been killed with what it had for the robot."""
    pushing.start()
    pushing.step()
    pushing.there.returned = {"robot-2"}
    assert pushing.step() == ["robot-2"]


def test_only_robots_behind_the_open_door_are_called(pushing: Pushing) -> None:
    pushing.start(percent=50)
    called = pushing.step()
    assert 0 < len(called) < len(ROBOTS)
    assert all(pushing.report(robot_id)["order"] is not None for robot_id in called)
    left = set(ROBOTS) - set(called)
    assert all(pushing.report(robot_id)["order"] is None for robot_id in left)


def test_a_halt_stops_every_robot_that_may_be_updating_wherever_it_is(pushing: Pushing) -> None:
    pushing.start()
    pushing.install("robot-1")
    offers = {robot_id: pushing.report(robot_id)["order"]["id"] for robot_id in ("robot-2", "robot-3")}
    pushing.step()
    pushing.there.robot_ids = {"robot-2"}
    pushing.halt()
    # Robots that are away find it when they come back: the broker keeps it.
    assert pushing.step() == ["robot-2", "robot-3"]
    for robot_id, offer_id in offers.items():
        assert pushing.said_to(robot_id)[-1].cancel == offer_id
    assert pushing.waiting() == []


def test_of_a_halt_that_somebody_took_back_nothing_is_said(pushing: Pushing) -> None:
    pushing.start()
    pushing.report("robot-2")
    pushing.step()
    pushing.halt()
    pushing.run(lambda rows: resume_rollout(rows, "rollout-1", "false alarm", NOW_S))
    pushing.step()
    assert pushing.said_to("robot-2") == []
    assert pushing.waiting() == []


def test_a_pause_calls_nobody_and_stops_nobody(pushing: Pushing) -> None:
    pushing.start(capacity=1)
    pushing.report("robot-1")
    pushing.run(lambda rows: pause_rollout(rows, "rollout-1", "lunch", NOW_S))
    assert pushing.step() == [] and pushing.waiting() == []


def test_on_the_way_back_robots_are_told_to_roll_back(pushing: Pushing) -> None:
    pushing.bench.publish("0.2.0")
    pushing.start()
    pushing.install("robot-1")
    pushing.step()

    def work(rows: Rows) -> None:
        recall_release(
            rows,
            "release-0.2.1",
            "smoke",
            NOW_S,
            public_url="https://fleet.test",
            new_salt=lambda: b"salt",
            roll_back=True,
        )

    pushing.run(work)
    assert pushing.step() == ["robot-1"]
    told = pushing.said_to("robot-1")[-1]
    assert told.rollback and told.offer is None


def test_while_the_broker_is_away_decisions_wait_and_none_is_lost(pushing: Pushing) -> None:
    pushing.broker.is_up = False
    pushing.start()
    with pytest.raises(Interrupted):
        pushing.step()
    offer = pushing.report("robot-1")["order"]
    pushing.halt()
    with pytest.raises(Interrupted):
        pushing.step()
    assert [entry.kind for entry in pushing.waiting()] == ["mqtt_wake", "mqtt_recall"]
    pushing.broker.is_up = True
    assert pushing.step() == ["robot-1"]
    assert pushing.said_to("robot-1")[-1].cancel == offer["id"]
    assert pushing.waiting() == []


def test_a_leader_that_lost_its_lease_leaves_the_entry_to_its_successor(pushing: Pushing) -> None:
    """What it said before it noticed is said again, which is harmless."""
    pushing.start()
    pushing.report("robot-1")
    pushing.step()
    pushing.halt()
    lost = pushing.lease
    pushing.lease = replace(lost, epoch=lost.epoch - 1)
    with pytest.raises(Interrupted):
        pushing.step()
    assert len(pushing.waiting()) == 1
    pushing.lease = lost
    assert pushing.step() == ["robot-1"]
    assert [command.cancel for command in pushing.said_to("robot-1")[-2:]] == [
        pushing.said_to("robot-1")[-1].cancel
    ] * 2


def test_without_a_broker_nothing_waits_for_one(pushing: Pushing) -> None:
    pushing.start()
    pushing.halt()
    assert len(pushing.waiting()) == 2
    assert asyncio.run(Courier(pushing.bench.services).send_due(pushing.lease)) == 2
    assert pushing.waiting() == []


def test_a_decision_rings_as_soon_as_it_is_stored(pushing: Pushing) -> None:
    rung: list[int] = []
    store = WatchedStore(pushing.bench.services.store, PollCache(), lambda: rung.append(len(pushing.waiting())))
    store.submit(lambda rows: start_rollout(rows, "release-0.2.1", plan(), "rollout-1", b"salt", NOW_S)).result()
    store.submit(lambda rows: pause_rollout(rows, "rollout-1", "lunch", NOW_S)).result()
    assert rung == [1]


def test_a_bell_wakes_whoever_waits_and_whoever_comes_late() -> None:
    async def work() -> None:
        bell = Bell()
        bell.ring()
        await bell.wait(60)
        waiting = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        await asyncio.to_thread(bell.ring)
        async with asyncio.timeout(10):
            await waiting
        await bell.wait(0.001)

    asyncio.run(work())


def test_rollouts_for_single_robots_that_are_not_there_cost_no_look(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, read = 0, Services.read

    async def counted(services: Services, work: Callable[[Rows], T]) -> T:
        nonlocal reads
        reads += 1
        return await read(services, work)

    monkeypatch.setattr(Services, "read", counted)
    pushing.there.robot_ids = {"robot-2"}
    pushing.step()
    idle, reads = reads, 0

    def start_five(rows: Rows) -> None:
        for number in range(5):
            alone = one_robot_plan("robot-1")
            start_rollout(rows, "release-0.2.1", alone, f"alone-{number}", b"salt", NOW_S)

    pushing.run(start_five)
    assert pushing.step() == []
    reads = 0
    assert pushing.step() == [] and reads == idle
    pushing.there.robot_ids = {"robot-1"}
    assert pushing.step()[0] == "robot-1"
