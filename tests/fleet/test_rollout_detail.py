"""What a person should know before acting: how many robots an act meets, and which rollouts of the sku have a say."""

from dataclasses import replace

from fleet.fleet_case import EVERYONE, FleetCase
from surefoot.fleet.emergency import Wish, halt_as_asked
from surefoot.fleet.model import Rollout, RolloutState
from surefoot.fleet.rollout_detail import BESIDE_MAX, Detail, rollout_detail
from surefoot.fleet.rollouts import pause_rollout


def detail(fleet: FleetCase, rollout: Rollout) -> Detail:
    stored = fleet.rollout(rollout.rollout_id)
    return fleet.run(lambda rows: rollout_detail(rows, stored))


def finish(fleet: FleetCase, rollout: Rollout) -> None:
    fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.FINISHED)))


def test_a_rollout_alone_has_nobody_beside_it(fleet: FleetCase) -> None:
    assert detail(fleet, fleet.start("0.2.1")) == Detail(updating=0, running=0, way_back_id=None, beside=())


def test_robots_that_update_that_run_it_and_that_went_back_are_told_apart(fleet: FleetCase) -> None:
    fleet.release("0.2.0", stable=True)
    first, second, third = (fleet.enrol(f"robot-{number}") for number in range(3))
    rollout = fleet.start("0.2.1")
    fleet.install(first)
    fleet.install(second)
    fleet.offered(third)
    found = detail(fleet, rollout)
    assert (found.updating, found.running, found.way_back_id) == (1, 2, None)
    wish = Wish(roll_back=True, recall=False)
    fleet.run(lambda rows: halt_as_asked(rows, rollout.rollout_id, "Smoke.", wish, fleet.now_s))
    fleet.install(first)
    found = detail(fleet, rollout)
    assert (found.running, found.way_back_id) == (1, "standard-0.2.1-back-1")


def test_each_rollout_beside_says_whether_it_goes_before(fleet: FleetCase) -> None:
    older, middle, newer = (fleet.start(f"0.2.{number}") for number in (1, 2, 3))
    fleet.offered(fleet.enrol())
    found = detail(fleet, middle).beside
    assert [(one.version, one.is_newer, one.offered) for one in found] == [("0.2.3", True, 1), ("0.2.1", False, 0)]
    assert found[0].meaning == "Newer, so it goes before this one: a robot that it would take now is its own."
    assert found[1].meaning.startswith("Older, so it takes robots that this one does not take now")
    fleet.run(lambda rows: pause_rollout(rows, newer.rollout_id, "", fleet.now_s))
    fleet.run(lambda rows: halt_as_asked(rows, older.rollout_id, "x", Wish(roll_back=False, recall=False), fleet.now_s))
    assert [one.meaning for one in detail(fleet, middle).beside] == [
        "Newer, and takes no robot while it is paused; resumed, it goes before this one.",
        "Older, and takes no robot while it is halted.",
    ]


def test_of_finished_rollouts_only_the_newest_that_is_newer_has_a_say(fleet: FleetCase) -> None:
    first, second, third, fourth = (fleet.start(f"0.2.{number}") for number in (1, 2, 3, 4))
    for rollout in (first, third, fourth):
        finish(fleet, rollout)
    [found] = detail(fleet, second).beside
    assert (found.version, found.state) == ("0.2.4", RolloutState.FINISHED)
    assert "takes every robot" in found.meaning


def test_no_more_than_the_nearest_are_named(fleet: FleetCase) -> None:
    rollouts = [fleet.start(f"0.2.{number}", EVERYONE) for number in range(2 * BESIDE_MAX + 3)]
    found = detail(fleet, rollouts[BESIDE_MAX + 1]).beside
    assert len(found) == 2 * BESIDE_MAX
    assert {rollouts[BESIDE_MAX].rollout_id, rollouts[BESIDE_MAX + 2].rollout_id} < {one.rollout_id for one in found}
