"""The table row by row, its wholeness, and each consequence the protocol promises."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import EVERYONE, HOUR_S, FleetCase, digest_of
from surefoot.fleet.model import Facts, Status
from surefoot.fleet.reconcile import TABLE, Device, Order, Record, Running, Verdict, Wanted, reconcile
from surefoot.wire.codes import RETRYABLE
from surefoot.wire.report import ASSIGNMENT_STATES, AssignmentReport, Report, SlotReport
from surefoot.wire.version import Version

ID = "assignment-1"
VERSION = "0.2.1"
WANTED = Wanted(assignment_id=ID, digest="11" * 32, version=Version.parse(VERSION))
OTHER = "22" * 32
NOW_S = 1_000_000.0
RECORD = Record(
    assigned_at_s=NOW_S - 50, installed_before=False, attempts_max=3, silence_deadline_s=100, repair_drift=True
)


def said(state: str, attempts: int = 1, code: str | None = None, id_: str = ID) -> AssignmentReport:
    return AssignmentReport(id=id_, state=state, attempts=attempts, received_bytes=0, code=code)


def facts(
    digest: str | None,
    state: str = "confirmed",
    assignment: AssignmentReport | None = None,
    age_s: float = 0,
    version: str | None = None,
) -> Facts:
    report = Report(
        robot_id="robot-1",
        sku="standard",
        epoch="0",
        boot=1,
        seq=1,
        running=SlotReport(slot="ota_0", version=version, digest=digest, state=state),
        spare=None,
        assignment=assignment,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )
    return Facts(report=report, received_at_s=NOW_S - age_s, heard_at_s=NOW_S - age_s)


def verdict(known: Facts | None, wanted: Wanted = WANTED, **record: Any) -> Verdict:
    return reconcile(wanted, known, replace(RECORD, **record), NOW_S)


RUNS_OTHER = facts(OTHER)
ROLLED_BACK = facts(OTHER, assignment=said("rolled_back", code="trial-interrupted"))
FAILED = facts(OTHER, assignment=said("rolled_back", code="trial-failed"))
INSTALLED_SAYS = facts(OTHER, assignment=said("installed"))
LOADING = facts(OTHER, assignment=said("downloading", attempts=0))
CUT_OFF = facts(OTHER, assignment=said("downloading", attempts=0, code="download-interrupted"))
CLAIMS = facts(None, version=VERSION)

SOON_SILENT = replace(EVERYONE, silence_deadline_s=HOUR_S)

# name of the row, what the robot says, what the record adds -> status, code, order, failed
CASES: dict[str, tuple[Facts, dict[str, Any], tuple[Status, str | None, Order, bool]]] = {
    "installed": (facts(WANTED.digest), {}, (Status.INSTALLED, None, Order.ACKNOWLEDGE, False)),
    "rolled back, worth another try": (
        ROLLED_BACK, {}, (Status.ROLLED_BACK, "trial-interrupted", Order.OFFER, False)),
    "rolled back": (FAILED, {}, (Status.ROLLED_BACK, "trial-failed", Order.ACKNOWLEDGE, True)),
    "cancelled, to be offered again": (
        facts(OTHER, assignment=said("refused", 1, "cancelled")), {},
        (Status.WAITING, "cancelled", Order.OFFER, False)),
    "refused": (
        facts(OTHER, assignment=said("refused", 0, "refused-sku")), {},
        (Status.REFUSED, "refused-sku", Order.ACKNOWLEDGE, True)),
    "drifted, being repaired": (
        LOADING, {"installed_before": True}, (Status.DRIFTED, None, Order.NOTHING, False)),
    "drifted, worth a repair": (RUNS_OTHER, {"installed_before": True}, (Status.DRIFTED, None, Order.OFFER, False)),
    "drifted": (
        RUNS_OTHER, {"installed_before": True, "repair_drift": False},
        (Status.DRIFTED, None, Order.ACKNOWLEDGE, False)),
    "silent": (facts(OTHER, age_s=101), {}, (Status.SILENT, None, Order.NOTHING, True)),
    "on trial": (
        facts(WANTED.digest, "trial", said("trial")), {}, (Status.ON_TRIAL, None, Order.NOTHING, False)),
    "in progress": (LOADING, {}, (Status.DOWNLOADING, None, Order.NOTHING, False)),
    "cut off from the image": (
        CUT_OFF, {}, (Status.DOWNLOADING, "download-interrupted", Order.OFFER, False)),
    "installed, it says, yet runs another": (INSTALLED_SAYS, {}, (Status.DRIFTED, None, Order.OFFER, False)),
    "installed, it says, and is past repair": (
        INSTALLED_SAYS, {"repair_drift": False}, (Status.DRIFTED, None, Order.ACKNOWLEDGE, False)),
    "waiting": (RUNS_OTHER, {}, (Status.WAITING, None, Order.OFFER, False)),
    "claimed": (CLAIMS, {}, (Status.UNKNOWN, None, Order.ACKNOWLEDGE, False)),
    "unknown, to be offered": (facts(None), {}, (Status.UNKNOWN, None, Order.OFFER, False)),
    "unknown, busy": (
        facts(None, assignment=said("verifying", 0)), {}, (Status.UNKNOWN, None, Order.NOTHING, False)),
    "unknown": (
        facts(None, assignment=said("installed")), {}, (Status.UNKNOWN, None, Order.ACKNOWLEDGE, False)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_row_gives_its_verdict(name: str) -> None:
    known, record, expected = CASES[name]
    row = next(row for row in TABLE if row.name == name)
    found = verdict(known, **record)
    assert found.reason == row.reason
    assert (found.status, found.code, found.next_order, found.failed) == expected


def test_every_row_has_a_case_and_each_name_stands_once() -> None:
    names = [row.name for row in TABLE]
    assert len(set(names)) == len(names)
    assert list(CASES) == names


def test_no_two_rows_have_the_same_columns() -> None:
    columns = [(row.running, row.confirmed, row.device, row.installed_before, row.overdue, row.retry) for row in TABLE]
    assert len(set(columns)) == len(columns)


def test_every_possible_case_has_a_row() -> None:
    flags = (False, True)
    for running, confirmed, device, before, overdue, retry in itertools.product(
        Running, flags, Device, flags, flags, flags
    ):
        assert any(
            row.running in {None, running}
            and row.confirmed in {None, confirmed}
            and (row.device is None or device in row.device)
            and row.installed_before in {None, before}
            and row.overdue in {None, overdue}
            and row.retry in {None, retry}
            for row in TABLE
        )


def every_verdict() -> Any:
    """Yield robot's word, record and verdict for everything a robot can say and a record can hold."""
    words = [None] + [
        said(state, attempts, code)
        for state in ASSIGNMENT_STATES
        for attempts in (0, 3)
        for code in (None, "trial-failed", "download-interrupted", RETRYABLE[0])
    ]
    reports = [None] + [
        facts(digest, state, word, age_s, version)
        for digest, version in ((None, None), (None, VERSION), (WANTED.digest, VERSION), (OTHER, None))
        for state in ("confirmed", "trial")
        for word in words
        for age_s in (0, 101)
    ]
    flags = (False, True)
    for known, force, before, repair, held in itertools.product(reports, flags, flags, flags, (None, "paused")):
        wanted = replace(WANTED, force=force)
        record = replace(RECORD, installed_before=before, repair_drift=repair, held=held)
        yield known, wanted, record, reconcile(wanted, known, record, NOW_S)


