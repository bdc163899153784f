"""One robot that is updated alone or made to install again what it runs, with the real agent and the real fleet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.rollouts import Purpose
from surefoot.rollout.plan import one_robot_plan
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim import cuts
from surefoot.sim.cuts import Bench, settle, sweep
from surefoot.sim.flash import Cut
from surefoot.sim.ground import EVERYONE, SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.partitions import SMALL
from surefoot.sim.robot import Behaviour, SimRobot

IMAGE = app_image("0.2.1", seed=2)
FORCE = Purpose(force=True)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SimFleet]:
    new_key(tmp_path / "key.pem")
    fleet = SimFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"), MemoryStore())
    yield fleet
    fleet.close()


@pytest.fixture
def bench(fleet: SimFleet, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Robots that leave the factory with the very release that the fleet has."""
    monkeypatch.setattr(cuts, "OLD_VERSION", "0.2.1")
    return Bench(fleet=fleet, geometry=SMALL, old_image=IMAGE, release=fleet.publish(IMAGE, "0.2.1"))


def running_slot(fleet: SimFleet, robot_id: str) -> str:
    facts = fleet.status(robot_id).facts
    assert facts is not None
    return facts.report.running.slot


def state_of(fleet: SimFleet, rollout: Rollout) -> RolloutState:
    fleet.tick()
    found = fleet.store.read(lambda rows: rows.get(Rollout, rollout.rollout_id))
    assert found is not None
    return found.state


def switched_on(bench: Bench, robot_id: str) -> SimRobot:
    robot = bench.robot(robot_id, Behaviour.HEALTHY)
    robot.switch_on()
    return robot


def test_one_robot_installs_again_what_it_runs_exactly_once_and_no_other_does(bench: Bench) -> None:
    fleet = bench.fleet
    robot, other = switched_on(bench, "r"), switched_on(bench, "other")
    before = running_slot(fleet, "r")
    rollout = fleet.start_rollout(bench.release, one_robot_plan("r"), FORCE)
    settle(robot, bench)
    for _ in range(5):
        robot.check()
        other.check()
    assert (robot.trial_boots, other.trial_boots) == (1, 0)
    assert running_slot(fleet, "r") != before
    assert robot.running_digest == bench.release.digest
    assert fleet.status("r").verdict.status is Status.INSTALLED
    assert fleet.status("other").verdict.status is Status.UNASSIGNED
    assert state_of(fleet, rollout) is RolloutState.FINISHED


def test_without_force_nothing_is_installed_again(bench: Bench) -> None:
    rollout = bench.fleet.start_rollout(bench.release)
    robot = bench.robot("r", Behaviour.HEALTHY)
    settle(robot, bench)
    assert (robot.trial_boots, bench.fleet.status("r").verdict.status) == (0, Status.INSTALLED)
    assert state_of(bench.fleet, rollout) is RolloutState.FINISHED


def test_a_forced_image_that_fails_ends_on_the_copy_before_and_recorded_so(bench: Bench) -> None:
    fleet = bench.fleet
    robot = bench.robot("r", Behaviour.FAILS_SELF_TEST)
    robot.switch_on()
    before = running_slot(fleet, "r")
    rollout = fleet.start_rollout(bench.release, one_robot_plan("r"), FORCE)
    settle(robot, bench)
    robot.check()
    assert running_slot(fleet, "r") == before
    assert fleet.status("r").verdict.status is Status.ROLLED_BACK
    assert state_of(fleet, rollout) is RolloutState.HALTED


def test_a_cut_at_every_write_of_a_forced_update_ends_installed_once_and_recorded_so(bench: Bench) -> None:
    bench.fleet.start_rollout(bench.release, EVERYONE, FORCE)
    endings = list(sweep(bench, Behaviour.HEALTHY, (Cut.NOISY,)))
    assert len(endings) > 300
    assert [ending for ending in endings if ending.faults] == []
