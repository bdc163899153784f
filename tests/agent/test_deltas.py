"""A delta is another way to the same bytes: who takes it, and how a robot leaves it."""

from agent import agent_case as case
from agent.agent_case import BLOCK_BYTES, NEW, NEW_FILE, OFFER, OLD, Robot, answer
from surefoot.agent import events as on
from surefoot.agent.deltas import DELTA_RETRIES_MAX
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.limits import CHUNK_BYTES
from surefoot.wire.offer import Delta
from surefoot.wire.report import DOWNLOADING, INSTALLED, STAGED, TRIAL, VERIFYING

AGAIN = "SaveJournal StopFetch Preflight"
BROKEN = on.DownloadFailed(code="download-interrupted")
UNUSABLE = on.DownloadRefused(code="refused-delta")
DELTA = Delta(
    url="https://fleet.example/v1/images/delta",
    sha256="de" * 32,
    size_bytes=1234,
    source_digest=case.digest_of(OLD),
)
SHORTER = OFFER.replace(delta=DELTA)


def downloading(robot: "Robot | None" = None) -> Robot:
    robot = case.offered(SHORTER) if robot is None else robot
    assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"
    assert robot.fetch is not None
    return robot


def takes_full_file(robot: Robot) -> bool:
    assert robot.fetch is not None
    return robot.fetch.delta is None


def test_a_robot_says_which_deltas_it_can_apply() -> None:
    robot = Robot()
    robot.boots()
    assert robot.report.accepts == ("sfd1",)
    plain = Robot()
    plain.accepts = ()
    plain.boots()
    assert plain.report.accepts == ()


def test_an_update_by_a_delta_is_recorded_judged_and_tried_like_any_other() -> None:
    robot = downloading()
    assert robot.fetch is not None and robot.fetch.delta == DELTA
    assert (robot.fetch.url, robot.fetch.sha256) == (OFFER.url, OFFER.sha256)
    robot.receive(NEW_FILE)
    assert bytes(robot.spare[: len(NEW)]) == NEW
    assert robot.journal.state == VERIFYING
    assert robot.on(on.PreflightPassed()) == "DigestSpare"
    assert robot.on(case.digested(NEW_FILE)) == "Preflight"
    robot.on(on.PreflightPassed())
    assert robot.journal.state == STAGED and robot.journal.attempts == 1


def test_only_who_runs_the_confirmed_source_and_can_apply_it_takes_a_delta() -> None:
    for changes in (
        {"delta": DELTA.replace(source_digest=case.digest_of(NEW))},
        {"digest": None},
        {"size_bytes": None},
    ):
        assert takes_full_file(downloading(case.offered(SHORTER.replace(**changes)))), changes
    plain = Robot()
    plain.accepts = ()
    plain.boots()
    plain.on(answer(SHORTER))
    assert takes_full_file(downloading(plain))


def test_on_an_image_on_trial_nothing_is_begun_by_a_delta_either() -> None:
    robot = Robot(case.slots_of(case.image_in("ota_0", OLD, "0.2.1", TRIAL), case.EMPTY_SPARE))
    robot.boots()
    robot.on(answer(SHORTER))
    assert robot.fetch is None


def test_a_delta_that_is_gone_or_makes_no_image_is_left_for_the_full_file_without_an_attempt() -> None:
    for code in ("refused-image-gone", "refused-delta", "refused-image-format"):
        robot = downloading()
        robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES + CHUNK_BYTES)
        assert robot.journal.received_bytes == BLOCK_BYTES
        assert robot.on(on.DownloadRefused(code=code)) == AGAIN
        journal = robot.journal
        assert (journal.state, journal.attempts, journal.restarts, journal.code) == (DOWNLOADING, 0, 0, None)
        assert journal.received_bytes == 0, "what it made may be wrong"
        assert takes_full_file(downloading(robot))
        robot.receive(NEW_FILE)
        assert robot.journal.state == VERIFYING


def test_what_is_said_of_the_full_file_still_ends_the_assignment() -> None:
    robot = downloading()
    robot.on(UNUSABLE)
    downloading(robot)
    assert robot.on(on.DownloadRefused(code="refused-image-gone")) == "SaveJournal Exchange"
    assert robot.journal.code == "refused-image-gone"


