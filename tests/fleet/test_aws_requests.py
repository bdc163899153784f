"""What devices ask of the Jobs service is read as leniently as their firmware needs, and no more."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.aws_requests import Operation, parse_request, parse_topic
from surefoot.fleet.aws_words import JobsError, JobsErrorCode, JobStatus


@pytest.mark.parametrize(
    ("rest", "operation", "job_id", "base"),
    [
        ("get", Operation.GET_PENDING, None, "get"),
        ("start-next", Operation.START_NEXT, None, "start-next"),
        ("$next/get", Operation.DESCRIBE, "$next", "$next/get"),
        ("AFR_OTA-1/get", Operation.DESCRIBE, "AFR_OTA-1", "AFR_OTA-1/get"),
        ("AFR_OTA-1/update", Operation.UPDATE, "AFR_OTA-1", "AFR_OTA-1/update"),
    ],
)
def test_request_topics_are_told_apart(rest: str, operation: Operation, job_id: str | None, base: str) -> None:
    topic = parse_topic(f"$aws/things/robot-1/jobs/{rest}")
    assert topic is not None
    assert (topic.thing, topic.operation, topic.job_id) == ("robot-1", operation, job_id)
    assert topic.base == f"$aws/things/robot-1/jobs/{base}"


@pytest.mark.parametrize(
    "topic",
    [
        "$aws/things/robot-1/jobs/get/accepted",
        "$aws/things/robot-1/jobs/notify-next",
        "$aws/things/robot-1/jobs/$next/update",
        "$aws/things//jobs/get",
        "$aws/things/robot-1/streams/s/get/cbor",
        "$aws/things/ro bot/jobs/get",
        f"$aws/things/robot-1/jobs/{'a' * 65}/get",
        "fleet/robot-1/report",
    ],
)
def test_what_is_no_request_is_left_alone(topic: str) -> None:
    assert parse_topic(topic) is None


def test_numbers_may_come_as_texts() -> None:
    body = b'{"status":"IN_PROGRESS","expectedVersion":"2","executionNumber":1,"includeJobExecutionState":true}'
    request = parse_request(Operation.UPDATE, body)
    assert (request.status, request.expected_version, request.execution_number) == (JobStatus.IN_PROGRESS, 2, 1)
    assert request.wants_state and not request.wants_document


def test_a_document_comes_with_a_description_unless_it_is_not_wanted() -> None:
    assert parse_request(Operation.DESCRIBE, b"").wants_document
    assert not parse_request(Operation.DESCRIBE, b'{"includeJobDocument":false}').wants_document


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", JobsErrorCode.INVALID_JSON),
        (b"[]", JobsErrorCode.INVALID_JSON),
        (b"\xff", JobsErrorCode.INVALID_JSON),
        (b"[" * 100_000, JobsErrorCode.INVALID_REQUEST),
        (b"[" * 20_000, JobsErrorCode.INVALID_JSON),
        (b"{}", JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"QUEUED"}', JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"FAILED","statusDetails":{"a":""}}', JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"FAILED","statusDetails":{"a":1}}', JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"FAILED","statusDetails":{"a":"\\ud800"}}', JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"FAILED","expectedVersion":"two"}', JobsErrorCode.INVALID_REQUEST),
        (b'{"status":"FAILED","expectedVersion":-1}', JobsErrorCode.INVALID_REQUEST),
    ],
)
def test_what_is_wrong_is_rejected_by_its_code(body: bytes, code: JobsErrorCode) -> None:
    with pytest.raises(JobsError) as caught:
        parse_request(Operation.UPDATE, body)
    assert caught.value.code is code


def test_a_rejection_gives_the_client_token_back() -> None:
    with pytest.raises(JobsError) as caught:
        parse_request(Operation.UPDATE, b'{"clientToken":"t-1","status":"NO"}')
    assert caught.value.client_token == "t-1"


@given(st.binary(max_size=300), st.sampled_from(Operation))
def test_no_bytes_do_more_than_be_rejected(data: bytes, operation: Operation) -> None:
    with contextlib.suppress(JobsError):
        parse_request(operation, data)
