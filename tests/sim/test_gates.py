import random

import pytest

from surefoot.rollout.first_event import RiskSet
from surefoot.rollout.gate import Ended, GateFacts
from surefoot.rollout.metrics import Metric
from surefoot.rollout.ramp import Ramp
from surefoot.sim.gate_fleet import Effect, Fleet, Habits, RunningSums, poisson
from surefoot.sim.gate_rivals import Rival, Rivals
from surefoot.sim.gates import OURS, play


def test_the_same_seed_tells_the_same_story() -> None:
    first, second, other = (
        play(200, Habits(), Effect(error_times=5), seed, Ramp(), goes_on_h=1) for seed in ("a", "a", "b")
    )
    assert first == second != other


def test_a_good_release_reaches_the_whole_fleet() -> None:
    story = play(200, Habits(), Effect(), "good", Ramp())
    assert OURS not in story.halts
    assert story.hours > 24 + 48 + 24 + 24


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect(error_times=5), "rror"),
        (Effect(bricked_share=0.2), "did not come back"),
        (Effect(silent_share=0.3), "stopped sending diagnostics"),
    ],
)
def test_what_is_planted_is_found_and_named(effect: Effect, words: str) -> None:
    halt = play(400, Habits(), effect, "bad", Ramp(), goes_on_h=0).halts[OURS]
    assert words in halt.sentence
    assert halt.sentence.endswith("Halted.")
    assert halt.exposed <= 60


def test_a_ramp_exposes_fewer_robots() -> None:
    effect = Effect(bricked_share=0.05)
    slow, fast = (play(20_000, Habits(), effect, "ramp", ramp, goes_on_h=0).halts[OURS] for ramp in (Ramp(), None))
    assert slow.exposed * 2 < fast.exposed


def test_other_rules_are_watched_beside_the_gates() -> None:
    story = play(1000, Habits(), Effect(), "t-test", Ramp())
    assert Rival.T_TEST in story.halts
    assert OURS not in story.halts


def test_running_sums_are_the_sums_over_robots() -> None:
    """Three entries at times of their own, one of which ends, against adding them up."""
    sums, b, since, y = RunningSums(), [0.5, 2.0, 1.0], [0.0, 1.0, 4.0], [0.0, 0.0, 0.0]
    for entry in range(3):
        sums.enter(b[entry], since[entry])
    for entry, size in ((0, 2.0), (1, 1.5), (0, 3.0)):
        sums.count(b[entry], since[entry], y[entry], size)
        y[entry] += size
    sums.leave(b[1], since[1], y[1], 6.0)
    found, m = sums.at(10.0), [0.5 * 10, 2.0 * 5, 1.0 * 6]
    assert (found.robots, found.with_event) == (3, 2)
    assert (found.y, found.m) == pytest.approx((sum(y), sum(m)))
    assert found.yy == pytest.approx(sum(value * value for value in y))
    assert found.ym == pytest.approx(sum(one * other for one, other in zip(y, m, strict=True)))
    assert found.mm == pytest.approx(sum(value * value for value in m))


def test_busier_robots_are_drawn_more_often() -> None:
    fleet = Fleet(500, Habits(activity_deviation=1.0, eager_first=True), random.Random(1))
    assert {fleet.stratum[robot] for robot in range(500)} == set(range(5))
    activity = [sum(fleet.activity[robot] for robot in members) / len(members) for members in fleet.members]
    assert activity == sorted(activity)


@pytest.mark.parametrize("mean", [0.0, 0.7, 20.0, 400.0])
def test_poisson_numbers_have_their_mean_and_variance(mean: float) -> None:
    dice = random.Random(2)
    drawn = [poisson(dice, mean) for _ in range(4000)]
    found = sum(drawn) / 4000
    assert found == pytest.approx(mean, abs=5 * (mean / 4000) ** 0.5)
    assert sum((number - found) ** 2 for number in drawn) / 4000 == pytest.approx(mean, rel=0.15)


def test_a_rule_halts_once() -> None:
    ends = {Metric.NOT_RETURNED: Ended(failed=0, ended=20), Metric.INSTALL_FAILED: Ended(failed=5, ended=20)}
    nobody = {Metric.SILENT: (RiskSet(updated=20, others=20, updated_events=0, others_events=0),)}
    facts, rivals = GateFacts(hours=0.25, outcomes=ends, first_events=nobody), Rivals()
    assert [rivals.halted(facts) for _ in range(2)] == [{Rival.FAILED_SHARE}, set()]