def test_a_delta_that_makes_another_image_is_left_for_the_full_file() -> None:
    robot = downloading()
    robot.receive(NEW_FILE)
    robot.on(on.PreflightPassed())
    assert robot.on(case.digested(NEW_FILE + b"wrong")) == AGAIN
    assert (robot.journal.state, robot.journal.restarts, robot.journal.attempts) == (DOWNLOADING, 0, 0)
    assert takes_full_file(downloading(robot))


def test_a_delta_with_another_images_header_ends_nothing() -> None:
    for header in (
        case.file_of(OLD, case.OLD_VERSION)[:HEADER_BYTES],
        case.file_of(b"another", case.NEW_VERSION)[:HEADER_BYTES],
        b"\0" * HEADER_BYTES,
    ):
        robot = downloading()
        assert robot.on(on.ChunkArrived(offset_bytes=0, data=header)) == AGAIN
        assert robot.journal.state == DOWNLOADING, "that the old image runs already is no news"
        assert takes_full_file(downloading(robot))


def test_a_delta_that_makes_too_much_is_left_for_the_full_file() -> None:
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + 4 * CHUNK_BYTES)
    event = on.ChunkArrived(offset_bytes=HEADER_BYTES + 4 * CHUNK_BYTES, data=b"x" * CHUNK_BYTES)
    assert robot.on(event) == AGAIN
    assert takes_full_file(downloading(robot))


def test_a_broken_way_is_tried_again_and_then_the_full_file_goes_on_where_the_delta_stopped() -> None:
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES)
    for _ in range(DELTA_RETRIES_MAX):
        assert robot.on(BROKEN) == "ScheduleRetry"
        assert robot.on(on.RetryDue()) == "Fetch"
        assert not takes_full_file(robot)
    assert robot.on(BROKEN) == "SaveJournal ScheduleRetry"
    assert robot.on(on.RetryDue()) == "Fetch"
    assert robot.fetch is not None and robot.fetch.delta is None
    assert robot.fetch.first_byte == HEADER_BYTES + BLOCK_BYTES, "both are ways to the same bytes"
    robot.receive(NEW_FILE)
    assert robot.journal.state == VERIFYING


def test_a_block_that_was_made_gives_a_delta_its_tries_back() -> None:
    robot = downloading()
    for _ in range(DELTA_RETRIES_MAX):
        robot.on(BROKEN)
        robot.on(on.RetryDue())
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES)
    assert robot.on(BROKEN) == "ScheduleRetry"


def test_after_a_power_cut_the_delta_is_followed_again_from_the_recorded_block() -> None:
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES + CHUNK_BYTES)
    robot.boots()
    robot.on(answer(SHORTER))
    assert robot.on(on.PreflightPassed()) == "Fetch"
    assert robot.fetch is not None
    assert (robot.fetch.delta, robot.fetch.first_byte) == (DELTA, HEADER_BYTES + BLOCK_BYTES)
    robot.receive(NEW_FILE)
    assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_delta_that_was_left_is_not_taken_again_after_a_power_cut() -> None:
    robot = downloading()
    robot.on(UNUSABLE)
    robot.boots()
    robot.on(answer(SHORTER))
    assert takes_full_file(downloading(robot)), "the server offers it still"


def test_the_next_assignment_may_come_by_a_delta_again() -> None:
    robot = downloading()
    robot.on(UNUSABLE)
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    robot.on(answer(SHORTER.replace(id="assignment-2")))
    assert not takes_full_file(downloading(robot))


def test_a_delta_that_moved_is_fetched_from_where_it_is_now() -> None:
    robot = case.offered(SHORTER)
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    moved = DELTA.replace(url="https://elsewhere.example/delta")
    assert robot.on(answer(SHORTER.replace(delta=moved))) == "SaveJournal Preflight"
    assert downloading(robot).fetch is not None and robot.journal.offer == SHORTER.replace(delta=moved)
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    other = moved.replace(url="https://other.example/delta", sha256="aa" * 32)
    assert robot.on(answer(SHORTER.replace(delta=other))) == "Preflight", "another file is not the same one moved"


def test_a_forced_installation_of_what_runs_can_come_by_a_delta_too() -> None:
    offer = case.offer_of(OLD, case.OLD_VERSION, force=True, delta=DELTA)
    robot = downloading(case.offered(offer))
    robot.receive(case.file_of(OLD, case.OLD_VERSION))
    assert robot.journal.state in (VERIFYING, INSTALLED)
