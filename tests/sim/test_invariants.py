"""Each promise fails on the smallest thing that breaks it, and holds on what does not."""

import inspect
from dataclasses import replace
from typing import Any

import pytest

from store.values import a_report, a_robot, a_rollout, an_assignment, an_entry, put_a_fleet, some_facts
from surefoot.fleet.model import Rollout, RolloutState, Status
from surefoot.fleet.ports import Rows
from surefoot.fleet.reconcile import Order, Verdict
from surefoot.fleet.robots import RobotStatus
from surefoot.rollout.plan import Phase, Plan
from surefoot.sim import invariants as promise
from surefoot.sim.flash import Flash
from surefoot.sim.foundry import OLD_IMAGE
from surefoot.sim.memory_store import MemoryStore
from surefoot.sim.partitions import SMALL, read_partitions
from surefoot.sim.robot import Behaviour, make_flash
from surefoot.wire.offer import offer_from_object, parse_answer
from surefoot.wire.report import AssignmentReport, SlotReport
from surefoot.wire.version import Version

OLD, NEW = Version(major=0, minor=2, patch=0), Version(major=0, minor=2, patch=1)
PLAN = Plan(
    phases=(Phase(name="first", robots=("robot-1",), soak_s=60.0), Phase(name="all", percent=100, soak_s=0.0)),
    failures_max=0,
)


def rows_with(*assignments: Any, rollout: Rollout | None = None) -> MemoryStore:
    store = MemoryStore()

    def put(rows: Rows) -> None:
        put_a_fleet(rows)
        rows.put(a_rollout(plan=PLAN) if rollout is None else rollout)
        for assignment in assignments:
            rows.put_assignment(assignment)

    store.submit(put).result()
    return store


def test_every_promise_is_a_sentence() -> None:
    functions = [it for _, it in inspect.getmembers(promise, inspect.isfunction) if it.__module__ == promise.__name__]
    sentences = [(it.__doc__ or "").splitlines()[0] for it in functions if it.__name__ not in {"place_of", "_named"}]
    assert len(set(sentences)) == len(sentences) >= 18
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


def test_a_flash_without_an_image_does_not_boot() -> None:
    flash = Flash(SMALL.flash_size_bytes)
    make_flash(flash, SMALL, OLD_IMAGE, "0.2.0")
    assert promise.some_image_boots(flash) is None
    factory = read_partitions(flash)["factory"]
    factory.erase(0, factory.size_bytes)
    assert promise.some_image_boots(flash) is not None


def test_what_runs_is_trusted_untouched_and_not_below_the_floor() -> None:
    assert promise.runs_trusted_image("aa", {"aa": OLD}) is None
    assert promise.runs_trusted_image("bb", {"aa": OLD}) is not None
    assert promise.runs_trusted_image(None, {"aa": OLD}) is not None
    assert promise.runs_above_floor(OLD, OLD) is None
    assert promise.runs_above_floor(OLD, NEW) is not None
    assert promise.running_slot_untouched("ota_0", b"a", b"a") is None
    assert promise.running_slot_untouched("ota_0", b"a", b"b") is not None


def test_a_number_is_used_for_one_report() -> None:
    assert promise.one_number_one_report(None, a_report()) is None
    assert promise.one_number_one_report(a_report(), a_report()) is None
    assert promise.one_number_one_report(a_report(), a_report(code="unknown-journal")) is not None


@pytest.mark.parametrize(("said", "boots", "holds"), [(3, 3, True), (4, 0, False), (0, 4, False)])
def test_trials_are_counted_by_word_and_by_boot(said: int, boots: int, holds: bool) -> None:
    assignment = AssignmentReport(id="a", state="trial", attempts=said, received_bytes=0, code=None)
    assert (promise.trial_ends(a_report(assignment=assignment), boots, 3) is None) is holds


def test_no_robot_rests_on_trial_or_on_an_image_that_fails() -> None:
    on_trial = SlotReport(slot="ota_0", version=None, digest=None, state="trial")
    assert promise.rests_confirmed(None) is promise.rests_confirmed(a_report()) is None
    assert promise.rests_confirmed(a_report(running=on_trial)) is not None
    assert promise.keeps_no_failing_image(Behaviour.HEALTHY) is None
    assert promise.keeps_no_failing_image(Behaviour.CRASHES) is not None


def test_the_view_follows_the_order_in_which_the_robot_spoke() -> None:
    first, second = some_facts(report=a_report(seq=1)), some_facts(report=a_report(epoch="later", boot=1, seq=1))
    spoken = {promise.place_of(facts.report): index for index, facts in enumerate((first, second))}
    assert promise.view_moves_forward(None, first, spoken) is None
    assert promise.view_moves_forward(first, second, spoken) is None
    assert promise.view_moves_forward(second, first, spoken) is not None


def within_capacity(capacity: int, *, taken_by_offer: bool, state: RolloutState = RolloutState.RUNNING) -> str | None:
    one, two = an_assignment("one"), an_assignment("two", robot_id="robot-2")
    store = rows_with(one, two, rollout=a_rollout(plan=replace(PLAN, capacity=capacity), state=state))
    if not taken_by_offer:
        busy = AssignmentReport(id="two", state="downloading", attempts=0, received_bytes=0, code=None)
        facts = some_facts("robot-2", report=a_report("robot-2", assignment=busy))
        store.submit(lambda rows: rows.put_facts(facts)).result()
    return store.read(lambda rows: promise.within_capacity(rows, replace(two, is_open=False), two))


