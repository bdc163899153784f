from dataclasses import replace

import pytest

from surefoot.rollout.decide import Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.plan import Plan, default_plan

PLAN = default_plan(("robot-1",))
INTERNAL, CANARY, WIDER, FULL = range(4)
DAY_S = 86_400.0
SETTLED = RolloutFacts(installed=3, updating=0, unreached=0, unheard=0, failed=(), settled_at_s=0.0)


def at(phase: int = INTERNAL, soaked_s: float = 1000 * DAY_S) -> Standing:
    return Standing(phase=phase, soaked_s=soaked_s)


def failures(count: int) -> tuple[str, ...]:
    return tuple(f"robot-{number}" for number in range(count))


def test_a_settled_phase_waits_for_the_whole_of_its_soak() -> None:
    assert decide(PLAN, at(soaked_s=DAY_S - 60), SETTLED) == Wait(reason="Phase internal soaks for another 60 s.")


@pytest.mark.parametrize("phase", [INTERNAL, CANARY, WIDER])
def test_a_soaked_phase_opens_the_next(phase: int) -> None:
    soak_s = PLAN.phases[phase].soak_s
    assert isinstance(decide(PLAN, at(phase, soak_s - 0.001), SETTLED), Wait)
    opened = decide(PLAN, at(phase, soak_s), SETTLED)
    assert isinstance(opened, OpenPhase)
    assert opened.phase == phase + 1
    assert PLAN.phases[phase].name in opened.reason and PLAN.phases[phase + 1].name in opened.reason


def test_the_last_phase_finishes() -> None:
    finished = decide(PLAN, at(FULL, DAY_S), SETTLED)
    assert isinstance(finished, Finish)
    assert "3 installed, 0 failed" in finished.reason


def test_a_robot_that_is_not_done_holds_the_phase_however_long() -> None:
    assert decide(PLAN, at(), replace(SETTLED, updating=2, unreached=5)) == Wait(
        reason="2 robots are still updating in phase internal."
    )
    assert decide(PLAN, at(), replace(SETTLED, unreached=1)) == Wait(
        reason="1 robot is expected to ask for an update in phase internal."
    )


def test_a_phase_does_not_pass_without_a_robot_it_names() -> None:
    assert decide(PLAN, at(INTERNAL), replace(SETTLED, unheard=1)) == Wait(
        reason="1 robot is not heard from in phase internal."
    )


@pytest.mark.parametrize("phase", [CANARY, WIDER, FULL])
def test_a_share_of_the_fleet_passes_without_those_who_are_away_once_someone_installed(phase: int) -> None:
    away = replace(SETTLED, unheard=5)
    assert isinstance(decide(PLAN, at(phase), away), OpenPhase | Finish)
    assert decide(PLAN, at(phase), replace(away, installed=0)) == Wait(
        reason=f"5 robots are not heard from in phase {PLAN.phases[phase].name}."
    )


@pytest.mark.parametrize("phase", [CANARY, WIDER])
def test_a_share_that_takes_in_no_robot_at_all_passes(phase: int) -> None:
    assert isinstance(decide(PLAN, at(phase), replace(SETTLED, installed=0)), OpenPhase)


@pytest.mark.parametrize("phase", [INTERNAL, FULL])
def test_a_phase_that_names_robots_and_the_last_do_not_pass_while_nobody_installed(phase: int) -> None:
    for failed in ((), failures(1)):
        facts = replace(SETTLED, installed=0, failed=failed)
        assert decide(replace(PLAN, failures_max=1), at(phase), facts) == Wait(
            reason="No robot has installed the release yet."
        )


@pytest.mark.parametrize(
    ("failures_max", "failed", "halts"), [(0, 0, False), (0, 1, True), (2, 2, False), (2, 3, True)]
)
def test_failures_beyond_the_limit_halt(failures_max: int, failed: int, halts: bool) -> None:
    plan: Plan = replace(PLAN, failures_max=failures_max)
    facts = replace(SETTLED, failed=failures(failed))
    for soaked_s in (0.0, DAY_S):
        assert isinstance(decide(plan, at(soaked_s=soaked_s), facts), Halt) is halts


def test_a_failure_halts_even_while_others_update_or_say_nothing() -> None:
    facts = replace(SETTLED, failed=failures(1), installed=0, updating=10, unreached=10, unheard=10)
    assert isinstance(decide(PLAN, at(), facts), Halt)


def test_a_halt_names_the_first_robots_and_how_many_there_are() -> None:
    halted = decide(PLAN, at(), replace(SETTLED, failed=failures(7)))
    assert halted.reason.startswith("7 failed (robot-0, robot-1, robot-2, robot-3, robot-4, …), the plan allows 0.")
