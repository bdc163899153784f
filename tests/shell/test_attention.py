"""When a robot asks because of what it hears, and what it remembers of it. Runs on MicroPython too."""

from agent.agent_case import NEW_VERSION, OFFER, answer
from shell.mqtt_fakes import TimedEar
from support import code_of
from surefoot.shell.attention import ASKED, CANCELS_KEPT, JITTER_MS_MAX, NUDGE_PAUSE_MS, RECONNECTED
from surefoot.wire.command import (
    answer_command,
    cancel_command,
    encode_command,
    encode_nudge,
    offer_command,
    refusal_command,
    rollback_command,
)
from surefoot.wire.errors import Refused
from surefoot.wire.report import CONFIRMED, Report, SlotReport

SIX_HOURS_MS = 6 * 3600 * 1000
NUDGE = encode_nudge(OFFER)
REPORT = Report(
    robot_id="robot-001",
    sku="standard",
    epoch="epoch-1",
    boot=17,
    seq=42,
    running=SlotReport(slot="a", version=str(NEW_VERSION), digest="cd" * 32, state=CONFIRMED),
    spare=None,
    assignment=None,
    version_floor=None,
    protocol=None,
    companion_version=None,
    trusted_keys=(),
    accepts=(),
    code=None,
)


def rested_ms(ear: TimedEar, *told: "tuple[int, bytes | str]") -> int:
    """Return how long a robot rests that hears this after so many milliseconds."""
    began_ms = ear.now_ms
    for after_ms, what in told:
        ear.tell(what, after_ms)
    ear.attention().rest(SIX_HOURS_MS)
    return ear.now_ms - began_ms


def test_in_silence_a_robot_rests_until_its_next_check() -> None:
    assert rested_ms(TimedEar()) == SIX_HOURS_MS


def test_an_offer_a_rollback_and_a_broker_that_came_back_make_it_ask_within_two_seconds() -> None:
    for what in (
        NUDGE,
        encode_command(offer_command(OFFER)),
        encode_command(offer_command(OFFER.replace(rollback=True))),
        encode_command(rollback_command()),
        RECONNECTED,
    ):
        ear = TimedEar()
        assert rested_ms(ear, (5000, what)) == 5000 + JITTER_MS_MAX // 2
        assert ear.jitters == [JITTER_MS_MAX], "a fleet that is told at once must not ask at once"


def test_a_person_and_a_cancel_are_heard_at_once() -> None:
    for what in (ASKED, encode_command(cancel_command(OFFER.id))):
        assert rested_ms(TimedEar(), (5000, what)) == 5000


def test_a_command_repeated_makes_one_check_in_ten_seconds() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for after_ms in range(0, 60_000, 100):
        ear.tell(NUDGE, after_ms)
    began_ms, checks = ear.now_ms, 0
    while ear.now_ms < began_ms + 60_000:
        attention.rest(SIX_HOURS_MS)
        checks += 1
    assert checks <= 1 + 60_000 // NUDGE_PAUSE_MS


def test_a_cancel_repeated_makes_one_check_in_ten_seconds_and_another_is_heard_at_once() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for assignment_id, after_ms in (("a-1", 0), ("a-1", NUDGE_PAUSE_MS), ("a-2", 0)):
        began_ms = ear.now_ms
        ear.tell(encode_command(cancel_command(assignment_id)))
        attention.rest(SIX_HOURS_MS)
        assert ear.now_ms - began_ms == after_ms


def test_another_command_and_a_person_are_heard_however_soon_they_come() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for what, at_most_ms in ((NUDGE, JITTER_MS_MAX), (encode_command(rollback_command()), JITTER_MS_MAX), (ASKED, 0)):
        for _ in range(1 if what != ASKED else 3):
            began_ms = ear.now_ms
            ear.tell(what)
            attention.rest(SIX_HOURS_MS)
            assert ear.now_ms - began_ms <= at_most_ms


def test_what_was_heard_amid_an_update_makes_the_next_rest_short() -> None:
    ear = TimedEar()
    attention = ear.attention()
    ear.tell(NUDGE)
    assert not attention.is_cancelled(OFFER.id)
    ear.now_ms += 60_000
    began_ms = ear.now_ms
    attention.rest(SIX_HOURS_MS)
    assert ear.now_ms == began_ms


