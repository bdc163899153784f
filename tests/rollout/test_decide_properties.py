from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout.decide import Finish, Halt, OpenPhase, RolloutFacts, Standing, Wait, decide
from surefoot.rollout.plan import default_plan

PLAN = default_plan(("robot-1",))
TIMES_S = st.floats(-1e12, 1e12)
COUNTS = st.integers(0, 3)
FACTS = st.builds(
    RolloutFacts,
    installed=COUNTS,
    updating=COUNTS,
    unreached=COUNTS,
    failed=st.lists(st.just("robot-1"), max_size=2).map(tuple),
    settled_at_s=TIMES_S,
)
STANDINGS = st.builds(Standing, phase=st.integers(0, 3), phase_opened_at_s=TIMES_S)


@given(standing=STANDINGS, facts=FACTS, now_s=TIMES_S)
def test_a_phase_only_ever_passes_with_nothing_failed_nobody_busy_and_its_soak_over(
    standing: Standing, facts: RolloutFacts, now_s: float
) -> None:
    decision = decide(PLAN, standing, facts, now_s)
    assert isinstance(decision, Halt) == bool(facts.failed)
    if isinstance(decision, OpenPhase | Finish):
        assert not (facts.updating or facts.unreached or facts.failed)
        assert now_s - max(standing.phase_opened_at_s, facts.settled_at_s) >= PLAN.phases[standing.phase].soak_s
        assert isinstance(decision, Finish) == (standing.phase == 3)
    if isinstance(decision, OpenPhase):
        assert decision.phase == standing.phase + 1


@given(standing=STANDINGS, facts=FACTS, now_s=TIMES_S, later_s=st.floats(0, 1e12))
def test_time_alone_turns_waiting_into_passing_and_nothing_back(
    standing: Standing, facts: RolloutFacts, now_s: float, later_s: float
) -> None:
    now, later = (decide(PLAN, standing, facts, time_s) for time_s in (now_s, now_s + later_s))
    assert isinstance(now, Wait) or type(later) is type(now)
