"""What server processes promise together: each promise holds for what is right and names what is wrong."""

from dataclasses import replace

import pytest

from surefoot.fleet.lease import Lease
from surefoot.fleet.model import Facts, Rollout, RolloutState
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange
from surefoot.rollout.plan import Phase, Plan
from surefoot.sim import process_promises as promise
from surefoot.wire.report import parse_report

PLAN = Plan(phases=(Phase(name="half", percent=50, soak_s=0), Phase(name="full", percent=100, soak_s=0)), capacity=2)
ROLLOUT = Rollout(
    rollout_id="r",
    release_id="release",
    sku="standard",
    plan=PLAN,
    salt=b"salt",
    state=RolloutState.FINISHED,
    phase=1,
    phase_opened_at_s=0.0,
    started_at_s=0.0,
    looked_at_s=0.0,
    watched_since_s=0.0,
    soaked_s=0.0,
    reason="",
)


def facts(boot: int, seq: int) -> Facts:
    said = b'{"robot_id": "a", "sku": "s", "boot": %d, "seq": %d, "running": {"slot": "a", "state": "confirmed"}}'
    return Facts(report=parse_report(said % (boot, seq)), received_at_s=0.0, heard_at_s=0.0)


def changes(*told: tuple[RolloutAction, RolloutState, int]) -> list[RolloutChange]:
    return [
        RolloutChange(
            change_id=f"r-{number}",
            rollout_id="r",
            number=number,
            at_s=float(number),
            who="engine",
            action=action,
            state=state,
            phase=phase,
            reason="",
        )
        for number, (action, state, phase) in enumerate(told, start=1)
    ]


STARTED = (RolloutAction.STARTED, RolloutState.RUNNING, 0)
OPENED = (RolloutAction.PHASE_OPENED, RolloutState.RUNNING, 1)
FINISHED = (RolloutAction.FINISHED, RolloutState.FINISHED, 1)


def test_a_report_is_lost_when_less_than_what_was_acknowledged_is_stored() -> None:
    assert promise.no_report_lost((2, 5), facts(2, 5)) is None
    assert promise.no_report_lost((2, 5), facts(3, 1)) is None
    assert promise.no_report_lost(None, None) is None
    assert promise.no_report_lost((2, 5), facts(2, 4)) is not None
    assert promise.no_report_lost((2, 5), None) is not None


def test_a_record_that_goes_back_is_seen() -> None:
    assert promise.record_moves_forward(facts(1, 1), facts(1, 2)) is None
    assert promise.record_moves_forward(facts(1, 2), facts(1, 1)) is not None
    assert promise.record_moves_forward(facts(1, 2), None) is not None


def test_begun_downloads_of_each_file_count() -> None:
    assert promise.within_download_limit(2, [(100, 100), (1, 100)]) is None
    assert promise.within_download_limit(2, [(101, 100), (1, 100)]) is not None


def test_open_assignments_stay_within_the_capacity() -> None:
    assert promise.within_capacity(ROLLOUT, 2) is None
    assert promise.within_capacity(ROLLOUT, 3) is not None


def test_a_pause_excuses_no_assignment_beyond_the_capacity() -> None:
    assert promise.within_capacity(replace(ROLLOUT, state=RolloutState.PAUSED), 3) is not None


def test_a_rollout_that_went_its_way_once_is_right() -> None:
    assert promise.decided_once(ROLLOUT, changes(STARTED, OPENED, FINISHED)) is None
    paused = [(RolloutAction.PAUSED, RolloutState.PAUSED, 0), (RolloutAction.RESUMED, RolloutState.RUNNING, 0)]
    assert promise.decided_once(ROLLOUT, changes(STARTED, *paused, OPENED, FINISHED)) is None


@pytest.mark.parametrize(
    "told",
    [
        changes(),
        changes(OPENED, FINISHED),
        changes(STARTED, STARTED, OPENED, FINISHED),
        changes(STARTED, OPENED, OPENED, FINISHED),
        changes(STARTED, OPENED, FINISHED, FINISHED),
        changes(STARTED, FINISHED),
        changes(STARTED, OPENED),
        [change for change in changes(STARTED, OPENED, FINISHED) if change.number != 2],
    ],
)
def test_a_decision_that_is_missing_or_made_twice_is_seen(told: list[RolloutChange]) -> None:
    assert promise.decided_once(ROLLOUT, told) is not None


def test_each_decision_is_told_in_one_way_and_none_is_forgotten() -> None:
    decided, nothing = frozenset({"r-1", "r-2"}), frozenset[str]()
    one = frozenset({b"one"})
    assert promise.told_once(decided, frozenset({"r-2"}), {"r-1": one}, ended=True) is None
    assert promise.told_once(decided, nothing, {"r-1": one}, ended=False) is None
    assert promise.told_once(decided, nothing, {"r-1": one}, ended=True) is not None
    assert promise.told_once(decided, nothing, {"r-1": frozenset({b"one", b"two"})}, ended=False) is not None
    assert promise.told_once(decided, nothing, {"r-3": one}, ended=False) is not None
    assert promise.told_once(decided, frozenset({"r-3"}), {}, ended=False) is not None


def test_an_epoch_has_one_leader_and_only_rises() -> None:
    lease = Lease(name="leader", holder="a", epoch=2, beat=5)
    for after in (replace(lease, beat=6), replace(lease, holder="", beat=5), replace(lease, holder="b", epoch=3)):
        assert promise.one_leader_per_epoch(lease, after) is None
    for wrong in (replace(lease, holder="b"), replace(lease, beat=4), replace(lease, epoch=1), None):
        assert promise.one_leader_per_epoch(lease, wrong) is not None
    assert promise.epoch_taken_once([1, 2, 3]) is None
    assert promise.epoch_taken_once([1, 2, 2]) is not None


def test_a_takeover_has_less_than_five_seconds() -> None:
    assert promise.taken_over_in_time(4.99) is None
    assert promise.taken_over_in_time(5.0) is not None


def test_what_was_done_and_not_recorded_is_seen() -> None:
    assert promise.recorded_once([], ROLLOUT, []) is None
    assert promise.recorded_once([], ROLLOUT, changes(STARTED)) is not None


def test_an_answer_that_nobody_agreed_on_is_seen() -> None:
    assert promise.answers_as_agreed([]) is None
    assert promise.answers_as_agreed(["500"]) == "500"
    assert promise.sentence_of(promise.answers_as_agreed).startswith("Every answer")
