"""A fleet that does what it likes: whatever happens, no robot comes before its phase nor beyond the plan's capacity."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.fleet_case import HOUR_S, FleetCase, Voice, in_one_transaction
from surefoot.fleet.look import OUTAGE_S
from surefoot.fleet.model import Rollout
from surefoot.rollout.membership import phase_of
from surefoot.rollout.plan import Phase, Plan
from surefoot.store.sql_store import SqlStore

PHASE_SOAK_S = 2 * OUTAGE_S


def act(fleet: FleetCase, voice: Voice, chance: random.Random) -> None:
    """Let a robot do one thing with what it was offered, well or badly, and say so or keep quiet."""
    answer = fleet.hear(voice)
    if answer.offer is None:
        return
    move = chance.choice(["take", "install", "install", "install", "fail", "go back"])
    if move == "take":
        voice.says(answer.offer.id, "downloading", attempts=0)
    elif move == "install":
        voice.runs(str(answer.offer.version))
        voice.says(answer.offer.id, "installed")
    else:
        code = "trial-failed" if move == "fail" else "trial-interrupted"
        voice.says(answer.offer.id, "rolled_back", answer.offer.attempt, code)
    if chance.random() < 0.7:
        fleet.hear(voice)


def check(fleet: FleetCase, rollout: Rollout, opened: list[int]) -> None:
    now = fleet.rollout(rollout.rollout_id)
    opened.append(now.phase)
    assignments = fleet.run(lambda rows: rows.assignments(rollout.rollout_id))
    for assignment in assignments:
        assert phase_of(now.plan, now.salt, assignment.robot_id) <= max(opened)
    assert sum(assignment.is_open for assignment in assignments) <= now.plan.capacity
    assert opened == sorted(opened), "a phase closed again"


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**16),
    robots=st.integers(1, 8),
    capacity=st.integers(1, 4),
    percent=st.integers(1, 99),
    failures_max=st.integers(0, 3),
)
def test_phases_open_in_order_and_capacity_holds(
    empty_store: SqlStore, seed: int, robots: int, capacity: int, percent: int, failures_max: int
) -> None:
    chance = random.Random(seed)
    plan = Plan(
        phases=(
            Phase(name="internal", robots=("robot-0",), soak_s=PHASE_SOAK_S),
            Phase(name="canary", percent=percent, soak_s=PHASE_SOAK_S),
            Phase(name="full", percent=100, soak_s=PHASE_SOAK_S),
        ),
        capacity=capacity,
        failures_max=failures_max,
    )

    def story(fleet: FleetCase) -> None:
        voices = [fleet.enrol(f"robot-{number}") for number in range(robots)]
        rollout = fleet.start("0.2.1", plan)
        opened = [0]
        for _ in range(25):
            act(fleet, chance.choice(voices), chance)
            check(fleet, rollout, opened)
            if chance.random() < 0.4:
                fleet.tick(after_s=chance.choice([1, OUTAGE_S / 2, OUTAGE_S, HOUR_S, -HOUR_S]))
                check(fleet, rollout, opened)

    in_one_transaction(empty_store, story)


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16), robots=st.integers(1, 8), percent=st.integers(1, 99))
def test_a_fleet_that_installs_all_it_is_offered_ends_with_every_robot_installed(
    empty_store: SqlStore, seed: int, robots: int, percent: int
) -> None:
    chance = random.Random(seed)
    phases = (
        Phase(name="canary", percent=percent, soak_s=PHASE_SOAK_S),
        Phase(name="full", percent=100, soak_s=PHASE_SOAK_S),
    )

    def story(fleet: FleetCase) -> None:
        voices = [fleet.enrol(f"robot-{number}") for number in range(robots)]
        rollout = fleet.start("0.2.1", Plan(phases=phases, capacity=2))
        for voice in voices:
            fleet.hear(voice)
        for _ in range(3 * robots + 6):
            for voice in chance.sample(voices, len(voices)):
                answer = fleet.hear(voice)
                if answer.offer is not None:
                    voice.runs("0.2.1")
                    voice.says(answer.offer.id, "installed")
                    fleet.hear(voice)
            fleet.watch(PHASE_SOAK_S)
        assert fleet.rollout(rollout.rollout_id).state == "finished"
        assert {fleet.assignment(voice.robot.robot_id).status for voice in voices} == {"installed"}

    in_one_transaction(empty_store, story)
