"""Whole rollouts on small fleets: what is planted, against what the engine makes of it."""

from dataclasses import replace

import pytest

from surefoot.fleet.model import RolloutState
from surefoot.rollout.plan import HOUR_S, Phase, Plan, default_plan
from surefoot.sim.rollout_scenario import Effect, Kind, Outage, Scenario
from surefoot.sim.rollout_story import RolloutStory, story_of
from surefoot.sim.rollout_world import RolloutWorld, robot_ids, run_rollout

SHORT = Plan(
    phases=(Phase(name="half", percent=50, soak_s=4 * HOUR_S), Phase(name="full", percent=100, soak_s=4 * HOUR_S))
)


def played(*planted: Effect | Outage, robots: int = 24, seed: int = 1) -> RolloutStory:
    """Run the short plan with what is planted."""
    effects = tuple(one for one in planted if isinstance(one, Effect))
    outages = tuple(one for one in planted if isinstance(one, Outage))
    scenario = Scenario(seed=seed, internal=0, effects=effects, outages=outages)
    story = run_rollout(scenario, SHORT, robots)
    assert story.differing == (), "the record equals every robot, whatever happened"
    return story


def test_a_good_release_goes_through_the_fleet_strategy_and_is_marked_stable() -> None:
    story = run_rollout(Scenario(), default_plan(robot_ids(2)), 20)
    assert (story.state, story.stable, story.halt) == (RolloutState.FINISHED, True, None)
    assert [phase.name for phase in story.phases] == ["internal", "canary", "wider", "full"]
    # Soaks of 24, 48, 24 and 24 hours, and the time that robots take to ask.
    assert all(phase.lasted_h >= soak_h for phase, soak_h in zip(story.phases, (24, 48, 24, 24), strict=True))
    assert (story.statuses, story.running_release, story.records_equal) == ({"installed": 20}, 20, 20)


TRIGGERS = [
    Effect(kind=Kind.SAFETY_STOP, robots=1, after_s=HOUR_S),
    Effect(kind=Kind.BOOT_LOOP, robots=1),
    Effect(kind=Kind.DTLS_FAILURES, share=0.5),
    Effect(kind=Kind.BATTERY_DRAIN, times=3),
    Effect(kind=Kind.SILENT, robots=1),
]


@pytest.mark.parametrize("effect", TRIGGERS, ids=lambda effect: effect.kind)
def test_a_trigger_halts_and_the_robots_are_led_back(effect: Effect) -> None:
    story = played(effect)
    assert story.halt is not None
    assert (story.state, story.stable, story.halt.by) == (RolloutState.HALTED, False, effect.kind)
    assert "robot-0" in story.halt.sentence
    assert story.halt.after_effect_h is not None and story.halt.after_effect_h <= 2.5
    assert (story.running_release, story.led_back) == (0, story.halt.exposed)


GATED = [
    (Effect(kind=Kind.BRICKED, share=0.3), "did not come back"),
    (Effect(kind=Kind.ERRORS, times=60), "error"),
    (Effect(kind=Kind.BATTERY_DRAIN, times=1.3), "Battery drain"),
]


@pytest.mark.parametrize(("effect", "words"), GATED, ids=lambda value: getattr(value, "kind", ""))
def test_the_gate_halts_what_no_trigger_sees(effect: Effect, words: str) -> None:
    story = played(effect, robots=60)
    assert story.halt is not None
    assert (story.halt.by, words in story.halt.sentence) == ("gate", True)
    assert story.halt.exposed <= 40 and story.running_release == 0


def test_robots_that_run_nothing_any_more_are_not_called_installed() -> None:
    story = played(Effect(kind=Kind.BRICKED, share=0.3), robots=60)
    assert story.running_nothing == story.statuses["silent"] + story.statuses.get("rebooting", 0) > 0


HARMLESS = [
    Effect(kind=Kind.OPERATOR_STOP),
    Effect(kind=Kind.FLOODING, robots=1),
    Outage(kind=Kind.TELEMETRY_OUTAGE, from_s=3 * HOUR_S, to_s=15 * HOUR_S),
    Outage(kind=Kind.SERVER_DOWN, from_s=3 * HOUR_S, to_s=12 * HOUR_S),
]


@pytest.mark.parametrize("planted", HARMLESS, ids=lambda planted: planted.kind)
def test_what_says_nothing_against_the_release_halts_nothing(planted: Effect | Outage) -> None:
    story = played(planted)
    assert (story.halt, story.stable, story.running_release) == (None, True, 24)


@pytest.mark.parametrize("kind", [Kind.TELEMETRY_OUTAGE, Kind.SERVER_DOWN])
def test_no_soak_passes_by_an_outage(kind: Kind) -> None:
    usual_s = played(robots=12).virtual_s
    outage = Outage(kind=kind, from_s=usual_s - 2 * HOUR_S, to_s=usual_s + 10 * HOUR_S)
    # Health is looked at a quarter of an hour late, and robots that were silent are waited for.
    assert played(outage, robots=12).virtual_s >= usual_s + 11 * HOUR_S


def test_the_same_seed_is_the_same_story() -> None:
    one, same, other = (played(TRIGGERS[0], robots=12, seed=seed) for seed in (1, 1, 2))
    assert replace(one, real_s=0) == replace(same, real_s=0) != replace(other, real_s=0)


def test_a_record_that_is_not_its_robot_is_found() -> None:
    world = RolloutWorld(Scenario(internal=0), SHORT, 10)
    assert world.run().differing == ()
    world.robots[3].runs = "another"
    times = {"started_at_s": 0.0, "ended_at_s": world.now_s, "first_struck_s": None, "real_s": 0.0}
    assert story_of(world.fleet, world.robots, **times).differing == ("robot-00004",)  # type: ignore[arg-type]
