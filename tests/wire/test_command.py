from support import code_of
from surefoot.wire.command import (
    answer_command,
    cancel_command,
    encode_command,
    encode_nudge,
    offer_command,
    parse_command,
    refusal_command,
    rollback_command,
)
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.limits import COMMAND_BYTES_MAX
from surefoot.wire.offer import answer_to_object
from surefoot.wire.report import FIRST_EPOCH
from wire.wire_case import ANSWER, DIGEST, OFFER, REPORT

FORWARD = OFFER.replace(rollback=False)
REFUSAL = Refused("refused-sku-mismatch", "Robot robot-001 is enrolled as other: correct one of them.")


def test_every_command_comes_back_as_it_was() -> None:
    for command in (
        offer_command(OFFER),
        offer_command(FORWARD),
        rollback_command(),
        cancel_command("01J-before"),
        answer_command(ANSWER, REPORT),
        refusal_command(REFUSAL, REPORT),
        refusal_command(REFUSAL, None),
    ):
        assert parse_command(encode_command(command)) == command


def test_the_documented_command_is_an_offer() -> None:
    url = "https://fleet.example/v1/images/1"
    command = parse_command(encode_object({"url": url, "sha256": DIGEST, "version": "0.3.0"}))
    assert command.offer is not None and not command.rollback
    assert (command.offer.url, command.offer.sha256, str(command.offer.version)) == (url, DIGEST, "0.3.0")


def test_a_nudge_says_no_more_than_is_documented() -> None:
    assert set(parse_object(encode_nudge(FORWARD), "refused-command-format", 1000)) == {"url", "sha256", "version"}
    assert not parse_command(encode_nudge(FORWARD)).rollback
    back = parse_command(encode_nudge(OFFER))
    assert back.rollback and back.offer is not None and back.offer.rollback


def test_a_rollback_needs_no_more_than_the_word() -> None:
    assert parse_command(b'{"rollback": true}') == rollback_command()
    assert parse_command(b'{"rollback": true, "mood": "grim"}') == rollback_command()


def test_an_answer_belongs_to_one_report() -> None:
    command = parse_command(encode_command(answer_command(ANSWER, REPORT)))
    assert command.answer == ANSWER
    assert command.answers(REPORT)
    for other in (REPORT.replace(seq=43), REPORT.replace(boot=18), REPORT.replace(epoch="epoch-2")):
        assert not command.answers(other)
    assert not offer_command(OFFER).answers(REPORT)


def test_a_refusal_says_why_and_of_which_report() -> None:
    command = parse_command(encode_command(refusal_command(REFUSAL, REPORT)))
    assert (command.refused, command.detail, command.answer) == (REFUSAL.code, REFUSAL.message, None)
    assert command.answers(REPORT) and not command.answers(REPORT.replace(seq=43))
    of_some_report = parse_command(encode_command(refusal_command(REFUSAL, None)))
    assert of_some_report.refused == REFUSAL.code and not of_some_report.answers(REPORT)
    endless = refusal_command(Refused(REFUSAL.code, "x" * 5000), REPORT)
    assert parse_command(encode_command(endless)).detail == "x" * 500


def test_an_answer_without_an_epoch_is_for_robots_from_before_there_were_any() -> None:
    source = {"answer": answer_to_object(ANSWER), "boot": REPORT.boot, "seq": REPORT.seq}
    command = parse_command(encode_object(source))
    assert command.epoch == FIRST_EPOCH and command.answers(REPORT.replace(epoch=FIRST_EPOCH))


def test_a_command_that_makes_no_sense_is_refused() -> None:
    answer = answer_to_object(ANSWER)
    for source in (
        b"",
        b"[]",
        b"{}",
        b'{"rollback": false}',
        b'{"rollback": 1}',
        b'{"cancel": ""}',
        b'{"cancel": 7}',
        b'{"cancel": "a b"}',
        b'{"refused": ""}',
        b'{"refused": "a b"}',
        b'{"refused": "refused-x", "seq": -1}',
        encode_object({"answer": answer, "boot": 17}),
        encode_object({"answer": answer, "boot": -1, "seq": 1}),
        encode_object({"answer": answer, "epoch": "a.b", "boot": 17, "seq": 1}),
        b"{" + b" " * COMMAND_BYTES_MAX + b"}",
    ):
        assert code_of(parse_command, source) == "refused-command-format", source
    assert code_of(parse_command, b'{"answer": 7, "boot": 1, "seq": 1}') == "refused-answer-format"
    assert code_of(parse_command, b'{"url": "https://x"}') == "refused-offer-format"
