from agent import agent_case as case
from agent.agent_case import BLOCK_BYTES, NEW, NEW_FILE, NEW_VERSION, OFFER, Robot, answer
from surefoot.agent import events as on
from surefoot.agent.download import HOLD_S, RESTARTS_MAX, RETRIES_MAX
from surefoot.agent.table import advance
from surefoot.trust.keys import KeyRing
from surefoot.wire.fields import encode_object
from surefoot.wire.image_header import HEADER_BYTES
from surefoot.wire.limits import CHUNK_BYTES, OFFER_BYTES_MAX, URL_CHARS_MAX
from surefoot.wire.offer import offer_from_object, offer_to_object
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
    assert robot.on(case.digested(NEW_FILE)) == "Preflight"
    assert robot.on(on.PreflightHeld(code="held-battery")) == "ScheduleCheck"
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    assert code_reported(robot) == "held-battery"
    assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == TOLD
    assert code_reported(robot) is None


def test_a_robot_that_may_not_restart_waits_without_spending_an_attempt() -> None:
    robot = case.believed()
    for _ in range(5):
        assert robot.on(on.PreflightHeld(code="held-motors")) == "ScheduleCheck"
        assert robot.delay_s == HOLD_S
        assert robot.saved is not None
        assert (robot.saved.state, robot.saved.attempts) == (VERIFYING, 0)
        robot.on(on.CheckDue())
        assert robot.report.assignment is not None
        assert (robot.report.assignment.state, robot.report.assignment.attempts) == (VERIFYING, 0)
        assert robot.on(answer()) == "Preflight"
    assert robot.on(on.PreflightPassed()) == TOLD, "what was believed is not read again"
    assert (robot.journal.state, robot.journal.attempts) == (STAGED, 1)


def test_what_was_believed_before_a_power_cut_is_judged_again() -> None:
    robot = case.believed()
    robot.on(on.PreflightHeld(code="held-motors"))
    assert robot.boots() == TOLD
    robot.on(answer())
    assert robot.on(on.PreflightPassed()) == "DigestSpare"


def test_belief_in_one_image_is_not_carried_over_to_the_next() -> None:
    newer_image, newer_version = b"newer" * 4000, Version(major=0, minor=4, patch=0)
    robot = case.believed()
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    assert robot.on(answer(case.offer_of(newer_image, newer_version, id="assignment-2"))) == AGAIN
    assert not robot.state.judged
    assert robot.on(on.PreflightPassed()) == "PrepareSpare Fetch"
    robot.receive(case.file_of(newer_image, newer_version))
    assert robot.on(on.PreflightPassed()) == "DigestSpare"


def test_what_is_being_overwritten_is_not_believed_any_more() -> None:
    believed = case.offered().state.replace(judged=True)
    assert not advance(believed, on.PreflightPassed()).state.judged


def test_the_last_word_on_a_restart_is_the_robots_own_and_not_the_servers() -> None:
    for heard in (answer(), answer(OFFER), on.Unreachable(code="server-unreachable")):
        robot = case.believed()
        robot.on(on.PreflightHeld(code="held-motors"))
        robot.on(on.CheckDue())
        assert robot.on(heard) == "Preflight"
        assert robot.on(on.PreflightHeld(code="held-motors")) == "ScheduleCheck"


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
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES + 5000)
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


def piece_of(robot: Robot, offset: int, length: int) -> str:
    return robot.on(on.ChunkArrived(offset_bytes=offset, data=NEW_FILE[offset : offset + length]))


