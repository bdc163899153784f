"""Worlds that keep every promise, and broken programs that cannot."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from surefoot.agent import effects as do
from surefoot.agent.events import Event, SelfTestPassed
from surefoot.fleet import doors as fleet_doors
from surefoot.fleet import exchange as fleet_exchange
from surefoot.fleet import judge as fleet_judge
from surefoot.fleet import look as fleet_look
from surefoot.fleet import reconcile as fleet_reconcile
from surefoot.fleet.deltas import BuiltDelta
from surefoot.fleet.doors import CLOSED_BY
from surefoot.fleet.facts import take_report
from surefoot.fleet.model import Facts, HistoryEntry, Status
from surefoot.rollout import door as rollout_door
from surefoot.rollout.decide import OpenPhase, decide
from surefoot.shell.runner import Runner
from surefoot.sim import bootloader
from surefoot.sim.app_update import AppUpdate
from surefoot.sim.faults import Fault
from surefoot.sim.foundry import foundry
from surefoot.sim.world import Ending, World, run_world
from surefoot.wire.codes import CODES, NAMED_REFUSALS, RETRYABLE
from surefoot.wire.version import Version

SEEDS = range(1, 11)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_world_keeps_its_promises_and_every_record_equals_its_robot(seed: int) -> None:
    ending = run_world(seed, 30)

    assert [str(broken) for broken in ending.broken] == [], "\n".join(map(str, ending.story()))
    assert ending.divergent == 0
    assert min(ending.faults.values()) > 0, "every kind of fault struck"


def test_a_seed_is_a_run() -> None:
    first, second, other = run_world(5, 12), run_world(5, 12), run_world(6, 12)

    assert first.trace == second.trace
    assert first.events == second.events
    assert first.trace != other.trace


@pytest.mark.parametrize("kind", Fault)
def test_each_kind_of_fault_alone_breaks_nothing(kind: Fault) -> None:
    ending = run_world(3, 15, [kind])

    assert [str(broken) for broken in ending.broken] == []
    assert {struck for struck, count in ending.faults.items() if count} == {kind}


def test_without_faults_every_robot_gets_both_releases() -> None:
    world = World(1, 15, [])
    ending = world.run()

    assert (ending.broken, ending.divergent, sum(ending.faults.values())) == ((), 0, 0)
    newest = foundry().releases[-1]
    assert {member.robot.running_digest for member in world.members} == {newest.digest}


def test_some_robots_are_offered_a_delta_and_take_it() -> None:
    class Counted(dict[str, bytes]):
        def __init__(self, files: Mapping[str, bytes]) -> None:
            super().__init__(files)
            self.begun: Counter[str] = Counter()

        def get(self, key: str, default: Any = None) -> Any:
            self.begun[key] += 1
            return super().get(key, default)

    world = World(1, 15, [])
    files = Counted(foundry().files)
    world.server.files = files
    assert world.run().broken == ()
    shorter = {built.sha256 for built in world.server.store.read(lambda rows: rows.find(BuiltDelta))}
    whole = {release.sha256 for release in foundry().releases}
    assert shorter & files.begun.keys() and whole & files.begun.keys()


def test_firmware_that_fails_ends_in_a_named_failure_and_the_rest_installed() -> None:
    world = World(2, 30, [Fault.FIRMWARE, Fault.POWER])
    ending = world.run()

    said = [line.what for line in ending.trace if line.what.startswith("recorded as rolled_back")]
    codes = {text.partition("(")[2].partition(")")[0] for text in said}
    assert ending.broken == ()
    assert "trial-interrupted" in codes and codes <= CODES.keys() | NAMED_REFUSALS.keys()
    assert any(code not in RETRYABLE for code in codes), "a self-test failed by name"


# A checker that never fails proves nothing: each of these breaks the program in one place.

Break = Callable[[pytest.MonkeyPatch], None]


def journal_after_acting(patch: pytest.MonkeyPatch) -> None:
    """Act first, record afterwards."""
    perform, carry_out = Runner._perform, Runner._carry_out
    pending: dict[Runner, do.SaveJournal] = {}

    def save(runner: Runner) -> None:
        if runner in pending:
            perform(runner, pending.pop(runner))

    def act_first(runner: Runner, effect: do.Effect) -> Event | None:
        if isinstance(effect, do.SaveJournal):
            pending[runner] = effect
            return None
        event = perform(runner, effect)
        save(runner)
        return event

    def save_at_last(runner: Runner, step: Any) -> int | None:
        delay_s = carry_out(runner, step)
        save(runner)
        return delay_s

    patch.setattr(Runner, "_perform", act_first)
    patch.setattr(Runner, "_carry_out", save_at_last)


def believe_old_reports(patch: pytest.MonkeyPatch) -> None:
    """Take whatever came last for the truth."""

    def take_anything(rows: Any, report: Any, now_s: float) -> tuple[Facts, bool]:
        facts = Facts(report=report, received_at_s=now_s, heard_at_s=now_s)
        rows.put_facts(facts)
        return facts, False

    patch.setattr(fleet_exchange, "take_report", take_anything)


def believe_announcements(patch: pytest.MonkeyPatch) -> None:
    """Take a robot that restarts for one that is installed."""
    busy = dict.fromkeys(fleet_reconcile.IN_PROGRESS_STATUS, Status.INSTALLED)
    patch.setattr(fleet_reconcile, "IN_PROGRESS_STATUS", busy)
    rolled_back = [replace(row, status=Status.INSTALLED) for row in fleet_reconcile.TABLE if row.name == "rolled back"]
    patch.setattr(fleet_reconcile, "TABLE", (*rolled_back, *fleet_reconcile.TABLE))


def forget_trials(patch: pytest.MonkeyPatch) -> None:
    """Be a bootloader that does not record that a trial began."""
    patch.setattr(bootloader, "_change_state", lambda _records, _index, record, state: record.replace(state=state))


def write_where_it_runs(patch: pytest.MonkeyPatch) -> None:
    """Update the running slot."""
    patch.setattr(AppUpdate, "next_update_slot", lambda app: app.running)
    patch.setattr(AppUpdate, "_spare_slot", lambda app, label: app.partitions[label])


def skip_self_tests(patch: pytest.MonkeyPatch) -> None:
    """Confirm without looking."""
    perform = Runner._perform
    patch.setattr(
        Runner,
        "_perform",
        lambda runner, effect: SelfTestPassed() if isinstance(effect, do.RunSelfTest) else perform(runner, effect),
    )


def ignore_capacity(patch: pytest.MonkeyPatch) -> None:
    """Let everyone in at once."""
    look = fleet_doors.door_of
    patch.setattr(
        fleet_doors,
        "door_of",
        lambda rows, rollout, release: replace(look(rows, rollout, release), open_assignments=0),
    )


def ignore_phases(patch: pytest.MonkeyPatch) -> None:
    """Take every robot for one of the first phase."""
    patch.setattr(rollout_door, "phase_of", lambda _plan, _salt, _robot_id: 0)


def ignore_holds(patch: pytest.MonkeyPatch) -> None:
    """Go on offering while an operator looks."""
    for state in tuple(CLOSED_BY):
        patch.delitem(CLOSED_BY, state)


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Open the next phase as soon as there is one."""

    def decide_at_once(plan: Any, standing: Any, *facts: Any) -> Any:
        if standing.phase + 1 < len(plan.phases):
            return OpenPhase(phase=standing.phase + 1, reason="Why wait?")
        return decide(plan, standing, *facts)

    patch.setattr(fleet_look, "decide", decide_at_once)