def test_whatever_is_said_the_verdict_keeps_its_promises() -> None:
    for known, wanted, record, found in every_verdict():
        running = None if known is None else known.report.running
        if running is None or running.digest is None:
            assert found.status in {Status.UNKNOWN, Status.SILENT}, "an unknown digest was guessed"
        if found.status is Status.INSTALLED:
            assert running is not None
            assert (running.digest, running.state) == (wanted.digest, "confirmed")
        if found.next_order is Order.OFFER:
            assert record.held is None
            assert running is None or running.digest != wanted.digest or wanted.force, "what runs already was offered"
        assert not (found.failed and found.next_order is Order.OFFER), "failed for good, yet offered again"
        silent = known is not None and known.heard_at_s < NOW_S
        assert (found.silent_since_s is not None) == silent
        if silent:
            assert not found.is_open, "a silent robot keeps its place"
            holds_up = found.status not in {Status.INSTALLED, Status.DRIFTED} and not found.failed
            assert not holds_up, "a silent robot is waited for, for ever"
        elif found.next_order is Order.OFFER:
            assert found.is_open, "an offer without a place"


def test_a_robot_without_an_assignment_is_unassigned() -> None:
    found = reconcile(None, RUNS_OTHER, None, NOW_S)
    assert (found.status, found.next_order, found.failed) == (Status.UNASSIGNED, Order.NOTHING, False)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("downloading", Status.DOWNLOADING),
        ("verifying", Status.VERIFYING),
        ("staged", Status.REBOOTING),
        ("trial", Status.REBOOTING),
        ("confirming", Status.REBOOTING),
    ],
)
def test_what_is_in_progress_has_its_own_status(state: str, status: Status) -> None:
    assert verdict(facts(OTHER, assignment=said(state))).status is status


def test_an_older_assignment_says_nothing_of_this_one() -> None:
    older = facts(OTHER, assignment=said("rolled_back", code="trial-failed", id_="assignment-0"))
    assert (verdict(older).status, verdict(older).code) == (Status.WAITING, None)


