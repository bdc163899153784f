from agent import agent_case as case
from agent.agent_case import BLOCK_BYTES, NEW, NEW_FILE, NEW_VERSION, OFFER, Robot, answer
from surefoot.agent import events as on
from surefoot.agent.download import HOLD_S, RESTARTS_MAX, RETRIES_MAX
from surefoot.trust.keys import KeyRing
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.report import DOWNLOADING, INSTALLED, REFUSED, STAGED, VERIFYING
from surefoot.wire.version import Version

TOLD = "SaveJournal Exchange"
AGAIN = "SaveJournal StopFetch Preflight"
BROKEN = on.DownloadFailed(code="download-interrupted")


def downloading() -> Robot:
    robot = case.offered()
    robot.on(on.PreflightPassed())
    return robot


def code_reported(robot: Robot) -> "str | None":
    assert robot.report.assignment is not None
    return robot.report.assignment.code


def test_a_robot_that_is_busy_waits_and_says_why() -> None:
    robot = case.offered()
    assert robot.on(on.PreflightHeld(code="held-battery")) == "ScheduleCheck"
    assert robot.delay_s == HOLD_S
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert code_reported(robot) == "held-battery"
    assert robot.on(answer(OFFER)) == "Preflight"
    assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"
    robot.receive(NEW_FILE)
    assert robot.on(on.PreflightHeld(code="held-motors")) == "ScheduleCheck"
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert code_reported(robot) == "held-motors"
    assert robot.on(on.Unreachable(code="server-unreachable")) == "Preflight", "the server has no say in it"
    assert robot.on(on.PreflightPassed()) == "DigestSpare"
    robot.on(case.digested(NEW_FILE))
    assert code_reported(robot) is None


def test_an_interrupted_download_goes_on_from_the_last_recorded_block() -> None:
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES + 5000)
    assert robot.on(BROKEN) == "ScheduleRetry"
    assert robot.delay_s == 30
    assert robot.on(on.RetryDue()) == "Fetch"
    assert robot.fetch is not None
    assert robot.fetch.first_byte == HEADER_BYTES + BLOCK_BYTES
    robot.receive(NEW_FILE)
    assert robot.journal.state == VERIFYING
    assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_download_goes_on_after_a_power_cut() -> None:
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES + 100)
    assert robot.boots() == TOLD
    assert robot.report.assignment is not None
    assert (robot.report.assignment.state, robot.report.assignment.received_bytes) == (DOWNLOADING, BLOCK_BYTES)
    assert robot.on(answer(OFFER)) == "Preflight"
    assert robot.on(on.PreflightPassed()) == "Fetch"
    robot.receive(NEW_FILE)
    assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_cut_before_the_first_recorded_block_begins_anew() -> None:
    for stop_at in (HEADER_BYTES, HEADER_BYTES + 4096):
        robot = downloading()
        robot.receive(NEW_FILE, stop_at=stop_at)
        robot.on(BROKEN)
        assert robot.on(on.RetryDue()) == "PrepareSpare Fetch"
        assert robot.fetch is not None
        assert (robot.fetch.first_byte, robot.fetch.first_chunk_bytes) == (0, HEADER_BYTES)
        robot.receive(NEW_FILE)
        assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_download_that_keeps_breaking_pauses_longer_and_then_waits_for_a_check() -> None:
    robot = downloading()
    delays = []
    for _ in range(RETRIES_MAX):
        assert robot.on(BROKEN) == "ScheduleRetry"
        delays.append(robot.delay_s)
        robot.on(on.RetryDue())
    assert delays == [30, 60, 120, 240, 480]
    assert robot.on(BROKEN) == "ScheduleCheck"
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert code_reported(robot) == "download-interrupted"
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"
    robot.on(BROKEN)
    assert robot.delay_s == 30, "after a check it begins to count anew"


def test_progress_lets_the_retries_begin_anew() -> None:
    robot = downloading()
    robot.on(BROKEN)
    robot.on(on.RetryDue())
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES)
    robot.on(BROKEN)
    assert robot.delay_s == 30


def test_a_file_that_is_not_served_any_more_is_refused() -> None:
    robot = downloading()
    assert robot.on(on.DownloadRefused(code="refused-image-gone")) == TOLD
    assert (robot.journal.state, code_reported(robot)) == (REFUSED, "refused-image-gone")


def test_a_damaged_download_is_fetched_again_so_often_and_then_refused() -> None:
    robot = case.judging()
    damaged = case.digested(NEW_FILE).replace(sha256="0" * 64)
    for restart in range(RESTARTS_MAX):
        assert robot.on(damaged) == AGAIN
        assert (robot.journal.state, robot.journal.restarts) == (DOWNLOADING, restart + 1)
        assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"
        robot.receive(NEW_FILE)
        assert robot.on(on.PreflightPassed()) == "DigestSpare"
    assert robot.on(damaged) == "StopFetch " + TOLD
    assert (robot.journal.state, code_reported(robot)) == (REFUSED, "refused-sha256")


def test_restarts_are_counted_across_power_cuts() -> None:
    robot = case.judging()
    damaged = case.digested(NEW_FILE).replace(sha256="0" * 64)
    for _ in range(RESTARTS_MAX):
        robot.on(damaged)
        robot.boots()
        robot.on(answer())
        robot.on(on.PreflightPassed())
        robot.receive(NEW_FILE)
        robot.on(on.PreflightPassed())
    robot.on(damaged)
    assert robot.journal.state == REFUSED


def test_bytes_beyond_the_size_in_the_header_are_a_damaged_download() -> None:
    robot = downloading()
    traces = robot.receive(NEW_FILE + b"one too many")
    assert traces[-1] == AGAIN
    assert (robot.journal.state, robot.journal.received_bytes, robot.journal.header) == (DOWNLOADING, 0, b"")