def test_a_piece_cut_short_is_an_interrupted_download_and_is_not_written() -> None:
    first, last = HEADER_BYTES, HEADER_BYTES + 4 * CHUNK_BYTES
    for offset, length in ((first, 1), (first, CHUNK_BYTES - 1), (first + CHUNK_BYTES, 100), (last, 5)):
        robot = downloading()
        robot.receive(NEW_FILE, stop_at=offset)
        before = bytes(robot.spare)
        assert piece_of(robot, offset, length) == "StopFetch ScheduleRetry", (offset, length)
        assert bytes(robot.spare) == before and robot.journal.state == DOWNLOADING
        robot.on(on.RetryDue())
        robot.receive(NEW_FILE)
        assert robot.journal.state == VERIFYING
        assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_piece_longer_than_asked_for_would_cross_a_block_and_is_not_written_either() -> None:
    for chunks in (0, 1, 3):
        robot = downloading()
        offset = HEADER_BYTES + chunks * CHUNK_BYTES
        robot.receive(NEW_FILE, stop_at=offset)
        assert piece_of(robot, offset, CHUNK_BYTES + 1) == "StopFetch ScheduleRetry"
        assert piece_of(robot, offset, len(NEW_FILE)) == "StopFetch ScheduleRetry"


def test_pieces_that_are_always_cut_short_are_waited_for_like_any_broken_line() -> None:
    robot = downloading()
    for _ in range(RETRIES_MAX):
        robot.receive(NEW_FILE, stop_at=HEADER_BYTES)
        assert piece_of(robot, HEADER_BYTES, 1) == "StopFetch ScheduleRetry"
        robot.on(on.RetryDue())
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES)
    assert piece_of(robot, HEADER_BYTES, 1) == "StopFetch ScheduleCheck"
    robot.on(on.CheckDue())
    assert code_reported(robot) == "download-interrupted"


MOVED = OFFER.replace(url="https://elsewhere.example/v1/images/1?signature=2")


def interrupted() -> Robot:
    """Return a robot with one block of its file that has just asked the server again."""
    robot = downloading()
    robot.receive(NEW_FILE, stop_at=HEADER_BYTES + BLOCK_BYTES)
    for _ in range(RETRIES_MAX):
        robot.on(BROKEN)
        robot.on(on.RetryDue())
    assert robot.on(BROKEN) == "ScheduleCheck"
    assert robot.on(on.CheckDue()) == "StopFetch Exchange"
    return robot


def test_a_file_that_moved_is_fetched_on_from_where_it_lies_now() -> None:
    robot = interrupted()
    assert robot.on(answer(MOVED)) == "SaveJournal Preflight"
    assert robot.journal.received_bytes == BLOCK_BYTES
    assert robot.on(on.PreflightPassed()) == "Fetch"
    assert robot.fetch is not None
    assert (robot.fetch.url, robot.fetch.first_byte) == (MOVED.url, HEADER_BYTES + BLOCK_BYTES)
    robot.boots()
    assert robot.on(answer(MOVED)) == "Preflight", "it is known by now"
    robot.on(on.PreflightPassed())
    assert robot.fetch.url == MOVED.url
    robot.receive(NEW_FILE)
    assert bytes(robot.spare[: len(NEW)]) == NEW


def test_a_file_that_moved_while_the_robot_is_held_changes_nothing_else() -> None:
    robot = case.believed()
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    before = robot.journal
    assert robot.on(answer(MOVED.replace(attempt=7, force=True))) == "SaveJournal Preflight"
    assert robot.journal == before.replace(offer=MOVED)
    assert robot.on(on.PreflightPassed()) == TOLD
    assert robot.journal.state == STAGED


def test_another_file_under_the_same_assignment_is_not_fetched_from_the_middle() -> None:
    robot = interrupted()
    assert robot.on(answer(MOVED.replace(sha256="0" * 64))) == "Preflight"
    assert robot.journal.offer == OFFER


