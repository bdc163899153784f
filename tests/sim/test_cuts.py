"""The promise under power cuts, with the real fleet on a real database."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.agent import verification
from surefoot.agent.effects import SetBootSlot
from surefoot.agent.steps import Step
from surefoot.agent.values import AgentState
from surefoot.fleet.look import OUTAGE_S
from surefoot.fleet.model import Status
from surefoot.signing.signers import new_key, open_signer
from surefoot.sim.cuts import OLD_VERSION, Bench, World, run_world, sweep
from surefoot.sim.firmware import real_images
from surefoot.sim.flash import Cut, PowerCut
from surefoot.sim.ground import EVERYONE, SimFleet
from surefoot.sim.images import app_image
from surefoot.sim.link import FleetLink
from surefoot.sim.partitions import NO_FACTORY, ROBOT, SMALL, Geometry
from surefoot.sim.robot import Behaviour
from surefoot.wire.offer import Answer
from surefoot.wire.report import CONFIRMING, INSTALLED, TRIAL, Report


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SimFleet]:
    new_key(tmp_path / "key.pem")
    fleet = SimFleet(tmp_path, open_signer(f"file:{tmp_path / 'key.pem'}"))
    yield fleet
    fleet.close()


def a_bench(fleet: SimFleet, geometry: Geometry, old: bytes, new: bytes, block_bytes: int = 4096) -> Bench:
    release = fleet.publish(new, "0.2.1")
    fleet.start_rollout(release)
    return Bench(fleet=fleet, geometry=geometry, old_image=old, release=release, block_bytes=block_bytes)


def a_small_bench(fleet: SimFleet, geometry: Geometry) -> Bench:
    return a_bench(fleet, geometry, app_image(OLD_VERSION, seed=1), app_image("0.2.1", seed=2))


class CutBeforeSaying:
    """A way to the fleet whose power fails when the robot is about to say a certain state for the first time."""

    def __init__(self, link: FleetLink, state: str) -> None:
        self._link = link
        self._state = state
        self.said: list[str] = []
        self.open = link.open

    def exchange(self, report: Report) -> Answer:
        state = "none" if report.assignment is None else report.assignment.state
        if state == self._state and "cut" not in self.said:
            self.said.append("cut")
            raise PowerCut("The power fails before the word is out.")
        self.said.append(state)
        return self._link.exchange(report)


def watch(fleet: SimFleet, time_s: float) -> None:
    """Let time pass with an engine that looks often enough to conclude something from silence."""
    end_s = fleet.now_s + time_s
    while fleet.now_s < end_s:
        fleet.now_s += OUTAGE_S
        fleet.tick()


def test_a_robot_that_confirmed_and_lost_power_before_it_could_say_so_is_installed(fleet: SimFleet) -> None:
    bench = a_small_bench(fleet, SMALL)
    link = CutBeforeSaying(fleet.enrol("r"), INSTALLED)
    robot = bench.robot_on("r", link, Behaviour.HEALTHY)

    with pytest.raises(PowerCut):
        robot.switch_on()
    assert fleet.status("r").verdict.status is Status.ON_TRIAL
    watch(fleet, 2 * EVERYONE.silence_deadline_s)
    assert fleet.status("r").verdict.status is Status.SILENT

    robot.restore_power()
    robot.switch_on()

    assert robot.running_digest == bench.release.digest
    status = fleet.status("r")
    assert status.verdict.status is Status.INSTALLED
    assert status.history[0].kind == "correction"
    after_the_cut = link.said[link.said.index("cut") + 1 :]
    assert after_the_cut == [INSTALLED], "no self-test is repeated, nothing is rejected"
    assert TRIAL not in after_the_cut and CONFIRMING not in after_the_cut


@pytest.mark.parametrize(
    ("geometry", "cut"),
    [*((SMALL, cut) for cut in Cut), (NO_FACTORY, Cut.NOTHING)],
    ids=lambda value: value.name if isinstance(value, Geometry) else str(value),
)
def test_a_cut_at_every_write_of_an_update_ends_installed_and_recorded_so(
    fleet: SimFleet, geometry: Geometry, cut: Cut
) -> None:
    endings = list(sweep(a_small_bench(fleet, geometry), Behaviour.HEALTHY, (cut,)))

    assert len(endings) > 300
    assert [ending for ending in endings if ending.faults] == []


@pytest.mark.parametrize("behaviour", [Behaviour.FAILS_SELF_TEST, Behaviour.CRASHES])
def test_a_cut_at_every_write_of_a_failing_update_ends_on_the_old_image_and_recorded_so(
    fleet: SimFleet, behaviour: Behaviour
) -> None:
    endings = list(sweep(a_small_bench(fleet, SMALL), behaviour, (Cut.NOTHING,), step=2))

    assert len(endings) > 150
    assert [ending for ending in endings if ending.faults] == []


@pytest.mark.parametrize("spoilt", [False, True], ids=["good", "spoilt"])
def test_a_cut_at_every_write_of_an_update_by_a_delta_ends_installed_and_recorded_so(
    fleet: SimFleet, spoilt: bool
) -> None:
    old = app_image(OLD_VERSION, seed=1)
    bench = a_bench(fleet, SMALL, old, app_image("0.2.1", seed=1))
    delta = fleet.publish_delta(old, OLD_VERSION, bench.release, spoilt=spoilt)
    begun = downloads_begun(fleet)

    endings = list(sweep(bench, Behaviour.HEALTHY, (Cut.NOISY,), step=2 if spoilt else 1))

    assert len(endings) > 300
    assert [ending for ending in endings if ending.faults] == []
    assert begun[delta] >= len(endings)
    assert (begun[bench.release.sha256] > 0) == spoilt, "the full file is fetched for want of a good delta only"


def downloads_begun(fleet: SimFleet) -> Counter[str]:
    """Count which files robots begin to download."""
    begun: Counter[str] = Counter()
    look_up = fleet.blobs.size_bytes

    def counted(sha256: str) -> int | None:
        begun[sha256] += 1
        return look_up(sha256)

    fleet.blobs.size_bytes = counted  # type: ignore[method-assign]
    return begun


def test_real_firmware_arrives_by_a_delta_too(fleet: SimFleet) -> None:
    old, new = real_images()
    bench = a_bench(fleet, ROBOT, old, new, block_bytes=65536)
    delta = fleet.publish_delta(old, OLD_VERSION, bench.release)
    begun = downloads_begun(fleet)

    endings = list(sweep(bench, Behaviour.HEALTHY, (Cut.NOISY,), step=4999))

    assert [ending for ending in endings if ending.faults] == []
    assert (fleet.blobs.size_bytes(delta) or 0) < bench.release.size_bytes / 4
    assert begun[delta] >= len(endings) and begun[bench.release.sha256] == 0


def test_a_cut_in_an_update_of_real_firmware_ends_installed_and_recorded_so(fleet: SimFleet) -> None:
    old, new = real_images()
    bench = a_bench(fleet, ROBOT, old, new, block_bytes=65536)

    # An odd step, so that it falls on every kind of operation: erase, program, journal and boot record.
    endings = list(sweep(bench, Behaviour.HEALTHY, (Cut.NOISY,), step=997))

    assert len(endings) > 20
    assert [ending for ending in endings if ending.faults] == []


def test_a_sweep_notices_when_the_boot_slot_is_set_before_the_attempt_is_recorded(
    fleet: SimFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded_first = verification.stage

    def acted_first(state: AgentState) -> Step:
        step = recorded_first(state)
        return Step(state=step.state, effects=(SetBootSlot(), *step.effects))

    monkeypatch.setattr(verification, "stage", acted_first)

    endings = list(sweep(a_small_bench(fleet, SMALL), Behaviour.HEALTHY, (Cut.NOTHING,), step=3))

    faults = {fault for ending in endings for fault in ending.faults}
    assert faults == {"it tried the image 2 times, and 1 attempts were recorded"}


@pytest.mark.parametrize("rollback_enabled", [True, False])
@pytest.mark.parametrize("behaviour", [Behaviour.FAILS_SELF_TEST, Behaviour.CRASHES])
@pytest.mark.parametrize("cut", [Cut.HALF, Cut.NOISY])
def test_a_failed_image_is_left_even_if_the_first_boot_was_cut_and_the_old_image_has_no_record(
    fleet: SimFleet, cut: Cut, behaviour: Behaviour, rollback_enabled: bool
) -> None:
    bench = replace(a_small_bench(fleet, NO_FACTORY), rollback_enabled=rollback_enabled)
    for cut_at in (1, 2):
        ending = run_world(bench, World(cut_at=cut_at, cut=cut, behaviour=behaviour))
        assert ending.faults == ()
