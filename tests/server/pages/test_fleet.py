"""The fleet at a glance."""

import asyncio
from dataclasses import replace

from server.pages.page_case import browser, start, tell
from server_bench import NOW_S, OPERATOR_TOKEN, SKU, Bench
from surefoot.fleet.model import Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import enrol_robot
from surefoot.fleet.rollouts import start_rollout
from surefoot.rollout.plan import one_robot_plan
from surefoot.server.pages.fleet import SHOWN_MAX, figures, versions_of
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
    tell(bench, "robot-1")
    shown = asyncio.run(_figures(bench))
    assert shown["Updates that succeeded"] == ("not known yet", "quiet")
    counts = asyncio.run(count(bench))
    assert versions_of(counts) == {"0.2.0": 1}
    assert counts.statuses == {Status.UNASSIGNED: 1}


def test_the_average_download_time_is_shown_beside_the_time_to_install(bench: Bench) -> None:
    at_once = [{"name": "full", "percent": 100, "soak_s": 3600}]
    start(bench, "0.2.1", phases=at_once)
    tell(bench, "robot-1")
    assert _shown(bench, "Average download time") == "not known yet"

    def took(rows: Rows) -> None:
        assignment = rows.newest_assignment("robot-1")
        assert assignment is not None
        rows.put_assignment(replace(assignment, download_s=41.0))

    bench.services.store.submit(took).result()
    assert _shown(bench, "Average download time") == "41 s"
    assert bench.operate("GET", "/fleet-metrics").json["mean_download_s"] == 41.0
    text = browser(bench).see("/").text
    assert "Average download time 41 s mean of 1 download, offer to whole image; no target is set" in text
    metrics = bench.call("GET", "/metrics", token=OPERATOR_TOKEN).body.decode()
    assert "surefoot_download_mean_seconds 41.0" in metrics


def _shown(bench: Bench, name: str) -> str:
    return asyncio.run(_figures(bench))[name][0]


def test_a_halted_rollout_is_under_way_until_its_incident_is_closed_and_a_newer_one_took_its_place(
    bench: Bench,
) -> None:
    admin = browser(bench)
    halted = start(bench, "0.2.1")
    bench.operate("POST", f"/rollouts/{halted}/halt", {"reason": "arms shake"})
    newer = start(bench, "0.2.2")
    assert {f"/rollouts/{halted}", f"/rollouts/{newer}"} <= admin.see("/").links
    assert admin.send(f"/incidents/{halted}-2/close", reason="mended in 0.2.2").status == 303
    links = admin.see("/").links
    assert f"/rollouts/{halted}" not in links and f"/rollouts/{newer}" in links
    bench.operate("POST", f"/rollouts/{newer}/halt", {"reason": "arms shake"})
    assert admin.send(f"/incidents/{newer}-2/close", reason="known").status == 303
    assert f"/rollouts/{newer}" in admin.see("/").links


def test_many_rollouts_for_single_robots_hide_neither_the_others_nor_their_robots(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")

    def install_each(rows: Rows) -> None:
        for number in range(SHOWN_MAX + 1):
            enrol_robot(rows, f"single-{number}", SKU, f"token of {number}", NOW_S)
            alone = one_robot_plan(f"single-{number}")
            start_rollout(rows, "release-0.2.1", alone, f"alone-{number}", b"salt", NOW_S)

    bench.services.store.submit(install_each).result()
    admin = browser(bench)
    assert f"/rollouts/{rollout_id}" in admin.see("/").links
    assert "/robots/robot-1" in admin.see("/robots?status=waiting").links
