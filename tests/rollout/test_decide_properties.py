from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.decide import Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.plan import default_plan

PLAN = replace(default_plan(("robot-1",)), failures_max=0)
SOAKS_S = st.floats(0, 1e12) | st.sampled_from([phase.soak_s for phase in PLAN.phases])
COUNTS = st.integers(0, 3)
FACTS = st.builds(
    RolloutFacts,
    installed=COUNTS,
    updating=COUNTS,
    unreached=COUNTS,
    unheard=COUNTS,
    failed=st.lists(st.just("robot-1"), max_size=2).map(tuple),
    settled_at_s=st.floats(-1e12, 1e12),
)
STANDINGS = st.builds(Standing, phase=st.integers(0, 3), soaked_s=SOAKS_S)


@given(standing=STANDINGS, facts=FACTS)
def test_a_phase_only_ever_passes_with_nothing_failed_nobody_busy_and_its_soak_over(
    standing: Standing, facts: RolloutFacts
) -> None:
    decision = decide(PLAN, standing, facts)
    assert isinstance(decision, Halt) == bool(facts.failed)
    if isinstance(decision, OpenPhase | Finish):
        assert not (facts.updating or facts.unreached or facts.failed)
        assert not (facts.unheard and PLAN.phases[standing.phase].robots), "passed without a robot that is named"
        assert facts.installed or not facts.unheard, "passed on the word of nobody"
        assert standing.soaked_s >= PLAN.phases[standing.phase].soak_s
        assert isinstance(decision, Finish) == (standing.phase == 3)
    if isinstance(decision, OpenPhase):
        assert decision.phase == standing.phase + 1
    if isinstance(decision, Finish):
        assert facts.installed


@given(standing=STANDINGS, facts=FACTS, later_s=st.floats(0, 1e12))
def test_soaking_alone_turns_waiting_into_passing_and_nothing_back(
    standing: Standing, facts: RolloutFacts, later_s: float
) -> None:
    now = decide(PLAN, standing, facts)
    later = decide(PLAN, replace(standing, soaked_s=standing.soaked_s + later_s), facts)
    assert isinstance(now, Wait) or type(later) is type(now)


@given(standing=STANDINGS, facts=FACTS)
def test_hearing_from_those_who_were_away_and_are_done_never_holds_a_phase_up(
    standing: Standing, facts: RolloutFacts
) -> None:
    heard = replace(facts, installed=facts.installed + facts.unheard, unheard=0)
    before, after = decide(PLAN, standing, facts), decide(PLAN, standing, heard)
    assert isinstance(before, Wait) or type(after) is type(before)
