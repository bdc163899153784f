from dataclasses import replace

import pytest

from surefoot.rollout.decide import Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, Watch, decide
from surefoot.rollout.evidence import Answer
from surefoot.rollout.plan import Plan, default_plan, one_robot_plan

PLAN = replace(default_plan(("robot-1",)), failures_max=0)
INTERNAL, CANARY, WIDER, FULL = range(4)
DAY_S = 86_400.0
SETTLED = RolloutFacts(installed=3, updating=0, unreached=0, unheard=0, failed=(), settled_at_s=0.0)


def at(phase: int = INTERNAL, soaked_s: float = 1000 * DAY_S) -> Standing:
    return Standing(phase=phase, soaked_s=soaked_s)


def failures(count: int) -> tuple[str, ...]:
    return tuple(f"robot-{number}" for number in range(count))


def test_a_settled_phase_waits_for_the_whole_of_its_soak() -> None:
    assert decide(PLAN, at(soaked_s=DAY_S - 60), SETTLED) == Wait(reason="Phase internal soaks for another 60 s.")


def test_a_long_soak_is_told_in_days_and_hours() -> None:
    soaks = decide(PLAN, at(CANARY, 2 * DAY_S - 103_499), SETTLED)
    assert soaks == Wait(reason="Phase canary soaks for another 1 d 4 h.")


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


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (SETTLED, "All 3 robots are back on an earlier release."),
        (replace(SETTLED, installed=1), "The one robot is back on an earlier release."),
        (
            replace(SETTLED, failed=failures(1), unheard=2),
            "3 of 6 robots back on an earlier release, 1 failed; 2 robots are not heard from and led back later.",
        ),
    ],
)
def test_a_way_back_ends_with_who_is_back_and_calls_no_release_stable(facts: RolloutFacts, says: str) -> None:
    plan = replace(PLAN, failures_max=1)
    assert decide(plan, replace(at(FULL, DAY_S), leads_back=True), facts) == Finish(reason=says)


def test_who_does_not_trust_the_key_is_not_expected_to_ask() -> None:
    assert decide(PLAN, at(), replace(SETTLED, unreached=2, untrusting=2)) == Wait(
        reason="2 robots do not trust the key that signed the release: bring them a transition release first, or pin "
        "them."
    )
    assert decide(PLAN, at(), replace(SETTLED, unreached=4, untrusting=1)) == Wait(
        reason="3 robots are expected to ask for an update in phase internal. 1 robot does not trust the key that "
        "signed the release: bring it a transition release first, or pin it."
    )


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


GATED = default_plan(("robot-0",))


@pytest.mark.parametrize("phase", [INTERNAL, CANARY])
def test_without_a_limit_of_its_own_only_robots_that_a_phase_names_must_not_fail(phase: int) -> None:
    halted = decide(GATED, at(phase), replace(SETTLED, failed=failures(2)))
    assert isinstance(halted, Halt) == (phase == INTERNAL)
    assert phase != INTERNAL or "robot-0 failed, which phase internal names" in halted.reason


def test_a_failure_that_a_person_accepted_halts_no_more() -> None:
    facts = replace(SETTLED, failed=failures(1))
    assert isinstance(decide(GATED, at(), facts, Watch(accepted=("robot-0",))), OpenPhase)


@pytest.mark.parametrize("updating", [0, 3])
def test_a_trigger_or_a_gate_halts_whatever_else_is_true(updating: int) -> None:
    facts = replace(SETTLED, updating=updating, unreached=updating)
    fired = decide(GATED, at(soaked_s=0), facts, Watch(alarm="robot-1 restarted 4 times."))
    assert fired == Halt(reason="robot-1 restarted 4 times. Halted.", by_evidence=True)
    tripped = Watch(answer=Answer.TRIPPED, sentence="2 of 12 canaries are silent. Halted.")
    assert decide(GATED, at(soaked_s=0), facts, tripped) == Halt(reason=tripped.sentence, by_evidence=True)


def test_a_gate_that_leans_against_the_release_holds_a_soaked_phase_and_no_other() -> None:
    leaning = Watch(answer=Answer.WAITING, sentence="3 of 12 reported an error. Waiting.")
    assert decide(GATED, at(CANARY), SETTLED, leaning) == Wait(reason=leaning.sentence)
    soaking = decide(GATED, at(CANARY, 0), SETTLED, leaning)
    assert soaking.reason.startswith("Phase canary soaks for another")


def test_a_soak_says_what_it_lacks() -> None:
    waits = decide(GATED, at(soaked_s=DAY_S - 60), SETTLED, Watch(note="It stands still."))
    assert waits == Wait(reason="Phase internal soaks for another 60 s. It stands still.")


def test_a_phase_that_needs_a_persons_word_waits_for_it_behind_its_gate() -> None:
    unapproved = replace(at(), next_may_open=False)
    assert "phase canary opens once a person approves it" in decide(GATED, unapproved, SETTLED).reason
    halted = decide(GATED, unapproved, SETTLED, Watch(alarm="It fired."))
    assert isinstance(halted, Halt)


def test_a_rollout_for_one_robot_ends_once_it_is_installed_and_says_nothing_of_the_release() -> None:
    plan, done = one_robot_plan("robot-1"), replace(SETTLED, installed=1)
    assert decide(plan, at(soaked_s=0), done) == Finish(reason="Robot robot-1 has installed the release.")
    assert isinstance(decide(plan, at(soaked_s=0), replace(done, installed=0)), Wait)
    assert isinstance(decide(plan, at(soaked_s=0), replace(done, installed=0, failed=("robot-1",))), Halt)


def test_a_rollout_whose_robot_a_newer_one_took_ends_unless_it_failed() -> None:
    plan, nobody = one_robot_plan("robot-1"), replace(SETTLED, installed=0)
    taken = replace(at(soaked_s=0), is_overtaken=True)
    assert isinstance(decide(plan, taken, nobody), Finish)
    assert isinstance(decide(plan, taken, replace(nobody, failed=("robot-1",))), Halt)
