from dataclasses import replace

import pytest

from surefoot.rollout.door import Door, refusal
from surefoot.rollout.plan import Phase, Plan
from surefoot.wire.codes import NAMED_REFUSALS
from surefoot.wire.version import Version

PHASES = (Phase(name="internal", robots=("inside",), soak_s=0), Phase(name="full", percent=100, soak_s=0))
DOOR = Door(
    plan=Plan(phases=PHASES, capacity=2),
    salt=b"salt",
    phase=0,
    closed_by=None,
    version=Version.parse("0.2.1"),
    open_assignments=0,
)
NEWER = Version.parse("0.3.0")


@pytest.mark.parametrize("running", [None, Version.parse("0.2.0"), Version.parse("0.2.1")])
def test_an_open_door_lets_a_robot_of_its_phase_in(running: Version | None) -> None:
    assert refusal(DOOR, "inside", running) is None


@pytest.mark.parametrize(
    ("door", "robot_id", "running", "refused"),
    [
        (replace(DOOR, closed_by="paused"), "inside", None, "paused"),
        (replace(DOOR, closed_by="halted"), "inside", None, "halted"),
        (DOOR, "outside", None, "phase-closed"),
        (DOOR, "inside", NEWER, "newer-version"),
        (replace(DOOR, plan=replace(DOOR.plan, exclude=("outside",))), "outside", None, "excluded"),
        (replace(DOOR, is_wave_full=True), "inside", None, "wave-full"),
        (replace(DOOR, is_wave_full=True, open_assignments=2), "inside", None, "wave-full"),
        (replace(DOOR, open_assignments=2), "inside", None, "at-capacity"),
        (replace(DOOR, open_assignments=3), "inside", None, "at-capacity"),
    ],
)
def test_a_closed_door_says_why(door: Door, robot_id: str, running: Version | None, refused: str) -> None:
    assert refusal(door, robot_id, running) == refused
    assert refused in NAMED_REFUSALS


def test_the_last_place_is_given() -> None:
    assert refusal(replace(DOOR, open_assignments=1), "inside", None) is None


def test_the_next_phase_lets_the_others_in_and_keeps_the_first() -> None:
    for robot_id in ("inside", "outside"):
        assert refusal(replace(DOOR, phase=1), robot_id, None) is None


def test_of_several_reasons_a_person_s_comes_first_and_the_one_that_passes_last() -> None:
    door = replace(DOOR, closed_by="halted", open_assignments=2)
    assert refusal(door, "outside", NEWER) == "halted"
    door = replace(door, closed_by=None)
    assert refusal(door, "outside", NEWER) == "phase-closed"
    assert refusal(door, "inside", NEWER) == "newer-version"


def test_a_pinned_robot_is_let_in_by_no_open_door() -> None:
    assert refusal(DOOR, "inside", None, is_pinned=True) == "pinned"
    assert refusal(replace(DOOR, closed_by="halted"), "inside", None, is_pinned=True) == "halted"
