"""What is said of a rollout before it starts."""

from dataclasses import replace

from server.mqtt.aws_case import JobsCase
from server.pages.page_case import Page, browser
from server_bench import Bench
from surefoot.fleet.access import Role
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows


def grow(rows: Rows) -> None:
    [release] = rows.find(Release)
    rows.put(replace(release, size_bytes=5_000_000))


def test_devices_that_cannot_hold_the_release_are_named_beside_the_forecast(bench: Bench) -> None:
    jobs = JobsCase(bench)
    jobs.publish()
    jobs.ask("$next/get", {})
    bench.enrol("robot-2")
    operator, plan = browser(bench, Role.OPERATOR), "phases:\n- {name: full, percent: 100}\n"

    def seen() -> str:
        return Page(operator.send("/rollouts/new", release_id="release-0.2.1", plan=plan).body.decode()).text

    assert "get no job" not in seen()
    jobs.run(grow)
    assert "Devices made for AWS IoT, such as robot-1, get no job" in seen()