def test_a_header_that_is_none_is_a_damaged_download() -> None:
    robot = downloading()
    for _ in range(RESTARTS_MAX):
        assert robot.receive(b"<html>" * 100) == [AGAIN]
        robot.on(on.PreflightPassed())
    assert robot.receive(b"<html>" * 100) == ["StopFetch " + TOLD]
    assert code_reported(robot) == "refused-image-format"


def test_a_header_that_promises_more_than_the_file_has_is_not_waited_for() -> None:
    longer = case.file_of(NEW + b"more", NEW_VERSION)[:HEADER_BYTES]
    robot = downloading()
    assert robot.receive(longer) == [AGAIN]


def test_an_image_larger_than_the_slot_is_refused_before_anything_is_erased() -> None:
    image = bytes(65537)
    robot = case.offered(case.offer_of(image, NEW_VERSION))
    robot.on(on.PreflightPassed())
    assert robot.receive(case.file_of(image, NEW_VERSION)) == ["StopFetch " + TOLD]
    assert code_reported(robot) == "refused-size"


def test_an_image_as_large_as_the_slot_fits() -> None:
    image = bytes(65536)
    file = case.file_of(image, NEW_VERSION)
    assert case.verifying(case.offer_of(image, NEW_VERSION), file).journal.state == VERIFYING


def test_an_image_of_whole_blocks_is_complete_with_the_last_one() -> None:
    image = b"x" * (2 * BLOCK_BYTES)
    robot = case.verifying(case.offer_of(image, NEW_VERSION), case.file_of(image, NEW_VERSION))
    assert (robot.journal.state, robot.journal.received_bytes) == (VERIFYING, len(image))


def test_a_minimal_offer_that_turns_out_to_be_the_running_image_is_installed_at_once() -> None:
    file = case.file_of(case.OLD, case.OLD_VERSION)
    offer = case.offer_of(case.OLD, NEW_VERSION, digest=None, manifest=None, size_bytes=None)
    robot = case.offered(offer)
    robot.on(on.PreflightPassed())
    assert robot.receive(file) == ["StopFetch " + TOLD]
    assert robot.journal.state == INSTALLED
    forced = case.offered(offer.replace(force=True))
    forced.on(on.PreflightPassed())
    assert forced.receive(file, stop_at=HEADER_BYTES) == [""]


def test_verifying_goes_on_after_a_power_cut() -> None:
    robot = case.verifying()
    robot.boots()
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == "DigestSpare"


def judged(robot: Robot, digested: on.SpareDigested) -> "str | None":
    assert robot.on(digested) == TOLD
    return robot.journal.code if robot.journal.state == REFUSED else None


def test_an_image_is_refused_with_the_code_of_what_is_wrong_with_it() -> None:
    good = case.digested(NEW_FILE)
    assert judged(case.judging(), good.replace(image_code="refused-image-format")) == "refused-image-format"
    assert judged(case.judging(), good.replace(digest="0" * 64)) == "refused-digest"
    assert judged(case.judging(), good.replace(descriptor_version="0.3.1")) == "refused-version-mismatch"
    assert judged(case.judging(), good.replace(descriptor_version="0.3.999")) == "refused-version-format"
    bare = OFFER.replace(manifest=None)
    assert judged(case.judging(bare), good) == "refused-version-unbound"
    assert judged(case.judging(bare), good.replace(descriptor_version="0.2.1")) == "refused-version-mismatch"


def test_an_image_for_another_chip_is_refused() -> None:
    for chip_id, code in ((5, "refused-chip"), (None, "refused-chip"), (0, None)):
        robot = case.judging()
        identity = case.IDENTITY.replace(chip_id=0)
        robot.boots()
        robot.identity = identity
        robot.boots()
        robot.on(answer())
        robot.on(on.PreflightPassed())
        assert judged(robot, case.digested(NEW_FILE, chip_id=chip_id)) == code


def test_an_image_signed_by_no_trusted_key_is_refused() -> None:
    file = case.file_of(NEW, NEW_VERSION, case.OTHER_KEY)
    offer = OFFER.replace(sha256=case.digest_of(file))
    assert judged(case.judging(offer, file), case.digested(file)) == "refused-signature"


def test_what_is_trusted_is_what_is_trusted_when_it_is_judged() -> None:
    robot = case.verifying()
    robot.identity = case.IDENTITY.replace(ring=KeyRing(keys=(case.OTHER_KEY,)))
    robot.boots()
    robot.on(answer())
    robot.on(on.PreflightPassed())
    assert judged(robot, case.digested(NEW_FILE)) == "refused-manifest-signature"


def test_an_attempt_is_burnt_when_the_image_is_staged() -> None:
    robot = case.staged()
    assert (robot.journal.state, robot.journal.attempts) == (STAGED, 1)
    assert robot.report.assignment is not None and robot.report.assignment.state == STAGED


def test_the_running_images_version_is_not_forgotten_over_many_that_fail() -> None:
    robot = case.installed()
    robot.on(answer(acknowledged=OFFER.id))
    for number in range(1, 9):
        image = f"failing {number}".encode()
        version = Version(major=1, minor=0, patch=number)
        file = case.file_of(image, version)
        robot.on(on.CheckDue())
        robot.on(answer(case.offer_of(image, version, id=f"failing-{number}")))
        robot.on(on.PreflightPassed())
        robot.receive(file)
        robot.on(on.PreflightPassed())
        robot.on(case.digested(file))
        robot.on(answer())
        robot.boots(case.runs_new("confirmed").replace(spare=case.image_in("ota_0", image, "", "rolled_back")))
        assert robot.report.running.version == "0.3.0"
        robot.on(answer(acknowledged=f"failing-{number}"))
