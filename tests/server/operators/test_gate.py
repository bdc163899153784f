"""Whoever loses leave while a body is still on its way changes nothing with it."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from asgi_driver import Answered, call
from server.access_case import audit_log, make_account, make_session, make_token
from server_bench import NOW_S, Bench, build
from surefoot.fleet.access import ApiToken, Role
from surefoot.fleet.accounts import revoke_token, set_disabled, set_role
from surefoot.fleet.ports import Rows


def revoke_all(rows: Rows) -> None:
    for token in rows.find(ApiToken):
        revoke_token(rows, "test", token, NOW_S)


def lower(rows: Rows) -> None:
    set_role(rows, "test", "admin", Role.VIEWER, None, NOW_S)


def disable(rows: Rows) -> None:
    set_disabled(rows, "test", "admin", True, None, NOW_S)


LOSSES = pytest.mark.parametrize(
    ("lose", "code"),
    [(revoke_all, "refused-token"), (lower, "refused-permission"), (disable, "refused-token")],
)


def send_slowly(bench: Bench, lose: object, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answered:
    """Send a body in two pieces, between which whoever sends it loses its leave."""

    async def losing(scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receiving() -> Message:
            nonlocal received
            received += 1
            if received == 2:
                bench.services.store.submit(lose).result()  # type: ignore[arg-type]
            return await receive()

        await bench.app(scope, receiving, send)

    half = len(body) // 2
    return call(losing, method, path, headers=headers, body=[body[:half], body[half:]])


@LOSSES
def test_who_loses_leave_while_its_body_is_on_the_way_changes_nothing(bench: Bench, lose: object, code: str) -> None:
    token = make_token(bench, Role.ADMIN)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = send_slowly(bench, lose, "POST", "/api/v1/webhooks", b'{"url": "https://ops.test/in"}', headers)
    assert answer.code == code
    assert "webhook.create" not in [entry.action for entry in audit_log(bench)]


def test_a_session_that_ends_while_its_body_is_on_the_way_changes_nothing(bench: Bench) -> None:
    headers = make_session(bench, make_account(bench, "admin", Role.ADMIN)) | {"content-type": "application/json"}
    answer = send_slowly(bench, disable, "POST", "/api/v1/webhooks", b'{"url": "https://ops.test/in"}', headers)
    assert answer.code == "refused-session"
    assert "webhook.create" not in [entry.action for entry in audit_log(bench)]


@LOSSES
def test_who_loses_leave_while_its_image_is_on_the_way_stores_none(bench: Bench, lose: object, code: str) -> None:
    bench.trust(bench.signer)
    image, headers = build(bench.signer, "0.2.1"), {"authorization": f"Bearer {make_token(bench, Role.ADMIN)}"}
    answer = send_slowly(bench, lose, "PUT", f"/api/v1/images/{image.sha256}", image.data, headers)
    assert answer.code == code
    assert bench.services.blobs.size_bytes(image.sha256) is None
