from hypothesis import assume, given
from hypothesis import strategies as st

from surefoot.wire.codes import CODES
from surefoot.wire.command import answer_command, encode_command, encode_nudge, offer_command, parse_command
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object
from surefoot.wire.limits import OFFER_BYTES_MAX
from surefoot.wire.offer import Answer, Offer, offer_to_object
from surefoot.wire.report import Report
from wire.strategies import ANSWERS, OFFERS, REPORTS


@given(ANSWERS, REPORTS)
def test_any_answer_finds_its_report(answer: Answer, report: Report) -> None:
    command = parse_command(encode_command(answer_command(answer, report)))
    assert command.answer == answer and command.answers(report)


@given(OFFERS)
def test_any_offer_comes_by_command_and_its_nudge_names_the_same_file(offer: Offer) -> None:
    assume(len(encode_object(offer_to_object(offer))) <= OFFER_BYTES_MAX)
    assert parse_command(encode_command(offer_command(offer))).offer == offer
    nudged = parse_command(encode_nudge(offer)).offer
    assert nudged is not None
    assert (nudged.url, nudged.sha256, nudged.version, nudged.rollback) == (
        offer.url,
        offer.sha256,
        offer.version,
        offer.rollback,
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        parse_command(data)
    except Refused as refusal:
        assert refusal.code in CODES
