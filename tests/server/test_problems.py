import msgspec
import pytest

from surefoot.server.problems import problem_of, problem_response, status_of
from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused, SurefootError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("refused-token", ""), 401),
        (Refused("refused-robot-mismatch", ""), 403),
        (Refused("not-found-robot", ""), 404),
        (Refused("refused-method", ""), 405),
        (Refused("refused-robot-exists", ""), 409),
        (Refused("refused-rollout-state", ""), 409),
        (Refused("refused-body-too-large", ""), 413),
        (Refused("refused-range", ""), 416),
        (Refused("refused-report-format", ""), 400),
        (Refused("refused-signature", ""), 422),
        (Interrupted("interrupted-body", ""), 408),
        (Interrupted("interrupted-store", ""), 503),
        (Damaged("damaged-blob", ""), 500),
        (Damaged("not-found-release", ""), 500),
        (Misuse("misuse-record", ""), 500),
    ],
)
def test_the_status_says_who_must_act(error: SurefootError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.parametrize("kind", [Interrupted, Damaged])
def test_strangers_do_not_hear_where_the_database_is(kind: type[SurefootError]) -> None:
    code = "interrupted-store" if kind is Interrupted else "damaged-store"
    said = 'connection failed: connection to server at "10.0.0.5", port 5432 failed: Connection refused'
    for message in (f"The database did not answer: see to it and retry. {said}", "The database did not answer: retry."):
        told = problem_of(kind(code, message), "GET /readyz").body
        assert b"10.0.0.5" not in told and b"5432" not in told
        assert b"The database did not answer" in told and b"retry. The server's log says more." in told


def test_the_problem_type_ends_in_the_code() -> None:
    response = problem_response(Refused("refused-signature", "No key signed it: sign it."))
    assert response.headers[b"content-type"] == b"application/problem+json"
    assert msgspec.json.decode(response.body) == {
        "type": "urn:surefoot:problem:refused-signature",
        "title": "Refused",
        "status": 422,
        "detail": "No key signed it: sign it.",
        "code": "refused-signature",
    }


def test_a_try_again_says_when() -> None:
    assert problem_response(Interrupted("interrupted-store", "")).headers[b"retry-after"] == b"5"


@pytest.mark.parametrize("error", [ValueError("a secret"), Misuse("misuse-rows", "a secret")])
def test_our_own_mistakes_are_logged_and_not_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    response = problem_of(error, "GET /v1/check")
    assert b"secret" not in response.body
    assert b"misuse-server" in response.body
    assert "a secret" in caplog.text
