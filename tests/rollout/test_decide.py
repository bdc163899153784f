from dataclasses import replace

import pytest

from surefoot.rollout.decide import Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.plan import Plan, default_plan

PLAN = default_plan(("robot-1",))
OPENED_S = 1_000_000.0
DAY_S = 86_400.0
SETTLED = RolloutFacts(installed=3, updating=0, unreached=0, failed=(), settled_at_s=OPENED_S)


def at(phase: int = 0) -> Standing:
    return Standing(phase=phase, phase_opened_at_s=OPENED_S)


def failures(count: int) -> tuple[str, ...]:
    return tuple(f"robot-{number}" for number in range(count))


def test_a_settled_phase_waits_for_the_whole_of_its_soak() -> None:
    waiting = decide(PLAN, at(), SETTLED, OPENED_S + DAY_S - 60)
    assert waiting == Wait(reason="Phase internal soaks for another 60 s.")


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_a_soaked_phase_opens_the_next(phase: int) -> None:
    soak_s = PLAN.phases[phase].soak_s
    assert isinstance(decide(PLAN, at(phase), SETTLED, OPENED_S + soak_s - 0.001), Wait)
    opened = decide(PLAN, at(phase), SETTLED, OPENED_S + soak_s)
    assert isinstance(opened, OpenPhase)
    assert opened.phase == phase + 1
    assert PLAN.phases[phase].name in opened.reason and PLAN.phases[phase + 1].name in opened.reason


def test_the_last_phase_finishes() -> None:
    finished = decide(PLAN, at(3), SETTLED, OPENED_S + DAY_S)
    assert isinstance(finished, Finish)
    assert "3 installed, 0 failed" in finished.reason


def test_the_soak_begins_when_the_last_robot_has_settled() -> None:
    late = replace(SETTLED, settled_at_s=OPENED_S + DAY_S)
    assert isinstance(decide(PLAN, at(), late, OPENED_S + 2 * DAY_S - 1), Wait)
    assert isinstance(decide(PLAN, at(), late, OPENED_S + 2 * DAY_S), OpenPhase)


def test_robots_that_settled_in_an_earlier_phase_do_not_shorten_the_soak() -> None:
    early = replace(SETTLED, settled_at_s=OPENED_S - DAY_S)
    assert isinstance(decide(PLAN, at(), early, OPENED_S + DAY_S - 1), Wait)


@pytest.mark.parametrize("facts", [replace(SETTLED, updating=1), replace(SETTLED, unreached=1)])
def test_a_robot_that_is_not_done_holds_the_phase_however_long(facts: RolloutFacts) -> None:
    waiting = decide(PLAN, at(), facts, OPENED_S + 1000 * DAY_S)
    assert isinstance(waiting, Wait)
    assert waiting.reason.startswith("1 robot is ")


def test_several_robots_are_counted() -> None:
    waiting = decide(PLAN, at(), replace(SETTLED, updating=2, unreached=5), OPENED_S)
    assert waiting == Wait(reason="2 robots are still updating in phase internal.")


@pytest.mark.parametrize(
    ("failures_max", "failed", "halts"), [(0, 0, False), (0, 1, True), (2, 2, False), (2, 3, True)]
)
def test_failures_beyond_the_limit_halt(failures_max: int, failed: int, halts: bool) -> None:
    plan: Plan = replace(PLAN, failures_max=failures_max)
    facts = replace(SETTLED, failed=failures(failed))
    for now_s in (OPENED_S, OPENED_S + DAY_S):
        assert isinstance(decide(plan, at(), facts, now_s), Halt) is halts


def test_a_failure_halts_even_while_others_update() -> None:
    facts = replace(SETTLED, failed=failures(1), updating=10, unreached=10)
    assert isinstance(decide(PLAN, at(), facts, OPENED_S), Halt)


def test_a_halt_names_the_first_robots_and_how_many_there_are() -> None:
    halted = decide(PLAN, at(), replace(SETTLED, failed=failures(7)), OPENED_S)
    assert halted.reason.startswith("7 failed (robot-0, robot-1, robot-2, robot-3, robot-4, …), the plan allows 0.")


def test_a_clock_set_back_passes_nothing_and_shows_no_longer_wait_than_the_soak() -> None:
    waiting = decide(PLAN, at(), SETTLED, OPENED_S - 1000 * DAY_S)
    assert waiting == Wait(reason="Phase internal soaks for another 86400 s.")