def test_a_rollback_is_tried_again_only_while_attempts_are_left() -> None:
    for code in RETRYABLE:
        assert verdict(facts(OTHER, assignment=said("rolled_back", 2, code))).next_order is Order.OFFER
        spent = verdict(facts(OTHER, assignment=said("rolled_back", 3, code)))
        assert (spent.next_order, spent.failed, spent.code) == (Order.ACKNOWLEDGE, True, code)


def test_a_held_offer_waits_under_the_name_of_its_refusal() -> None:
    for known in (RUNS_OTHER, facts(None)):
        held = verdict(known, held="paused")
        assert (held.code, held.next_order) == ("paused", Order.ACKNOWLEDGE)
    held = verdict(ROLLED_BACK, held="paused")
    assert (held.code, held.next_order) == ("trial-interrupted", Order.ACKNOWLEDGE), "why it went back is not hidden"
    assert verdict(LOADING, held="paused").code is None
    assert verdict(facts(WANTED.digest), held="halted").code is None


def test_the_deadline_itself_is_not_over_it() -> None:
    assert verdict(facts(OTHER, age_s=100)).status is Status.WAITING
    assert verdict(facts(OTHER, age_s=100.1)).silent_since_s == NOW_S - 100.1


def test_a_try_that_is_left_does_not_keep_a_silent_robot_from_being_silent() -> None:
    late = replace(ROLLED_BACK, heard_at_s=NOW_S - 101)
    assert (verdict(ROLLED_BACK).status, verdict(ROLLED_BACK).is_open) == (Status.ROLLED_BACK, True)
    assert (verdict(late).status, verdict(late).failed, verdict(late).is_open) == (Status.SILENT, True, False)
    judged_for_good = replace(FAILED, heard_at_s=NOW_S - 101)
    assert verdict(judged_for_good).status is Status.ROLLED_BACK


def test_nobody_is_silent_before_a_whole_deadline_was_watched() -> None:
    late = facts(OTHER, age_s=5000)
    assert verdict(late, watched_since_s=NOW_S - 100).status is Status.WAITING
    over = verdict(late, watched_since_s=NOW_S - 101)
    assert (over.status, over.silent_since_s) == (Status.SILENT, NOW_S - 5000)
    assert verdict(None, assigned_at_s=NOW_S - 5000, watched_since_s=NOW_S - 100).status is Status.UNKNOWN


def test_a_version_is_no_proof_of_an_image_and_is_not_offered_again() -> None:
    assert verdict(CLAIMS).status is Status.UNKNOWN
    assert (verdict(CLAIMS).next_order, verdict(CLAIMS).is_open) == (Order.ACKNOWLEDGE, False)
    assert verdict(facts(None, version="0.2.0")).next_order is Order.OFFER
    assert verdict(facts(None, version="nightly")).next_order is Order.OFFER
    assert verdict(facts(OTHER, version=VERSION)).status is Status.WAITING


def test_what_takes_a_place_is_an_offer_or_work_that_the_robot_speaks_of() -> None:
    for known in (RUNS_OTHER, ROLLED_BACK, LOADING, CUT_OFF, facts(None), facts(WANTED.digest, "trial", said("trial"))):
        assert verdict(known).is_open
    for known in (facts(WANTED.digest), FAILED, facts(OTHER, assignment=said("refused", code="refused-sku")), CLAIMS):
        assert not verdict(known).is_open
    assert not verdict(RUNS_OTHER, held="at-capacity").is_open
    assert verdict(CUT_OFF, held="paused").is_open, "it was offered before, and may get on at any moment"


def test_a_download_that_goes_on_is_not_told_again_where_the_image_lies() -> None:
    assert verdict(LOADING).next_order is Order.NOTHING
    assert verdict(facts(OTHER, assignment=said("downloading", code="hold-battery"))).next_order is Order.NOTHING
    assert verdict(CUT_OFF).next_order is Order.OFFER
    assert verdict(CUT_OFF, held="paused").code == "paused"


def test_a_robot_never_heard_of_is_silent_since_its_assignment() -> None:
    assert verdict(None).status is Status.UNKNOWN
    late = verdict(None, assigned_at_s=NOW_S - 101)
    assert (late.status, late.silent_since_s) == (Status.SILENT, NOW_S - 101)


def test_installed_stays_installed_and_silent_beside_it() -> None:
    found = verdict(facts(WANTED.digest, age_s=500))
    assert (found.status, found.silent_since_s, found.failed) == (Status.INSTALLED, NOW_S - 500, False)


