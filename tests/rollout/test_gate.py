import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.rollout import gate
from surefoot.rollout.evidence import Answer
from surefoot.rollout.first_event import RiskSet
from surefoot.rollout.gate import Ended, Evidence, GateFacts, RateFacts
from surefoot.rollout.means import Levels, MeanStratum
from surefoot.rollout.metrics import Metric
from surefoot.rollout.rates import RateWindow, Spread, Sums
from surefoot.wire.errors import Damaged

QUIET = GateFacts(hours=0.25)
SILENT = RiskSet(updated=12, others=108, updated_events=4)
RARE = RiskSet(updated=200, others=800, updated_events=1)
COUNTS = st.integers(0, 5)
SUMS = st.builds(
    Sums,
    robots=st.integers(0, 99),
    with_event=st.integers(0, 99),
    y=st.floats(0, 1e6),
    m=st.floats(0, 1e6),
    yy=st.floats(0, 1e6),
    ym=st.floats(0, 1e6),
    mm=st.floats(0, 1e6),
)
LEVELS = st.builds(Levels, robots=st.integers(0, 99), x=st.floats(-99, 99), xx=st.floats(0, 999))
RISKS = st.builds(
    lambda updated, others, hit, missed: RiskSet(
        updated=updated + hit, others=others + missed, updated_events=hit, others_events=missed
    ),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
)
FACTS = st.builds(
    GateFacts,
    hours=st.floats(0, 24),
    outcomes=st.dictionaries(
        st.sampled_from((Metric.NOT_RETURNED, Metric.INSTALL_FAILED)),
        st.builds(lambda failed, more: Ended(failed=failed, ended=failed + more), COUNTS, COUNTS),
    ),
    first_events=st.dictionaries(
        st.sampled_from((Metric.SILENT, Metric.ERROR)), st.lists(RISKS, max_size=3).map(tuple)
    ),
    rates=st.dictionaries(
        st.just(Metric.WARNING_TIME),
        st.builds(
            RateFacts,
            windows=st.lists(
                st.builds(
                    RateWindow,
                    updated_count=st.floats(0, 999),
                    others_count=st.floats(0, 999),
                    updated_usual=st.floats(0, 999),
                    others_usual=st.floats(0, 999),
                ),
                max_size=3,
            ).map(tuple),
            spreads=st.lists(st.builds(Spread, updated=SUMS, others=SUMS), max_size=3).map(tuple),
        ),
    ),
    means=st.dictionaries(
        st.just(Metric.TOPIC_RATE),
        st.lists(st.builds(MeanStratum, updated=LEVELS, others=LEVELS), max_size=3).map(tuple),
    ),
)


def after(*looks: GateFacts, robots: int = 12, metrics: frozenset[Metric] = frozenset(Metric)) -> Evidence:
    state = gate.open_phase(gate.start(metrics), robots)
    for facts in looks:
        state = gate.look(state, facts)
    return state


def silent(risk: RiskSet) -> GateFacts:
    return GateFacts(hours=0.25, first_events={Metric.SILENT: (risk,)})


def test_a_quiet_gate_waits_until_the_soak_is_over_and_passes_then() -> None:
    state = after(QUIET)
    assert gate.judge(state, soaked=False).answer is Answer.WAITING
    assert gate.judge(state, soaked=True).answer is Answer.PASSED
    assert not gate.is_tripped(state)


def test_evidence_in_one_metric_halts_with_its_sentence() -> None:
    reading = gate.judge(after(silent(SILENT)), soaked=True, who="canaries")
    assert reading.answer is Answer.TRIPPED
    assert reading.sentence.startswith("4 of 12 canaries stopped sending diagnostics, 0 of 108 others: ")
    assert reading.sentence.endswith(" times likelier if the release is worse. Halted.")
    assert reading.findings[0].metric is Metric.SILENT


def test_a_little_evidence_in_several_metrics_halts_together() -> None:
    facts = GateFacts(hours=0.25, first_events=dict.fromkeys((Metric.SILENT, Metric.ERROR, Metric.REBOOT), (RARE,)))
    metrics = frozenset(facts.first_events)
    state = after(metrics=metrics)
    for _ in range(9):
        state = gate.look(state, facts)
        if gate.is_tripped(state):
            break
    reading = gate.judge(state, soaked=False)
    assert reading.answer is Answer.TRIPPED
    assert {found.answer for found in reading.findings} == {Answer.WAITING}
    assert "reported an error" in reading.sentence and "restarted unasked" in reading.sentence
    assert reading.sentence.endswith("likelier if the release is worse. Halted.")


def test_evidence_that_leans_against_the_release_holds_the_gate_after_its_soak() -> None:
    risk = RiskSet(updated=5, others=100, updated_events=2)
    reading = gate.judge(after(silent(risk)), soaked=True)
    assert reading.answer is Answer.WAITING
    assert "2 of 5 updated robots stopped sending diagnostics" in reading.sentence


def test_a_metric_that_nothing_was_heard_of_keeps_its_evidence() -> None:
    before = after(silent(SILENT))
    assert gate.look(before, QUIET) == before


def test_robots_that_are_missing_slow_the_ramp_and_halt_nothing() -> None:
    state = after(GateFacts(hours=0.25, outcomes={Metric.NOT_RETURNED: Ended(failed=0, ended=20)}), robots=10_000)
    assert gate.log_pooled(state, missing=5) > math.log(20) > gate.log_pooled(state)
    assert not gate.is_tripped(state)
    without = after(metrics=frozenset({Metric.ERROR}))
    assert gate.log_pooled(without, missing=5) == gate.log_pooled(without)


def test_a_plan_that_gates_on_nothing_passes() -> None:
    reading = gate.judge(after(metrics=frozenset()), soaked=True)
    assert (reading.answer, reading.sentence) == (Answer.PASSED, "The plan gates on nothing.")


@given(looks=st.lists(FACTS, max_size=4))
def test_evidence_comes_back_from_storage_as_it_was_and_goes_on_the_same(looks: list[GateFacts]) -> None:
    state = after(*looks)
    stored: Mapping[str, object] = json.loads(json.dumps(gate.to_object(state)))
    assert gate.from_object(stored) == state
    for facts in looks:
        assert gate.look(gate.from_object(stored), facts) == gate.look(state, facts)


@given(looks=st.lists(FACTS, max_size=4), soaked=st.booleans())
def test_the_gate_always_answers_in_sentences(looks: list[GateFacts], soaked: bool) -> None:
    state = after(*looks)
    reading = gate.judge(state, soaked=soaked)
    assert (reading.answer is Answer.TRIPPED) == gate.is_tripped(state)
    assert len(reading.findings) == len(Metric)
    assert math.isfinite(reading.log_pooled)
    for sentence in (reading.sentence, *(found.sentence for found in reading.findings)):
        assert sentence.endswith(("Halted.", "Waiting.", "Passed."))
        assert "nan" not in sentence


@pytest.mark.parametrize("source", [None, {}, {"outcomes": {"no-metric": {}}}, {"outcomes": []}])
def test_malformed_evidence_is_damage(source: object) -> None:
    with pytest.raises(Damaged) as raised:
        gate.from_object(source)
    assert raised.value.code == "damaged-row"


def test_what_is_stored_is_small_after_a_million_events() -> None:
    busy = RiskSet(updated=10**6, others=10**6, updated_events=10**5, others_events=10**5)
    facts = GateFacts(hours=0.25, first_events={Metric.ERROR: (busy,) * 20})
    assert len(json.dumps(gate.to_object(after(*[facts] * 50)))) < 4000
