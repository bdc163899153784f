from agent import agent_case as case
from agent.agent_case import HAS_SPARE, RUNS_OLD, Robot
from surefoot.agent.steps import CHECK_INTERVAL_S, RETRY_DELAY_S, backoff_s, ground, version_of, wanted_digest
from surefoot.wire.report import encode_report, parse_report
from surefoot.wire.version import Version


def test_the_pause_doubles_up_to_the_ordinary_check() -> None:
    pauses = [backoff_s(retries) for retries in range(30)]
    assert pauses[:4] == [RETRY_DELAY_S, 2 * RETRY_DELAY_S, 4 * RETRY_DELAY_S, 8 * RETRY_DELAY_S]
    assert pauses == sorted(pauses) and pauses[-1] <= CHECK_INTERVAL_S


def test_the_version_comes_from_the_image_or_from_what_was_signed_for_its_digest() -> None:
    journal = case.staged().journal
    new = case.image_in("ota_1", case.NEW, "")
    assert version_of(journal, new) == case.NEW_VERSION
    assert version_of(journal, new.replace(version="v0.9.0")) == Version(major=0, minor=9, patch=0)
    assert version_of(journal, new.replace(digest=None)) is None
    assert version_of(journal, case.image_in("ota_1", b"unheard of", "9f3c1ab-dirty")) is None


def test_nothing_that_stands_in_a_slot_can_stop_the_report() -> None:
    for version in ("1.0.256", "99999.0.0", "9" * 300 + ".0.0", "v70000.1.1"):
        odd = HAS_SPARE.spare.replace(version=version)
        for slots in (RUNS_OLD.replace(spare=odd), RUNS_OLD.replace(running=odd.replace(slot="ota_0"))):
            robot = Robot(slots)
            assert robot.boots() == "SaveJournal Exchange"
            assert parse_report(encode_report(robot.report)) == robot.report


def test_the_floor_is_the_higher_of_the_factorys_and_the_journals() -> None:
    robot = Robot()
    robot.boots()
    low, high = Version(major=0, minor=0, patch=9), Version(major=0, minor=2, patch=0)
    assert ground(robot.state).version_floor == case.FLOOR
    for journal_floor, floor in ((low, case.FLOOR), (high, high)):
        state = robot.state.replace(journal=robot.journal.replace(version_floor=journal_floor))
        assert ground(state).version_floor == floor


def test_the_wanted_digest_is_the_offers_or_else_the_headers() -> None:
    minimal = case.OFFER.replace(digest=None, manifest=None)
    assert wanted_digest(case.offered().journal) == case.OFFER.digest
    assert wanted_digest(case.offered(minimal).journal) is None
    assert wanted_digest(case.verifying(minimal).journal) == case.OFFER.digest
    robot = Robot()
    robot.boots()
    assert wanted_digest(robot.journal) is None