def retry_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Offer again whatever was tried."""
    patch.setattr(fleet_reconcile, "_worth_another_try", lambda _device, _said, _record: True)


def hide_codes(patch: pytest.MonkeyPatch) -> None:
    """Record failures without their codes."""
    reconcile = fleet_reconcile.reconcile
    patch.setattr(fleet_judge, "reconcile", lambda *known: replace(reconcile(*known), code=None))


def fail_at_tricky_reports(patch: pytest.MonkeyPatch) -> None:
    """Expect every report to be news."""

    def take_news(rows: Any, report: Any, now_s: float) -> tuple[Facts, bool]:
        facts, _ = take_report(rows, report, now_s)
        if facts.report != report:
            raise ValueError("This is no news.")
        return facts, False

    patch.setattr(fleet_exchange, "take_report", take_news)


def count_messages(patch: pytest.MonkeyPatch) -> None:
    """Note every report, repeated or not."""

    def take_and_count(rows: Any, report: Any, now_s: float) -> tuple[Facts, bool]:
        rows.add_history(HistoryEntry(robot_id=report.robot_id, at_s=now_s, kind="note", text="It spoke."))
        return take_report(rows, report, now_s)

    patch.setattr(fleet_exchange, "take_report", take_and_count)


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (journal_after_acting, "one-number-one-report"),
        (believe_old_reports, "view-moves-forward"),
        (believe_announcements, "record-equals-robot"),
        (forget_trials, "keeps-no-failing-image"),
        (write_where_it_runs, "running-slot-untouched"),
        (write_where_it_runs, "some-image-boots"),
        (write_where_it_runs, "agent-survives"),
        (skip_self_tests, "keeps-no-failing-image"),
        (ignore_capacity, "within-capacity"),
        (ignore_phases, "assigned-behind-open-door"),
        (ignore_holds, "offers-only-while-running"),
        (hurry, "phase-passed"),
        (retry_for_ever, "trial-ends"),
        (hide_codes, "failure-has-code"),
        (hide_codes, "comes-to-rest"),
        (fail_at_tricky_reports, "server-bears-it"),
        (count_messages, "repeating-changes-nothing"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_broken_program_is_caught_by_the_promise_it_breaks(
    monkeypatch: pytest.MonkeyPatch, break_it: Break, name: str
) -> None:
    break_it(monkeypatch)

    ending = _first_broken(name)

    assert name in {broken.name for broken in ending.broken}
    assert any(f"BROKEN {name}" in line.what for line in ending.trace), "the trace leads to it"


def _first_broken(name: str) -> Ending:
    endings = (run_world(seed, 12) for seed in itertools.islice(itertools.count(1), 8))
    ending = None
    for ending in endings:
        if any(broken.name == name for broken in ending.broken):
            break
    assert ending is not None
    return ending


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda image: None, "runs-trusted-image"),
        (lambda image: replace(image, version=Version(major=0, minor=0, patch=1)), "runs-above-floor"),
    ],
    ids=["signed by nobody", "below the floor"],
)
def test_an_image_that_should_not_run_is_named(change: Callable[[Any], Any], name: str) -> None:
    world = World(1, 10, [])
    digest = foundry().releases[0].digest
    changed = change(world.foundry.trusted[digest])
    known = {**world.foundry.trusted, digest: changed}
    world.watch.trust({digest: image for digest, image in known.items() if image is not None})

    assert {broken.name for broken in world.run().broken} == {name}
