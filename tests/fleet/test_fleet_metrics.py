"""The fleet's figures, each from assignments as reports left them."""

from dataclasses import replace

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase
from surefoot.fleet.fleet_metrics import FleetMetrics, Standing, fleet_metrics, standings

LENIENT = replace(EVERYONE, failures_max=9, silence_deadline_s=24 * HOUR_S)


def figures(fleet: FleetCase) -> FleetMetrics:
    return fleet.run(fleet_metrics)


def test_a_fleet_without_updates_has_no_rates(fleet: FleetCase) -> None:
    fleet.enrol()
    assert figures(fleet) == FleetMetrics(
        updates_ended=0,
        success_rate=None,
        rollback_rate=None,
        downloads=0,
        mean_download_s=None,
        mean_install_s=None,
        whole_fleet_s=None,
        versions={"standard": {"unknown": 1}},
    )


def test_rates_are_shares_of_the_updates_that_ended(fleet: FleetCase) -> None:
    fleet.start("0.2.1", LENIENT)
    for name in ("a", "b"):
        fleet.install(fleet.enrol(name))
    for name, state, code in (("c", "rolled_back", "trial-failed"), ("d", "refused", "refused-size")):
        robot = fleet.enrol(name)
        robot.says(fleet.offered(robot).id, state, code=code)
        fleet.hear(robot)
    again = fleet.enrol("tries-again")
    again.says(fleet.offered(again).id, "rolled_back", code="trial-interrupted")
    fleet.hear(again)
    fleet.offered(fleet.enrol("updating"))
    found = figures(fleet)
    assert (found.updates_ended, found.success_rate, found.rollback_rate) == (4, 0.5, 0.25)
    assert found.versions == {"standard": {"0.2.0": 4, "0.2.1": 2}}


def test_times_are_from_the_assignment_and_from_the_start_of_the_rollout(fleet: FleetCase) -> None:
    fleet.start("0.2.1", LENIENT)
    robot = fleet.enrol()
    fleet.offered(robot)
    fleet.now_s += 90
    robot.runs("0.2.1")
    fleet.hear(robot)
    fleet.tick(after_s=30)
    assert (figures(fleet).mean_install_s, figures(fleet).whole_fleet_s) == (90, 120)


def test_download_time_is_the_mean_of_the_downloads_that_were_heard_of(fleet: FleetCase) -> None:
    fleet.start("0.2.1", LENIENT)
    for name, took_s in (("a", 40), ("b", 80)):
        robot = fleet.enrol(name)
        offer = fleet.offered(robot)
        fleet.now_s += took_s
        robot.says(offer.id, "staged")
        fleet.hear(robot)
    fleet.install(fleet.enrol("only-says-that-it-runs-it"))
    fleet.offered(fleet.enrol("still-downloads"))
    assert (figures(fleet).downloads, figures(fleet).mean_download_s) == (2, 60)


def test_a_rollouts_phases_are_told_apart(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", LENIENT)
    fleet.install(fleet.enrol("a"))
    fleet.offered(fleet.enrol("b"))
    found = fleet.run(lambda rows: standings(rows.count_assignments()))
    assert found == {(rollout.rollout_id, 0): Standing(offered=2, installed=1, failed=0, open=1)}
