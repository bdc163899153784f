from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.errors import Refused
from surefoot.wire.report import Report, encode_report, parse_report, report_from_object, report_to_object
from wire.strategies import REPORTS, spoilt
from wire.wire_case import REPORT


@given(REPORTS)
def test_any_report_comes_back_as_it_was(report: Report) -> None:
    assert parse_report(encode_report(report)) == report


@given(st.binary(max_size=300))
def test_any_bytes_are_a_report_or_refused(data: bytes) -> None:
    try:
        parse_report(data)
    except Refused as refusal:
        assert refusal.code == "refused-report-format"


@given(spoilt(report_to_object(REPORT)))
def test_a_spoilt_report_is_refused_or_what_was_taken_can_be_stored_and_sent_on(source: Any) -> None:
    try:
        report = report_from_object(source)
    except Refused as refusal:
        assert refusal.code == "refused-report-format"
    else:
        assert parse_report(encode_report(report)) == report
        texts = [report.running.version, report.companion_version, report.version_floor, report.robot_id, report.sku]
        assert all("\0" not in text and text.encode() for text in texts if text is not None)