def test_an_address_with_which_the_journal_could_not_be_read_again_is_left_out() -> None:
    # Each offer fits; the kept manifest with the new address would not, and both copies would be lost in time.
    room = OFFER_BYTES_MAX - 100 - len(encode_object(offer_to_object(OFFER)))
    # A quote in the notes takes two bytes of the manifest and four of the offer around it.
    large = OFFER.replace(manifest=case.manifest_of(NEW, NEW_VERSION, notes='"' * (room // 4)))
    long = OFFER.replace(manifest=None, url="https://fleet.example/" + "x" * (URL_CHARS_MAX - 22))
    for offer in (large, long):
        assert offer_from_object(offer_to_object(offer)) == offer
    robot = case.offered(large)
    robot.on(on.PreflightHeld(code="held-motors"))
    robot.on(on.CheckDue())
    assert robot.on(answer(long)) == "Preflight"
    assert robot.journal.offer == large


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


def refused(robot: Robot, digested: on.SpareDigested) -> "str | None":
    assert robot.on(digested) == TOLD
    assert robot.journal.state == REFUSED
    return robot.journal.code


def test_an_image_is_refused_with_the_code_of_what_is_wrong_with_it() -> None:
    good = case.digested(NEW_FILE)
    assert refused(case.judging(), good.replace(image_code="refused-image-format")) == "refused-image-format"
    assert refused(case.judging(), good.replace(digest="0" * 64)) == "refused-digest"
    assert refused(case.judging(), good.replace(descriptor_version="0.3.1")) == "refused-version-mismatch"
    assert refused(case.judging(), good.replace(descriptor_version="0.3.999")) == "refused-version-format"
    bare = OFFER.replace(manifest=None)
    assert refused(case.judging(bare), good) == "refused-version-unbound"
    assert refused(case.judging(bare), good.replace(descriptor_version="0.2.1")) == "refused-version-mismatch"


def test_an_image_for_another_chip_is_refused() -> None:
    for chip_id in (5, None, 0):
        robot = case.judging()
        robot.identity = case.IDENTITY.replace(chip_id=0)
        robot.boots()
        robot.on(answer())
        robot.on(on.PreflightPassed())
        found = case.digested(NEW_FILE, chip_id=chip_id)
        if chip_id == 0:
            assert robot.on(found) == "Preflight"
        else:
            assert refused(robot, found) == "refused-chip"


def test_an_image_signed_by_no_trusted_key_is_refused() -> None:
    file = case.file_of(NEW, NEW_VERSION, case.OTHER_KEY)
    offer = OFFER.replace(sha256=case.digest_of(file))
    assert refused(case.judging(offer, file), case.digested(file)) == "refused-signature"


def test_what_is_trusted_is_what_is_trusted_when_it_is_judged() -> None:
    robot = case.verifying()
    robot.identity = case.IDENTITY.replace(ring=KeyRing(keys=(case.OTHER_KEY,)))
    robot.boots()
    robot.on(answer())
    robot.on(on.PreflightPassed())
    assert refused(robot, case.digested(NEW_FILE)) == "refused-manifest-signature"


def test_an_attempt_is_burnt_when_the_image_is_staged() -> None:
    robot = case.staged()
    assert (robot.journal.state, robot.journal.attempts) == (STAGED, 1)
    assert robot.report.assignment is not None and robot.report.assignment.state == STAGED


def test_the_running_images_version_is_not_forgotten_over_many_that_fail() -> None:
    robot = case.installed()
    robot.on(answer(acknowledged=OFFER.id))
    for number in range(1, 9):
        image = f"failing {number}".encode()
        version = Version(major=0, minor=4, patch=number)
        file = case.file_of(image, version)
        robot.on(on.CheckDue())
        robot.on(answer(case.offer_of(image, version, id=f"failing-{number}")))
        robot.on(on.PreflightPassed())
        robot.receive(file)
        robot.on(on.PreflightPassed())
        robot.on(case.digested(file))
        robot.on(on.PreflightPassed())
        robot.on(answer())
        robot.boots(case.runs_new("confirmed").replace(spare=case.image_in("ota_0", image, "", "rolled_back")))
        assert robot.report.running.version == "0.3.0"
        robot.on(answer(acknowledged=f"failing-{number}"))
