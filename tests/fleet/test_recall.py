"""A recalled release goes to no robot again, and robots that run it are led back to what they ran before."""

import json
from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, SETTINGS, FleetCase, Voice, digest_of
from support import code_of
from surefoot.fleet.incidents import Incident, timeline
from surefoot.fleet.model import Release, RolloutState, Status
from surefoot.fleet.outbox import OutboxEntry, OutboxKind
from surefoot.fleet.recall import Recalled, recall_release
from surefoot.fleet.rollouts import pause_rollout, resume_rollout
from surefoot.wire.report import SlotReport


def recall(fleet: FleetCase, version: str = "0.2.1", *, roll_back: bool = False, reason: str = "arms limp") -> Recalled:
    return fleet.run(
        lambda rows: recall_release(
            rows,
            f"standard-{version}",
            reason,
            fleet.now_s,
            public_url=SETTINGS.public_url,
            who="ada",
            new_salt=lambda: b"salt",
            roll_back=roll_back,
        )
    )


def updated(fleet: FleetCase, robot_id: str = "robot-1") -> Voice:
    robot = fleet.enrol(robot_id)
    fleet.hear(robot)
    fleet.install(robot)
    return robot


@pytest.fixture
def two_releases(fleet: FleetCase) -> FleetCase:
    """0.2.0 is there, and 0.2.1 is being rolled out."""
    fleet.release("0.2.0")
    fleet.start("0.2.1")
    return fleet


def test_a_recall_halts_every_rollout_of_the_release_and_the_finished_ones_too(two_releases: FleetCase) -> None:
    fleet = two_releases
    updated(fleet)
    fleet.tick()
    second = fleet.start("0.2.1")
    recalled = recall(fleet)
    assert [it.state for it in recalled.halted] == [RolloutState.HALTED] * 2
    assert fleet.rollout(second.rollout_id).state is RolloutState.HALTED
    release = fleet.stored_release("0.2.1")
    assert (release.recalled_at_s, release.stable) == (fleet.now_s, False)


def test_nobody_is_offered_a_recalled_release_again(two_releases: FleetCase) -> None:
    fleet = two_releases
    taking, late = fleet.enrol("robot-1"), fleet.enrol("robot-2")
    offer = fleet.offered(taking)
    recalled = recall(fleet)
    assert fleet.hear(taking).offer is None
    assert fleet.hear(late).offer is None
    taking.says(offer.id, "downloading", attempts=0)
    assert fleet.hear(taking).cancelled == offer.id
    [rollout] = recalled.halted

    def resume() -> None:
        fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "why not", fleet.now_s))

    assert code_of(resume) == "refused-release-recalled"
    assert code_of(lambda: fleet.start("0.2.1")) == "refused-release-recalled"


def test_not_even_a_rollout_that_went_on_offers_it(two_releases: FleetCase) -> None:
    fleet = two_releases
    robot = fleet.enrol()
    fleet.offered(robot)
    release = fleet.stored_release("0.2.1")
    recall(fleet)
    rollout = fleet.rollout("rollout-1")
    fleet.run(lambda rows: rows.put(replace(rollout, state=RolloutState.RUNNING)))
    assert release.recalled_at_s is None and fleet.hear(robot).offer is None
    assert fleet.hear(fleet.enrol("robot-2")).offer is None


def test_a_recall_tells_whoever_keeps_copies_and_once(two_releases: FleetCase) -> None:
    fleet = two_releases
    recall(fleet)
    recall(fleet)
    entries = fleet.run(lambda rows: rows.find(OutboxEntry))
    [entry] = [entry for entry in entries if entry.kind is OutboxKind.CDN_PURGE]
    sha256 = fleet.stored_release("0.2.1").sha256
    assert json.loads(entry.body) == {"sha256": sha256, "urls": [f"https://fleet.test/v1/images/{sha256}"]}


def test_a_recall_again_changes_nothing(two_releases: FleetCase) -> None:
    fleet = two_releases
    recall(fleet)
    before = fleet.stored_release("0.2.1"), fleet.run(lambda rows: rows.find(Incident))
    fleet.now_s += 60
    assert recall(fleet, reason="again").halted == ()
    assert (fleet.stored_release("0.2.1"), fleet.run(lambda rows: rows.find(Incident))) == before


def test_a_recall_needs_a_reason_and_a_release(two_releases: FleetCase) -> None:
    assert code_of(lambda: recall(two_releases, reason=" ")) == "refused-reason-missing"
    assert code_of(lambda: recall(two_releases, "9.9.9")) == "not-found-release"