def test_a_forced_image_is_installed_only_when_the_same_assignment_says_so() -> None:
    forced = replace(WANTED, force=True)
    assert verdict(facts(WANTED.digest), forced).next_order is Order.OFFER
    assert verdict(facts(WANTED.digest, assignment=said("installed", id_="older")), forced).status is Status.WAITING
    assert verdict(facts(WANTED.digest, assignment=said("installed")), forced).status is Status.INSTALLED
    rolled_back = facts(WANTED.digest, assignment=said("rolled_back", code="trial-failed"))
    assert verdict(rolled_back, forced).status is Status.ROLLED_BACK


@pytest.mark.parametrize("state", ["staged", "trial", "confirming"])
def test_a_forced_image_is_not_taken_for_installed_before_the_robot_says_so(state: str) -> None:
    forced = replace(WANTED, force=True)
    assert verdict(facts(WANTED.digest, "confirmed", said(state)), forced).status is Status.REBOOTING


def test_a_forced_image_on_trial_is_on_trial() -> None:
    forced = replace(WANTED, force=True)
    for state in ("trial", "confirming", "installed"):
        assert verdict(facts(WANTED.digest, "trial", said(state)), forced).status is Status.ON_TRIAL


def test_asking_again_never_leads_to_an_order_while_the_wanted_image_runs() -> None:
    for known, wanted, _, found in every_verdict():
        if known is not None and known.report.running.digest == wanted.digest and not wanted.force:
            assert found.next_order in {Order.NOTHING, Order.ACKNOWLEDGE}


# The consequences that the protocol names, on real rows.


def test_confirmed_and_cut_before_it_could_say_so_is_installed_and_the_record_corrected(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    robot.says(offer.id, "rolled_back", code="trial-interrupted")
    fleet.hear(robot)
    assert fleet.assignment().status is Status.ROLLED_BACK
    robot.runs("0.2.1")
    robot.says(offer.id, "installed", attempts=2)
    answer = fleet.hear(robot)
    assert (answer.acknowledged, answer.offer) == (offer.id, None)
    assert fleet.assignment().status is Status.INSTALLED
    correction = fleet.history()[-1]
    assert correction.kind == "correction"
    assert "installed, recorded as rolled_back before" in correction.text


def test_recorded_silent_and_then_installed_is_a_correction(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1", SOON_SILENT)
    offer = fleet.offered(robot)
    fleet.watch(SOON_SILENT.silence_deadline_s + 1)
    assert fleet.assignment().status is Status.SILENT
    robot.runs("0.2.1")
    robot.says(offer.id, "installed")
    fleet.hear(robot)
    assert fleet.history()[-1].kind == "correction"
    assert fleet.assignment().installed_at_s == fleet.now_s


def test_installed_turns_into_rolled_back_when_later_facts_say_so(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.install(robot)
    robot.runs("0.2.0")
    robot.says(offer.id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    assert (fleet.assignment().status, fleet.assignment().code) == (Status.ROLLED_BACK, "trial-failed")
    assert "recorded as installed before" in fleet.history()[-1].text


def test_installed_turns_into_drifted_and_the_offer_comes_again(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.install(robot)
    robot.runs("0.1.9")
    answer = fleet.hear(robot)
    assert fleet.assignment().status is Status.DRIFTED
    assert answer.offer is not None
    assert (answer.offer.id, answer.offer.attempt) == (offer.id, offer.attempt + 1)
    assert answer.offer.digest == digest_of("0.2.1")


def test_an_offer_for_what_runs_already_ends_as_installed_at_once(fleet: FleetCase) -> None:
    robot = fleet.enrol(version="0.2.1", digest=digest_of("0.2.1"))
    fleet.start("0.2.1")
    assert fleet.hear(robot).offer is None
    assert fleet.assignment().status is Status.INSTALLED


def test_a_status_changes_and_its_history_stays(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    fleet.start("0.2.1")
    offer = fleet.offered(robot)
    for state in ("downloading", "verifying", "staged"):
        robot.says(offer.id, state)
        fleet.hear(robot)
        fleet.hear(robot)
    statuses = [entry.text.split(".")[2] for entry in fleet.history() if entry.kind == "status"]
    assert statuses == ["1: downloading", "1: verifying", "1: rebooting"]


@pytest.mark.parametrize("state", ["downloading", "verifying", "staged"])
def test_a_halt_takes_back_what_a_robot_works_on_and_a_pause_lets_it_finish(state: str) -> None:
    busy = facts(OTHER, assignment=said(state, 0))
    assert verdict(busy, held="halted").next_order is Order.CANCEL
    assert verdict(busy, held="paused").next_order is Order.NOTHING
    assert verdict(busy).next_order is Order.NOTHING


def test_what_a_halt_took_back_is_offered_again_once_a_person_resumes() -> None:
    cancelled = facts(OTHER, assignment=said("refused", 1, "cancelled"))
    assert verdict(cancelled, held="halted").next_order is Order.ACKNOWLEDGE
    assert verdict(cancelled).next_order is Order.OFFER
    assert not verdict(cancelled).failed
