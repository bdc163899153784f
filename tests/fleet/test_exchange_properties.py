"""Whatever order a robot's reports come in, and however often, the fleet ends up knowing the same."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.fleet_case import EVERYONE, FleetCase, Voice, in_one_transaction
from surefoot.fleet.model import Status
from surefoot.store.sql_store import SqlStore
from surefoot.wire.report import ASSIGNMENT_STATES, CONFIRMED, Report

Step = tuple[str, str, str | None, int, str | None]

STEP = st.tuples(
    st.sampled_from(["0.2.0", "0.2.1"]),
    st.sampled_from(["confirmed", "trial"]),
    st.sampled_from([None, *ASSIGNMENT_STATES]),
    st.integers(0, 4),
    st.sampled_from([None, "trial-failed", "trial-interrupted"]),
)
STEPS = st.lists(STEP, min_size=1, max_size=8)
SEED = st.integers(0, 2**16)


def reports_of(voice: Voice, steps: list[Step]) -> list[Report]:
    """Return a report for each step; the fleet of these stories gives its only assignment the id `assignment-2`."""
    reports = []
    for version, state, said, attempts, code in steps:
        voice.runs(version, state)
        voice.said = None
        if said is not None:
            voice.says("assignment-2", said, attempts, code)
        reports += [voice.report(), voice.report()]
    return reports


@settings(max_examples=60)
@given(steps=STEPS, seed=SEED, copies=st.integers(1, 2))
def test_order_and_number_of_the_deliveries_do_not_matter(
    empty_store: SqlStore, steps: list[Step], seed: int, copies: int
) -> None:
    # An ending that the robot forgets again is kept from the report that named it: such robots need their order.
    steps = [(version, state, said or "downloading", attempts, code) for version, state, said, attempts, code in steps]
    # What a late report alone tells of is not known: that it was installed before it ran something else.
    installed_before = any(step[:2] == ("0.2.1", CONFIRMED) for step in steps[:-1])
    ends = []

    def story(fleet: FleetCase, *, shuffled: bool) -> None:
        voice = fleet.enrol()
        fleet.start("0.2.1")
        reports = reports_of(voice, steps) * (copies if shuffled else 1)
        if shuffled:
            random.Random(seed).shuffle(reports)
        for report in reports:
            fleet.deliver(voice, report)
        known, assignment = fleet.facts(), fleet.assignment()
        status = None if installed_before and steps[-1][0] != "0.2.1" else assignment.status
        ends.append((known, status, None if status is None else assignment.code))

    in_one_transaction(empty_store, lambda fleet: story(fleet, shuffled=False))
    in_one_transaction(empty_store, lambda fleet: story(fleet, shuffled=True))
    assert ends[0] == ends[1]


@settings(max_examples=60)
@given(steps=STEPS, seed=SEED)
def test_copies_of_what_was_delivered_change_nothing_at_any_time(
    empty_store: SqlStore, steps: list[Step], seed: int
) -> None:
    chance = random.Random(seed)

    def story(fleet: FleetCase) -> None:
        voice = fleet.enrol()
        fleet.start("0.2.1", replace(EVERYONE, attempts_max=2))
        delivered = []
        for report in reports_of(voice, steps):
            delivered.append(report)
            answer = fleet.deliver(voice, report)
            before = fleet.facts(), fleet.assignment(), fleet.history()
            copy = chance.choice(delivered)
            assert fleet.deliver(voice, copy) == answer.replace(stale=copy is not report)
            assert (fleet.facts(), fleet.assignment(), fleet.history()) == before

    in_one_transaction(empty_store, story)


@settings(max_examples=60)
@given(steps=STEPS, seed=SEED)
def test_installed_is_only_ever_recorded_of_a_robot_whose_last_word_is_the_wanted_digest_confirmed(
    empty_store: SqlStore, steps: list[Step], seed: int
) -> None:
    def story(fleet: FleetCase) -> None:
        voice = fleet.enrol()
        fleet.start("0.2.1")
        reports = reports_of(voice, steps) * 2
        random.Random(seed).shuffle(reports)
        for report in reports:
            fleet.deliver(voice, report)
            facts = fleet.facts()
            assert facts is not None
            running = facts.report.running
            runs_it = (running.version, running.state) == ("0.2.1", CONFIRMED)
            assert (fleet.assignment().status is Status.INSTALLED) == runs_it

    in_one_transaction(empty_store, story)
