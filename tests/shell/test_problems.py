"""What stands between a robot and its server may answer anything: it never stops the agent, and can be reported."""

import pytest

from surefoot.shell.problems import error_of, problem_of
from surefoot.wire.errors import Interrupted, Refused


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (429, Interrupted), (499, Refused), (500, Interrupted)])
def test_a_server_in_trouble_is_asked_again_and_any_other_believed(status: int, kind: type[Exception]) -> None:
    assert type(error_of(b"", status)) is kind


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"type": "captive portal: sign in"}', b'{"type": "\\u00e9"}', b"\xff"])
def test_a_problem_that_is_none_never_gives_a_code_that_no_journal_takes(body: bytes) -> None:
    assert problem_of(body, 502) == ("refused-answer-format", "The server answered with status 502.")


def test_what_a_problem_says_can_be_logged() -> None:
    assert problem_of(rb'{"type":"x:busy","detail":"no \ud800\u001b[2J"}', 502) == ("busy", "no ??[2J")