def test_a_recall_with_nothing_to_go_back_to_is_refused_whole(fleet: FleetCase) -> None:
    fleet.start("0.2.1")
    assert code_of(lambda: recall(fleet, roll_back=True)) == "refused-no-way-back"
    assert fleet.stored_release("0.2.1").recalled_at_s is None
    assert fleet.rollout("rollout-1").state is RolloutState.RUNNING
    assert recall(fleet).way_back is None


def test_a_robot_that_runs_it_is_led_back_to_what_stands_in_its_spare_slot(two_releases: FleetCase) -> None:
    fleet = two_releases
    fleet.release("0.1.9")
    robot = updated(fleet)
    recall(fleet, roll_back=True)
    spare = SlotReport(slot="ota_1", version="0.1.9", digest=digest_of("0.1.9"), state="confirmed")
    offer = fleet.hear(robot, spare=spare).offer
    assert offer is not None
    assert (str(offer.version), offer.rollback, offer.digest) == ("0.1.9", True, digest_of("0.1.9"))
    robot.runs("0.1.9")
    robot.says(offer.id, "installed", attempts=1)
    assert fleet.hear(robot).offer is None
    assert (fleet.status().verdict.status, fleet.assignment().rollback) == (Status.INSTALLED, True)


def test_a_robot_that_does_not_say_what_it_ran_before_is_led_to_the_release_below(two_releases: FleetCase) -> None:
    fleet = two_releases
    fleet.release("0.1.9")
    robot = updated(fleet)
    recall(fleet, roll_back=True)
    assert str(fleet.offered(robot).version) == "0.2.0"


def test_the_way_back_leads_nobody_who_does_not_run_the_recalled_image(two_releases: FleetCase) -> None:
    fleet = two_releases
    on_old, on_newer = fleet.enrol("robot-2"), fleet.enrol("robot-3", version="0.3.0", digest=digest_of("0.3.0"))
    recall(fleet, roll_back=True)
    assert fleet.hear(on_old).offer is None
    assert fleet.hear(on_newer).offer is None


def test_a_robot_that_was_on_trial_with_it_is_led_back_once_it_confirmed(two_releases: FleetCase) -> None:
    fleet = two_releases
    robot = fleet.enrol()
    offer = fleet.offered(robot)
    robot.runs("0.2.1", state="trial")
    robot.says(offer.id, "trial")
    recall(fleet, roll_back=True)
    assert fleet.hear(robot).offer is None
    robot.runs("0.2.1")
    robot.says(offer.id, "installed")
    back = fleet.offered(robot)
    assert (str(back.version), back.rollback) == ("0.2.0", True)


def test_a_fix_takes_robots_over_from_the_way_back_whichever_began_first(two_releases: FleetCase) -> None:
    fleet = two_releases
    first, second = updated(fleet, "robot-1"), updated(fleet, "robot-2")
    fix = fleet.start("0.2.2")
    fleet.run(lambda rows: pause_rollout(rows, fix.rollout_id, "", fleet.now_s))
    recall(fleet, roll_back=True)
    for robot in (first, second):
        back = fleet.offered(robot)
        assert back.rollback
        robot.runs("0.2.0")
        robot.says(back.id, "installed")
        fleet.hear(robot)
    fleet.run(lambda rows: resume_rollout(rows, fix.rollout_id, "go", fleet.now_s))
    assert str(fleet.offered(first).version) == "0.2.2"
    first.runs("0.2.2")
    fleet.hear(first)
    assert fleet.hear(first).offer is None
    assert fleet.status("robot-1").verdict.status is Status.INSTALLED


def test_the_way_back_ends_when_nobody_runs_the_image_and_makes_nothing_stable(two_releases: FleetCase) -> None:
    fleet = two_releases
    robot = updated(fleet)
    back = recall(fleet, roll_back=True).way_back
    assert back is not None
    fleet.tick(after_s=1)
    assert "expected to ask" in fleet.rollout(back.rollout_id).reason
    fleet.install(robot)
    fleet.tick(after_s=1)
    assert fleet.rollout(back.rollout_id).state is RolloutState.FINISHED
    assert fleet.rollout(back.rollout_id).reason == "The one robot is back on an earlier release."
    assert fleet.stored_release("0.2.0").stable is False


