"""Whatever a device sends, the bridge answers it or counts it, and goes on working for that device and all others."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from fuzz import corpus
from fuzz.mutations import Kind, mutate
from server.mqtt.aws_case import IMAGE, NEW, JobsCase, over_https
from server_bench import Bench
from surefoot.fleet.model import Status

INPUTS = 400
REQUEST_BYTES_MAX = 60_000


def storm(jobs: JobsCase, chance: Random) -> Iterator[tuple[str, bytes]]:
    """Yield topics and payloads: true requests and changed ones, of jobs that are there and that are not.

    The device that streams is another one, as what is said of a job in a storm may end it.
    """
    job_id = jobs.ask("start-next", {})["execution"]["jobId"]
    streams = jobs.ask("start-next", {}, "robot-3")["execution"]["jobId"]
    jobs_root, streams_root = "$aws/things/robot-1/jobs", f"$aws/things/robot-3/streams/{streams}"
    ids = (job_id, "$next", "AFR_OTA-none-1")
    requests = [
        *((f"{jobs_root}/{name}/{verb}", Kind.JSON) for name in ids for verb in ("get", "update")),
        *((f"{jobs_root}/{verb}", Kind.JSON) for verb in ("get", "start-next")),
        *((f"{streams_root}/{verb}/json", Kind.JSON) for verb in ("get", "describe")),
        *((f"{streams_root}/{verb}/cbor", Kind.BYTES) for verb in ("get", "describe")),
    ]
    for number in range(INPUTS):
        topic, kind = chance.choice(requests)
        form = "cbor" if kind is Kind.BYTES else "json"
        seeds = corpus.stream_requests(form) if "/streams/" in topic else corpus.jobs_requests()
        payload = mutate(chance, chance.choice(seeds), kind, REQUEST_BYTES_MAX)
        if number % 5 == 0:
            changed = mutate(chance, topic.encode(), Kind.TEXT, 300).decode("utf-8", "replace")
            topic = changed.replace("\0", "").replace("+", "").replace("#", "") or "x"
        yield topic, payload


@pytest.mark.parametrize("seed", ["first", "second"])
def test_a_storm_of_strange_requests_is_answered_and_the_device_updates_after_it(bench: Bench, seed: str) -> None:
    jobs = JobsCase(over_https(bench, "*=MQTT+HTTP"))
    for robot_id in ("robot-2", "robot-3"):
        jobs.bench.enrol(robot_id)
    jobs.roll_out()
    words = set()
    for topic, payload in storm(jobs, Random(seed)):
        for answered, answer in jobs.say(topic, payload):
            words.add(answered.removesuffix("/json").removesuffix("/cbor").rpartition("/")[2])
            assert len(answer) < 256 * 1024
            if not answered.endswith("/cbor"):
                assert isinstance(json.loads(answer), dict)
    assert {"accepted", "rejected", "data"} <= words
    other = jobs.device("robot-2", fetch=jobs.fetch, block_bytes=128 * 1024)
    other.live()
    newest = jobs.run(lambda rows: rows.newest_assignment("robot-2"))
    assert (other.running, other.spare) == (NEW, IMAGE)
    assert newest is not None and newest.status is Status.INSTALLED
    assert set(jobs.ask("get", {})) >= {"inProgressJobs", "queuedJobs"}
