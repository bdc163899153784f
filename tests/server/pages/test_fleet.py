"""The fleet at a glance."""

from server.pages.page_case import browser, start, tell
from server_bench import Bench
from surefoot.fleet.model import Status
from surefoot.server.pages.fleet import figures, versions_of
from surefoot.server.pages.fleet_counts import FleetCounts, fleet_counts
from surefoot.server.pages.snapshots import Snapshots


async def count(bench: Bench) -> FleetCounts:
    found = await fleet_counts(bench.services, Snapshots(bench.services))
    assert found is not None
    return found


def test_an_empty_fleet_says_what_to_do_next(bench: Bench) -> None:
    text = browser(bench).see("/").text
    assert "No robot is enrolled yet" in text and "surefoot robot invite" in text
    assert "No rollout is under way" in text and "No incident is open" in text


def test_robots_are_counted_by_version_and_by_how_they_stand(bench: Bench) -> None:
    bench.enrol("robot-0")
    for number in (1, 2, 3):
        tell(bench, f"robot-{number}")
    page = browser(bench).see("/")
    assert "3 online" in page.text and "0 silent" in page.text
    assert "0.2.0 3 75 %" in page.text and "unknown 1 25 %" in page.text
    labels = [attributes.get("aria-label", "") for tag, attributes in page.tags if tag == "svg"]
    assert "Robots by version: 0.2.0 75 %, unknown 25 %" in labels


def test_what_is_under_way_and_what_is_wrong_is_there(bench: Bench) -> None:
    tell(bench, "robot-1")
    running, halted = start(bench, "0.2.1"), start(bench, "0.2.2")
    bench.operate("POST", f"/rollouts/{halted}/halt", {"reason": "arms shake"})
    page = browser(bench).see("/")
    assert {f"/rollouts/{running}", f"/rollouts/{halted}", f"/incidents/{halted}-2"} <= page.links
    assert "0.2.2 for standard halted" in page.text and "arms shake" in page.text


async def _figures(bench: Bench) -> dict[str, tuple[str, str]]:
    return {one.name: (one.value, one.tone) for one in figures(await count(bench))}


def test_figures_are_held_to_their_targets(bench: Bench) -> None:
    import asyncio

    tell(bench, "robot-1")
    shown = asyncio.run(_figures(bench))
    assert shown["Updates that succeeded"] == ("not known yet", "quiet")
    counts = asyncio.run(count(bench))
    assert versions_of(counts) == {"0.2.0": 1}
    assert counts.statuses == {Status.UNASSIGNED: 1}