def test_a_robot_that_is_still_to_be_led_back_says_so_and_why_it_is_not_back_yet(two_releases: FleetCase) -> None:
    fleet = two_releases
    updated(fleet)
    other = updated(fleet, "robot-2")
    recall(fleet)
    assert fleet.status().verdict.reason == "It runs the wanted image, confirmed."
    back = recall(fleet, roll_back=True).way_back
    assert back is not None
    says = "It is to go back to 0.2.0: it is told so when it asks next, and has not asked yet."
    assert fleet.status().verdict.reason == f"It runs the wanted image, confirmed. {says}"
    fleet.run(lambda rows: rows.put(replace(back, plan=replace(back.plan, capacity=1))))
    fleet.offered(other)
    full = "The way back to 0.2.0 does not take it yet: as many robots as the plan allows are updating now."
    assert fleet.status().verdict.reason.endswith(full)
    fleet.run(lambda rows: rows.put(replace(back, state=RolloutState.HALTED)))
    assert fleet.status().verdict.reason.endswith("yet: the rollout is halted until a person resumes it.")


def test_a_robot_that_refuses_to_go_back_is_seen_and_holds_nobody_else_up(two_releases: FleetCase) -> None:
    fleet = two_releases
    refusing, other = updated(fleet, "robot-1"), updated(fleet, "robot-2")
    back = recall(fleet, roll_back=True).way_back
    assert back is not None
    refusing.says(fleet.offered(refusing).id, "refused", 0, "refused-version-floor")
    fleet.hear(refusing)
    fleet.tick(after_s=1)
    assert fleet.rollout(back.rollout_id).state is RolloutState.RUNNING
    assert (fleet.assignment("robot-1").status, fleet.assignment("robot-1").code) == (
        Status.REFUSED,
        "refused-version-floor",
    )
    assert fleet.offered(other).rollback


def test_the_way_back_may_be_ordered_later_and_is_one_rollout(two_releases: FleetCase) -> None:
    fleet = two_releases
    recall(fleet)
    first, second = recall(fleet, roll_back=True).way_back, recall(fleet, roll_back=True).way_back
    assert first is not None and first == second


def test_whoever_was_on_the_way_back_to_a_release_that_is_recalled_too_is_led_further_back(
    two_releases: FleetCase,
) -> None:
    fleet = two_releases
    fleet.release("0.1.9")
    late = updated(fleet)
    recall(fleet, roll_back=True)
    recall(fleet, "0.2.0", roll_back=True)
    back = fleet.offered(late)
    assert (str(back.version), back.rollback) == ("0.1.9", True)


def test_the_incident_tells_of_recall_and_way_back(two_releases: FleetCase) -> None:
    fleet = two_releases
    updated(fleet)
    recall(fleet, roll_back=True)
    [incident] = fleet.run(lambda rows: rows.find(Incident))
    texts = [line.text for line in fleet.run(lambda rows: timeline(rows, incident.incident_id))]
    assert "Halted: arms limp" in texts and "Release 0.2.1 recalled: arms limp" in texts
    assert any("led back by rollout" in text for text in texts)


def test_a_recall_killed_before_any_of_its_statements_is_no_recall(two_releases: FleetCase) -> None:
    fleet = two_releases
    updated(fleet)

    class Killed(BaseException):
        pass

    class Mortal:
        def __init__(self, rows: object, left: int) -> None:
            self._rows, self._left = rows, left

        def __getattr__(self, name: str) -> object:
            self._left -= 1
            if self._left < 0:
                raise Killed
            return getattr(self._rows, name)

    for statements in range(1000):

        def work(rows: object, statements: int = statements) -> Recalled:
            return recall_release(
                Mortal(rows, statements),  # type: ignore[arg-type]
                "standard-0.2.1",
                "arms limp",
                fleet.now_s,
                public_url=SETTINGS.public_url,
                new_salt=lambda: b"salt",
                roll_back=True,
            )

        try:
            fleet.run(work)
            break
        except Killed:
            assert fleet.stored_release("0.2.1").recalled_at_s is None
            assert fleet.rollout("rollout-1").state is RolloutState.RUNNING
            assert fleet.run(lambda rows: rows.find(Incident)) == []
    assert statements > 20
    assert fleet.run(lambda rows: rows.find(Release, recalled_at_s=fleet.now_s)) != []
    assert EVERYONE.capacity == fleet.rollout("standard-0.2.1-back-1").plan.capacity
