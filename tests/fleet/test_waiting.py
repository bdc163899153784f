from dataclasses import replace

from fleet.fleet_case import EVERYONE, FleetCase
from support import code_of
from surefoot.fleet.emergency import Wish, halt_as_asked
from surefoot.fleet.model import Facts, Rollout
from surefoot.fleet.pins import pin_robot
from surefoot.fleet.rollouts import pause_rollout
from surefoot.fleet.waiting import DUE, UNHEARD, Waiting, waiting
from surefoot.rollout.maintenance import Window
from surefoot.rollout.plan import Phase

INTERNAL = Phase(name="internal", robots=("robot-1",), soak_s=0)


def asked(fleet: FleetCase, rollout: Rollout) -> Waiting:
    return fleet.run(lambda rows: waiting(rows, rollout.rollout_id, fleet.now_s))


def groups(fleet: FleetCase, rollout: Rollout) -> dict[str, tuple[str, ...]]:
    return {group.code: group.robot_ids for group in asked(fleet, rollout).groups}


def test_robots_are_counted_by_what_keeps_them_waiting(fleet: FleetCase) -> None:
    robots = [fleet.enrol(f"robot-{number}") for number in range(1, 7)]
    for robot in robots[:4]:
        fleet.hear(robot)
    rollout = fleet.start("0.2.1", replace(EVERYONE, exclude=("robot-3",)))
    fleet.run(lambda rows: pin_robot(rows, "robot-2", None, "on loan", fleet.now_s, "ana"))
    found = asked(fleet, rollout)
    assert {group.code: group.robot_ids for group in found.groups} == {
        DUE: ("robot-1", "robot-4"),
        UNHEARD: ("robot-5", "robot-6"),
        "pinned": ("robot-2",),
        "excluded": ("robot-3",),
    }
    assert [group.robots for group in found.groups] == [2, 2, 1, 1]
    assert (found.without_offer, found.is_complete) == (6, True)
    fleet.install(robots[0])
    assert groups(fleet, rollout)[DUE] == ("robot-4",)


def test_closed_phases_a_full_wave_and_a_pause_are_told_apart(fleet: FleetCase) -> None:
    for number in (1, 2):
        fleet.hear(fleet.enrol(f"robot-{number}"))
    rollout = fleet.start("0.2.1", replace(EVERYONE, phases=(INTERNAL, *EVERYONE.phases)))
    assert groups(fleet, rollout) == {DUE: ("robot-1",), "phase-closed": ("robot-2",)}
    fleet.run(lambda rows: rows.put(replace(rollout, offers_max=0)))
    assert groups(fleet, rollout) == {"wave-full": ("robot-1",), "phase-closed": ("robot-2",)}
    fleet.run(lambda rows: pause_rollout(rows, rollout.rollout_id, "", fleet.now_s))
    assert groups(fleet, rollout) == {"paused": ("robot-1", "robot-2")}


def test_who_does_not_trust_the_release_s_key_is_not_said_to_get_it_when_it_asks(fleet: FleetCase) -> None:
    stranger, other = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout = fleet.start("0.2.1")
    fleet.hear(stranger, trusted_keys=("bb" * 32,))
    told = Facts(report=other.report(), received_at_s=fleet.now_s, heard_at_s=fleet.now_s)
    fleet.run(lambda rows: rows.put_facts(told))
    assert groups(fleet, rollout) == {"untrusted-key": ("robot-1",), DUE: ("robot-2",)}
    fleet.install(other)
    fleet.tick(after_s=1)
    assert fleet.rollout(rollout.rollout_id).reason == (
        "1 robot does not trust the key that signed the release: bring it a transition release first, or pin it."
    )


def test_who_waits_with_an_offer_is_told_too(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "refused", code="cancelled")
    fleet.run(lambda rows: pin_robot(rows, "robot-1", None, "on loan", fleet.now_s, "ana"))
    fleet.hear(robot)
    found = asked(fleet, rollout)
    assert ([group.code for group in found.groups], found.without_offer) == (["pinned"], 0)


def test_windows_are_looked_at_by_each_robots_clock(fleet: FleetCase) -> None:
    fleet.hear(fleet.enrol())
    windows = (Window(from_min=60, to_min=120),)
    assert groups(fleet, fleet.start("0.2.1", replace(EVERYONE, maintenance_windows=windows))) == {
        "outside-window": ("robot-1",)
    }


def test_a_robot_that_a_newer_rollout_took_does_not_wait_for_the_older_one(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    older = fleet.start("0.2.1")
    fleet.start("0.2.2")
    fleet.offered(robot)
    found = asked(fleet, older)
    assert [(group.code, group.robot_ids) for group in found.groups] == [("newer-rollout", ("robot-1",))]
    assert (found.without_offer, found.is_complete) == (0, True)


def test_on_the_way_back_only_robots_that_run_what_was_recalled_wait(fleet: FleetCase) -> None:
    fleet.release("0.2.0", stable=True)
    there, other = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    rollout = fleet.start("0.2.1")
    fleet.install(there)
    fleet.hear(other)
    wish = Wish(roll_back=True, recall=False)
    fleet.run(lambda rows: halt_as_asked(rows, rollout.rollout_id, "Smoke.", wish, fleet.now_s))
    way_back = fleet.rollout("standard-0.2.1-back-1")
    # What it goes back to is older than what it runs, and no refusal for that.
    assert groups(fleet, way_back) == {DUE: ("robot-1",)}


def test_there_must_be_such_a_rollout(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1")
    assert code_of(asked, fleet, replace(rollout, rollout_id="none")) == "not-found-rollout"