def test_a_nudge_is_done_with_the_check_that_was_due_anyway() -> None:
    ear = TimedEar()
    attention = ear.attention()
    ear.tell(NUDGE, after_ms=900)
    attention.rest(1000)
    began_ms = ear.now_ms
    attention.rest(SIX_HOURS_MS)
    assert ear.now_ms - began_ms == SIX_HOURS_MS


def test_a_pause_ends_early_for_a_cancel_only() -> None:
    ear = TimedEar()
    attention = ear.attention()
    ear.tell(NUDGE, after_ms=100)
    ear.tell(ASKED, after_ms=200)
    attention.pause(30_000)
    assert ear.now_ms == 31_000
    ear.tell(encode_command(cancel_command("a-1")), after_ms=700)
    attention.pause(30_000)
    assert ear.now_ms == 31_700


def test_a_cancel_is_remembered_until_the_server_has_answered_since() -> None:
    ear = TimedEar()
    attention = ear.attention()
    ear.tell(encode_command(cancel_command("a-1")))
    assert attention.is_cancelled("a-1") and attention.is_cancelled("a-1")
    assert not attention.is_cancelled("a-2")
    before = attention.cancels
    ear.tell(encode_command(cancel_command("a-2")))
    assert attention.is_cancelled("a-2")
    attention.forget(before)
    assert not attention.is_cancelled("a-1")
    assert attention.is_cancelled("a-2"), "it came after the question, so the answer may not know of it"


def test_only_the_newest_cancels_are_kept() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for number in range(CANCELS_KEPT + 1):
        ear.tell(encode_command(cancel_command(f"a-{number}")))
    assert not attention.is_cancelled("a-0")
    assert len(attention.cancels) == CANCELS_KEPT


def test_looking_for_a_cancel_takes_no_time_however_much_there_is_to_hear() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for _ in range(1000):
        ear.tell(NUDGE)
    assert not attention.is_cancelled("a-1")
    assert ear.now_ms == 1000 and len(ear.coming) > 900


def test_the_answer_to_a_report_is_told_from_those_to_others() -> None:
    ear = TimedEar()
    wanted = answer(acknowledged="a-1").answer
    for other in (REPORT.replace(seq=41), REPORT.replace(boot=16), REPORT.replace(epoch="epoch-0")):
        ear.tell(encode_command(answer_command(answer(acknowledged="other").answer, other)))
    ear.tell(encode_command(answer_command(wanted, REPORT)), after_ms=4000)
    assert ear.attention().answer_to(REPORT, 5000) == wanted


def test_the_refusal_of_a_report_is_raised_and_that_of_another_is_not() -> None:
    refusal = Refused("refused-sku-mismatch", "This robot is enrolled as other.")
    for other in (REPORT.replace(seq=41), None):
        ear = TimedEar()
        ear.tell(encode_command(refusal_command(refusal, other)))
        assert ear.attention().answer_to(REPORT, 5000) is None
    ear = TimedEar()
    ear.tell(encode_command(refusal_command(refusal, REPORT)))
    assert code_of(ear.attention().answer_to, REPORT, 5000) == "refused-sku-mismatch"


def test_a_refusal_is_no_reason_to_ask_again() -> None:
    refusal = Refused("refused-sku-mismatch", "This robot is enrolled as other.")
    for report in (REPORT, None):
        assert rested_ms(TimedEar(), (0, encode_command(refusal_command(refusal, report)))) == SIX_HOURS_MS


def test_an_answer_that_does_not_come_in_time_is_not_waited_for() -> None:
    ear = TimedEar()
    for after_ms in range(0, 20_000, 500):
        ear.tell(NUDGE, after_ms)
    assert ear.attention().answer_to(REPORT, 5000) is None
    assert ear.now_ms == 1000 + 5000


def test_an_answer_nobody_waits_for_is_no_reason_to_ask() -> None:
    told = encode_command(answer_command(answer(OFFER).answer, REPORT))
    assert rested_ms(TimedEar(), (0, told)) == SIX_HOURS_MS


def test_commands_that_make_no_sense_are_counted_and_said_ever_more_rarely() -> None:
    ear = TimedEar()
    attention = ear.attention()
    for number in range(100):
        ear.tell((b"", b"{", b"[]", b"{}", b"\xff", b'{"cancel": 7}', b'{"url": "x"}', b'{"answer": {}}')[number % 8])
    attention.rest(1000)
    assert attention.malformed == 100
    assert len(ear.lines) == 7, "the 1st, 2nd, 4th … 64th"
    assert all(line.startswith("refused-") for line in ear.lines)
    assert ear.now_ms == 2000, "and none is a reason to ask"
