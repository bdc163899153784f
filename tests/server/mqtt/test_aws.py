"""Devices made for AWS IoT Jobs ask over MQTT, and are answered from the fleet's assignments."""

import asyncio
import base64
import json
from dataclasses import dataclass, field, replace

import cbor2
import pytest

from server.mqtt.aws_case import IMAGE, NEW, PLAN, JobsCase, over_https
from server_bench import NOW_S, Bench, report
from surefoot.fleet.aws_jobs import JobExecution, JobsDevice
from surefoot.fleet.downloads import DownloadsOfDay
from surefoot.fleet.model import Status
from surefoot.fleet.rollouts import halt_rollout
from surefoot.rollout.plan_format import plan_to_object
from surefoot.server.mqtt.aws import FILTERS, AwsBridge
from surefoot.server.mqtt.aws_push import JobsPusher
from surefoot.server.mqtt.aws_turns import HELD_S, Turns
from surefoot.wire.errors import Interrupted


@pytest.fixture
def jobs(bench: Bench) -> JobsCase:
    return JobsCase(bench)


def test_a_device_updates_by_what_it_is_told_over_mqtt(jobs: JobsCase) -> None:
    jobs.roll_out()
    device = jobs.device()
    device.live()
    assert device.running == NEW
    newest = jobs.run(lambda rows: rows.newest_assignment("robot-1"))
    assert newest is not None and newest.status is Status.INSTALLED


def test_a_rollout_holds_native_robots_and_devices_by_stream_and_by_address_together(bench: Bench) -> None:
    jobs = JobsCase(over_https(bench, "*=MQTT+HTTP"))
    build, token = jobs.publish(), jobs.bench.enrol("robot-2")
    jobs.bench.enrol("robot-3")
    started = jobs.bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": plan_to_object(PLAN)})
    for device in (jobs.device("robot-1"), jobs.device("robot-3", fetch=jobs.fetch, block_bytes=100_000)):
        device.live()
        assert device.running == NEW
    offer = jobs.bench.call("POST", "/v1/check", token=token, body=report("robot-2")).json["order"]
    assert jobs.bench.call("GET", f"/v1/images/{offer['sha256']}", token=token).body == build.data
    running = {"slot": "ota_1", "version": "0.2.1", "digest": offer["digest"], "state": "confirmed"}
    said = {"id": offer["id"], "state": "installed", "attempts": 1, "received_bytes": 0}
    jobs.bench.call("POST", "/v1/report", token=token, body=report("robot-2", seq=2, running=running, assignment=said))
    rollout = jobs.bench.operate("GET", f"/rollouts/{started.json['rollout_id']}").json
    assert rollout["counts"] == {"installed": 3}


def test_an_answer_goes_to_the_topic_it_was_asked_on_and_to_notify_next(jobs: JobsCase) -> None:
    jobs.roll_out()
    told = jobs.say("$aws/things/robot-1/jobs/$next/get", b'{"clientToken":"t"}')
    base = "$aws/things/robot-1/jobs"
    assert [topic for topic, _ in told] == [f"{base}/$next/get/accepted", f"{base}/notify", f"{base}/notify-next"]
    assert json.loads(told[0][1])["clientToken"] == "t"
    assert json.loads(told[2][1])["execution"] == json.loads(told[0][1])["execution"]


def test_the_server_does_not_hear_what_it_says_itself(jobs: JobsCase) -> None:
    jobs.roll_out()
    heard: list[str] = []

    async def work() -> None:
        other = jobs.broker.client()
        for topic_filter in FILTERS:
            await other.subscribe(topic_filter, 1)
        await other.connect(lambda topic, payload: heard.append(topic), lambda _: None)

    asyncio.run(work())
    job = jobs.ask("$next/get", {})["execution"]
    jobs.stream(job, b"{}", "json", "describe")
    jobs.stream(job, json.dumps({"f": 0, "l": 1024}).encode(), "json")
    assert heard == []


def test_a_device_the_fleet_does_not_know_is_answered_nothing_and_counted(jobs: JobsCase) -> None:
    assert jobs.say("$aws/things/stranger/jobs/get", b"{}") == []
    counted = jobs.bench.services.metrics.mqtt.refused_messages.labels("unknown-robot")
    assert counted._value.get() == 1
    assert jobs.run(lambda rows: rows.find(JobsDevice)) == []


def test_a_request_that_cannot_be_answered_is_not_done(jobs: JobsCase) -> None:
    """So it is not acknowledged, and comes again with the next connection."""
    jobs.broker.is_up = False
    with pytest.raises(Interrupted):
        jobs.say("$aws/things/robot-1/jobs/get", b"{}")