def test_only_offers_are_held_to_the_capacity() -> None:
    assert within_capacity(2, taken_by_offer=True) is None
    assert within_capacity(1, taken_by_offer=True) is not None
    assert within_capacity(1, taken_by_offer=False) is None
    assert within_capacity(1, taken_by_offer=True, state=RolloutState.FINISHED) is not None


@pytest.mark.parametrize(
    ("robot_id", "phase", "holds"), [("robot-1", 0, True), ("robot-2", 0, False), ("robot-2", 1, True)]
)
def test_nobody_is_assigned_before_their_phase(robot_id: str, phase: int, holds: bool) -> None:
    store = rows_with(rollout=a_rollout(plan=PLAN, phase=phase))
    made = an_assignment(robot_id=robot_id)
    assert (store.read(lambda rows: promise.assigned_behind_open_door(rows, None, made)) is None) is holds


@pytest.mark.parametrize(
    ("assignment", "phase", "soaked_s", "why"),
    [
        (an_assignment(status=Status.INSTALLED, is_open=False), 1, 60.0, None),
        (an_assignment(status=Status.INSTALLED, is_open=False), 1, 59.0, "soaked"),
        (an_assignment(status=Status.INSTALLED, is_open=False), 2, 60.0, "from phase 0 to 2"),
        (an_assignment(status=Status.DOWNLOADING), 1, 60.0, "not settled"),
        (an_assignment(status=Status.ROLLED_BACK, code="confirm-failed", is_open=False), 1, 60.0, "1 failed"),
        (an_assignment(status=Status.REFUSED, code="refused-sku", is_open=False), 1, 60.0, "1 failed"),
    ],
)
def test_a_phase_passes_only_settled_sound_and_soaked(
    assignment: Any, phase: int, soaked_s: float, why: str | None
) -> None:
    before = a_rollout(plan=PLAN)
    store = rows_with(assignment, rollout=before)
    said = store.read(lambda rows: promise.phase_passed(rows, before, replace(before, phase=phase), soaked_s))
    assert said is None if why is None else said is not None and why in said


@pytest.mark.parametrize(
    ("status", "code", "holds"),
    [
        (Status.ROLLED_BACK, "confirm-failed", True),
        (Status.ROLLED_BACK, "paused", True),
        (Status.ROLLED_BACK, None, False),
        (Status.REFUSED, "paused", False),
        (Status.REFUSED, "never-heard-of", False),
        (Status.INSTALLED, None, True),
    ],
)
def test_a_failure_names_a_code(status: Status, code: str | None, holds: bool) -> None:
    assert (promise.failure_has_code(an_assignment(status=status, code=code)) is None) is holds


@pytest.mark.parametrize("state", RolloutState)
def test_offers_come_from_rollouts_that_run(state: RolloutState) -> None:
    store = rows_with(rollout=a_rollout("rollout-2", state=state))
    store.submit(lambda rows: rows.put_assignment(an_assignment("mine", rollout_id="rollout-2"))).result()
    offer = offer_from_object({"id": "mine", "url": "sim:", "sha256": "bb" * 32, "version": "0.2.1"})
    nothing = parse_answer(b"{}")
    assert promise.offers_only_while_running(store, "robot-1", nothing) is None
    held = state in (RolloutState.PAUSED, RolloutState.HALTED)
    assert (promise.offers_only_while_running(store, "robot-1", nothing.replace(offer=offer)) is not None) is held


def a_status(status: Status, code: str | None = None, *, failed: bool = False, wanted: str = "9f" * 32) -> RobotStatus:
    return RobotStatus(
        robot=a_robot(),
        facts=some_facts(),
        assignment=an_assignment(),
        wanted_version=NEW,
        wanted_digest=wanted,
        verdict=Verdict(status=status, code=code, reason="", next_order=Order.NOTHING, failed=failed),
        history=(an_entry(text=f"0.2.1: {status} ({code})."),),
    )


def test_a_record_equals_its_robot_in_what_runs_and_what_it_calls_it() -> None:
    runs = a_report().running.digest
    assert promise.record_equals_robot(a_status(Status.INSTALLED), runs) is None
    assert promise.record_equals_robot(a_status(Status.INSTALLED), "00" * 32) is not None
    assert promise.record_equals_robot(a_status(Status.ROLLED_BACK), runs) is not None
    assert promise.record_equals_robot(a_status(Status.INSTALLED, wanted="00" * 32), runs) is not None


def test_an_end_is_installed_or_a_failure_with_a_name() -> None:
    named = a_status(Status.ROLLED_BACK, "confirm-failed", failed=True)
    assert promise.comes_to_rest(a_status(Status.INSTALLED)) is promise.comes_to_rest(named) is None
    assert promise.comes_to_rest(replace(named, history=())) is not None
    assert promise.comes_to_rest(a_status(Status.ROLLED_BACK, "paused", failed=True)) is not None
    assert promise.comes_to_rest(a_status(Status.WAITING)) is not None


def test_repeating_and_stopping_are_told() -> None:
    assert promise.repeating_changes_nothing({"a": 1}, {"a": 1}) is None
    assert promise.repeating_changes_nothing({"a": 1}, {"a": 2}) is not None
    assert promise.agent_survives(None) is None
    assert promise.agent_survives(KeyError("x")) is not None
