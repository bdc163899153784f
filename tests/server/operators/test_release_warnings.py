"""What devices made for AWS IoT cannot hold is told to whoever would bring it to them."""

from dataclasses import replace

import pytest

from server.mqtt.aws_case import JobsCase
from server_bench import Bench
from surefoot.fleet.model import Release, Rollout
from surefoot.fleet.ports import Rows


@pytest.fixture
def jobs(bench: Bench) -> JobsCase:
    case = JobsCase(bench)
    case.publish()
    case.ask("$next/get", {})
    return case


def grow(rows: Rows) -> None:
    [release] = rows.find(Release)
    rows.put(replace(release, size_bytes=5_000_000))


def test_nothing_is_said_of_a_release_that_fits(jobs: JobsCase) -> None:
    answer = jobs.bench.operate("GET", "/releases/release-0.2.1/warnings")
    assert (answer.status, answer.json) == (200, {"warnings": []})
    assert jobs.bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"}).status == 201


def test_a_rollout_that_no_robot_could_get_is_refused_and_one_that_some_could_is_warned_of(jobs: JobsCase) -> None:
    jobs.run(grow)
    refused = jobs.bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"})
    assert (refused.status, refused.code) == (422, "refused-aws-limit")
    assert jobs.run(lambda rows: rows.find(Rollout)) == []
    jobs.bench.enrol("robot-2")
    [warning] = jobs.bench.operate("GET", "/releases/release-0.2.1/warnings").json["warnings"]
    assert "robot-1" in warning and "4194304" in warning
    assert jobs.bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"}).status == 201