@pytest.mark.parametrize("form", ["json", "cbor"])
@pytest.mark.parametrize("block_bytes", [256, 4096, 131072])
def test_an_image_arrives_byte_for_byte(jobs: JobsCase, form: str, block_bytes: int) -> None:
    """The file has a signed header, and the device gets what comes behind it."""
    jobs.roll_out()
    job = jobs.ask("$next/get", {})["execution"]
    encode = cbor2.dumps if form == "cbor" else lambda value: json.dumps(value).encode()
    [(word, described)] = jobs.stream(job, encode({"c": "t"}), form, "describe")
    assert (word, described["r"]) == ("description", [{"f": 0, "z": len(IMAGE)}])
    found, first = b"", 0
    while len(found) < len(IMAGE):
        request = {"c": "t", "s": 1, "f": 0, "l": block_bytes, "o": first, "n": 131072 // block_bytes}
        told = jobs.stream(job, encode(request), form)
        for word, block in told:
            assert (word, block["i"], block["c"]) == ("data", first, "t")
            found += block["p"] if form == "cbor" else base64.b64decode(block["p"])
            first += 1
    assert found == IMAGE


def test_only_the_device_with_the_job_may_stream_its_file(jobs: JobsCase) -> None:
    jobs.roll_out()
    job = jobs.ask("$next/get", {})["execution"]
    jobs.bench.enrol("robot-2")
    stream = job["jobDocument"]["afr_ota"]["streamname"]
    [(topic, answer)] = jobs.say(f"$aws/things/robot-2/streams/{stream}/get/json", b'{"f":0,"l":256}')
    assert topic.endswith("/rejected/json")
    assert json.loads(answer)["code"] == "ResourceNotFound"


def test_a_halt_takes_the_job_back_and_ends_its_stream(jobs: JobsCase) -> None:
    jobs.roll_out()
    job = jobs.ask("start-next", {})["execution"]
    jobs.run(lambda rows: halt_rollout(rows, "rollout-1", "smoke", NOW_S))
    [(word, answer)] = jobs.stream(job, b'{"f":0,"l":256}', "json")
    assert (word, answer["code"]) == ("rejected", "Unauthorized")
    before = len(jobs.broker.published)
    pusher = JobsPusher(jobs.bench.services, jobs.client)
    asyncio.run(pusher.learn())
    asyncio.run(pusher.recall(["robot-1"]))
    [notify, following] = [json.loads(payload) for _, payload in jobs.broker.published[before:]]
    assert (notify["jobs"], "execution" in following) == ({}, False)
    assert jobs.ask(f"{job['jobId']}/get", {})["execution"]["status"] == "CANCELED"


def test_a_call_gives_its_job_to_a_device_that_hears_it_and_none_to_one_that_is_away(jobs: JobsCase) -> None:
    jobs.bench.enrol("robot-2")
    for robot_id in ("robot-1", "robot-2"):
        assert "execution" not in jobs.ask("$next/get", {}, robot_id)
    jobs.roll_out()
    jobs.broker.deaf_things = {"robot-2"}
    before = len(jobs.broker.published)
    pusher = JobsPusher(jobs.bench.services, jobs.client)
    asyncio.run(pusher.learn())
    assert set(pusher.reachable({"robot-9"})) == {"robot-1", "robot-2", "robot-9"}
    asyncio.run(pusher.call(["robot-1", "robot-2", "robot-9"]))
    told = [(topic, json.loads(payload)) for topic, payload in jobs.broker.published[before:]]
    given = [topic for topic, payload in told if "execution" in payload]
    assert given == ["$aws/things/robot-1/jobs/notify-next"]
    assert [known.robot_id for known in jobs.run(lambda rows: rows.find(JobExecution))] == ["robot-1"]
    assert jobs.run(lambda rows: rows.newest_assignment("robot-2")) is None


def test_a_streamed_file_counts_as_one_download(jobs: JobsCase) -> None:
    jobs.roll_out()
    job = jobs.ask("$next/get", {})["execution"]
    turns = Turns(_Keepers({"robot-1"}), settle_s=0)
    bench = replace(
        jobs.bench.services, settings=jobs.bench.services.settings.model_copy(update={"downloads_per_day": 2})
    )
    topic = f"$aws/things/robot-1/streams/{job['jobId']}/get/json"

    async def take(times: int) -> None:
        turns.begin()
        bridge = AwsBridge(bench, jobs.client, turns)
        for number in range(times):
            await bridge.take(topic, json.dumps({"f": 0, "l": 102_400, "o": number % 3}).encode())

    asyncio.run(take(3))
    taken = jobs.run(lambda rows: rows.get(DownloadsOfDay, "robot-1"))
    assert taken is not None and taken.downloads == 1
    before = len(jobs.broker.published)
    asyncio.run(take(4))
    answers = [topic.split("/")[-2] for topic, _ in jobs.broker.published[before:]]
    assert answers == ["data", "data", "data", "rejected"]


@dataclass
class _Keepers:
    """Which devices a process keeps, as a test says. Fills `aws_turns.Keepers`."""

    kept: set[str] = field(default_factory=set)

    def keeps(self, robot_id: str) -> bool:
        return robot_id in self.kept


def test_what_a_process_left_unanswered_falls_to_its_heir() -> None:
    keepers, now_s = _Keepers({"robot-1"}), 0.0
    request = ("$aws/things/robot-2/jobs/get", b"{}")

    async def work() -> None:
        nonlocal now_s
        turns = Turns(keepers, lambda: now_s, settle_s=0)
        turns.begin()
        assert await turns.mine("robot-1", ("topic", b""))
        assert not await turns.mine("robot-2", request)
        assert await turns.inherited(0) == []
        keepers.kept = {"robot-1", "robot-2"}
        assert await turns.inherited(0) == [request]
        assert await turns.inherited(0) == []
        keepers.kept = set()
        assert not await turns.mine("robot-2", request)
        # By now its keeper was there to answer it.
        now_s += HELD_S + 1
        keepers.kept = {"robot-2"}
        assert await turns.inherited(0) == []

    asyncio.run(work())


def test_a_process_that_begins_listens_for_others_before_it_answers() -> None:
    async def work() -> None:
        turns = Turns(_Keepers({"robot-1"}), settle_s=0)
        asked = asyncio.ensure_future(turns.mine("robot-1", None))
        await asyncio.sleep(0)
        assert not asked.done()
        turns.begin()
        assert await asked

    asyncio.run(work())
