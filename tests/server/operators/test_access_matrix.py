"""Every route of the operator plane against every way to ask: a table, and nothing outside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from server.access_case import make_account, make_session, make_token, send
from server_bench import NOW_S, SKU, Bench
from surefoot.fleet.access import PERMISSIONS_OF, Permission, Role
from surefoot.server.operators.api import make_operator_app
from surefoot.server.operators.gate import METRICS_PATH, OPEN_PATHS
from surefoot.server.operators.openapi import permissions

READ, PUBLISH, OPERATE = Permission.READ, Permission.PUBLISH, Permission.OPERATE
APPROVE, ADMIN = Permission.APPROVE, Permission.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request to a route, the permission it takes, and the status for whoever has it."""

    needs: Permission
    status: int
    body: Any = None
    path: str | None = None


REASON = {"reason": "test"}
# Requests that need no preparation: where there is nothing yet, who is let through hears just that.
TABLE = {
    ("GET", "/robots"): Case(needs=READ, status=200),
    ("POST", "/robots"): Case(needs=OPERATE, status=422, body={"robot_id": "not an id", "sku": SKU}),
    ("GET", "/robots/{robot_id}"): Case(needs=READ, status=404, path="/robots/none"),
    ("POST", "/robots/{robot_id}/revoke"): Case(needs=OPERATE, status=404, path="/robots/none/revoke", body=REASON),
    ("POST", "/enrolment-codes"): Case(needs=OPERATE, status=201, body={"robot_id": "robot-9", "sku": SKU}),
    ("GET", "/broker"): Case(needs=READ, status=200),
    ("GET", "/keys"): Case(needs=READ, status=200),
    ("POST", "/keys"): Case(needs=ADMIN, status=400, body={"name": "ci", "der_base64": "AAAA"}),
    ("GET", "/rotations"): Case(needs=READ, status=200),
    ("POST", "/rotations"): Case(needs=ADMIN, status=404, body={"key_id": "none", "reason": "test"}),
    ("GET", "/rotations/{rotation_id}"): Case(needs=READ, status=404, path="/rotations/none"),
    ("POST", "/rotations/{rotation_id}/new-key"): Case(
        needs=ADMIN, status=404, path="/rotations/none/new-key", body={"name": "ci", "der_base64": "AAAA"}
    ),
    ("POST", "/rotations/{rotation_id}/transitions"): Case(
        needs=ADMIN, status=400, path="/rotations/none/transitions", body={}
    ),
    ("POST", "/rotations/{rotation_id}/exclusions"): Case(
        needs=ADMIN, status=404, path="/rotations/none/exclusions", body={"robot_id": "none", "reason": "test"}
    ),
    ("POST", "/rotations/{rotation_id}/verify"): Case(needs=ADMIN, status=404, path="/rotations/none/verify", body={}),
    ("POST", "/rotations/{rotation_id}/destroy"): Case(
        needs=ADMIN, status=404, path="/rotations/none/destroy", body={}
    ),
    ("POST", "/rotations/{rotation_id}/cancel"): Case(
        needs=ADMIN, status=404, path="/rotations/none/cancel", body=REASON
    ),
    ("PUT", "/images/{sha256}"): Case(needs=PUBLISH, status=422, path=f"/images/{'0' * 64}"),
    ("GET", "/releases"): Case(needs=READ, status=200),
    ("POST", "/releases"): Case(needs=PUBLISH, status=400, body={}),
    ("POST", "/releases/{release_id}/recall"): Case(
        needs=OPERATE, status=404, path="/releases/none/recall", body=REASON
    ),
    ("GET", "/releases/{release_id}/warnings"): Case(needs=READ, status=404, path="/releases/none/warnings"),
    ("GET", "/metadata"): Case(needs=READ, status=422),
    ("POST", "/metadata"): Case(needs=PUBLISH, status=422, body={}),
    ("GET", "/rollouts"): Case(needs=READ, status=200),
    ("POST", "/rollouts"): Case(needs=OPERATE, status=404, body={"release_id": "none"}),
    ("GET", "/rollouts/{rollout_id}"): Case(needs=READ, status=404, path="/rollouts/none"),
    ("GET", "/rollouts/{rollout_id}/robots/waiting"): Case(
        needs=READ, status=404, path="/rollouts/none/robots/waiting"
    ),
    ("POST", "/rollouts/{rollout_id}/approve"): Case(
        needs=APPROVE, status=404, path="/rollouts/none/approve", body=REASON
    ),
    ("GET", "/pins"): Case(needs=READ, status=200),
    ("POST", "/robots/{robot_id}/pin"): Case(needs=OPERATE, status=404, path="/robots/none/pin", body=REASON),
    ("DELETE", "/robots/{robot_id}/pin"): Case(needs=OPERATE, status=404, path="/robots/none/pin"),
    ("POST", "/robots/{robot_id}/install"): Case(
        needs=OPERATE, status=404, path="/robots/none/install", body={"release_id": "none", **REASON}
    ),
    ("POST", "/robots/{robot_id}/time-zone"): Case(
        needs=OPERATE, status=404, path="/robots/none/time-zone", body={"zone": "Europe/Berlin"}
    ),
    ("POST", "/rollouts/{rollout_id}/{change}"): Case(
        needs=OPERATE, status=404, path="/rollouts/none/halt", body=REASON
    ),
    ("GET", "/incidents"): Case(needs=READ, status=200),
    ("GET", "/incidents/{incident_id}"): Case(needs=READ, status=404, path="/incidents/none"),
    ("POST", "/incidents/{incident_id}/notes"): Case(
        needs=OPERATE, status=404, path="/incidents/none/notes", body={"text": "test"}
    ),
    ("POST", "/incidents/{incident_id}/close"): Case(
        needs=OPERATE, status=404, path="/incidents/none/close", body=REASON
    ),
    ("GET", "/webhooks"): Case(needs=READ, status=200),
    ("POST", "/webhooks"): Case(needs=ADMIN, status=422, body={"url": "http://plain.test"}),
    ("DELETE", "/webhooks/{webhook_id}"): Case(needs=ADMIN, status=404, path="/webhooks/none"),
    ("GET", "/outbox"): Case(needs=READ, status=200),
    ("POST", "/outbox/{entry_id}/retry"): Case(needs=OPERATE, status=404, path="/outbox/none/retry", body={}),
    ("GET", "/fleet-metrics"): Case(needs=READ, status=200),
    ("GET", "/accounts"): Case(needs=ADMIN, status=200),
    ("POST", "/accounts"): Case(needs=ADMIN, status=409, body={"name": "target", "role": "viewer"}),
    ("GET", "/accounts/{name}"): Case(needs=ADMIN, status=200, path="/accounts/target"),
    ("POST", "/accounts/{name}/role"): Case(
        needs=ADMIN, status=200, path="/accounts/target/role", body={"role": "publisher"}
    ),
    ("POST", "/accounts/{name}/disable"): Case(needs=ADMIN, status=200, path="/accounts/target/disable", body={}),
    ("POST", "/accounts/{name}/enable"): Case(needs=ADMIN, status=200, path="/accounts/target/enable", body={}),
    ("POST", "/accounts/{name}/password"): Case(
        needs=ADMIN, status=200, path="/accounts/target/password", body={"password": "another good sentence"}
    ),
    ("GET", "/tokens"): Case(needs=READ, status=200),
    ("POST", "/tokens"): Case(needs=ADMIN, status=201, body={"label": "ci", "account": "target"}),
    ("DELETE", "/tokens/{token_id}"): Case(needs=READ, status=404, path="/tokens/none"),
    ("GET", "/session"): Case(needs=READ, status=200),
    ("DELETE", "/session"): Case(needs=READ, status=204),
    ("GET", "/audit"): Case(needs=READ, status=200),
}
OPEN = {
    ("GET", "/healthz"): 200,
    ("GET", "/readyz"): 200,
    # A setting opens it, and unless it does, a credential that may read is asked for.
    ("GET", "/metrics"): 401,
    ("GET", "/api/v1/docs"): 200,
    ("GET", "/api/v1/device-openapi.json"): 200,
    ("POST", "/api/v1/session/password"): 400,
    ("GET", "/api/v1/session/oidc"): 404,
    ("GET", "/api/v1/session/oidc/callback"): 404,
}


def routes(bench: Bench) -> Iterator[tuple[str, str, Permission | None]]:
    for path, method, permission in permissions(make_operator_app(bench.services)):
        yield method, path, permission


def test_every_route_is_in_the_table(bench: Bench) -> None:
    guarded = {(method, f"/api/v1{path}") for method, path in TABLE}
    assert {(method, path) for method, path, _ in routes(bench)} == guarded | OPEN.keys()


def test_every_route_names_the_permission_it_needs(bench: Bench) -> None:
    unnamed = {(method, path) for method, path, permission in routes(bench) if permission is None}
    assert unnamed == OPEN.keys()
    assert {path for _, path in unnamed} <= OPEN_PATHS | {METRICS_PATH}


@pytest.mark.parametrize(("method", "path"), OPEN, ids=lambda part: part)
def test_a_route_without_a_permission_answers_nobody_with_what_the_table_says(
    bench: Bench, method: str, path: str
) -> None:
    headers = {"content-type": "application/json"}
    assert bench.call(method, path, headers=headers).status == OPEN[method, path]


def ways(bench: Bench, case: Case, method: str) -> Iterator[tuple[str, dict[str, Any], tuple[int, str]]]:
    """Yield every way to ask by name, with its credentials and the status and code that it must get."""
    let_through, unknown = (case.status, ""), (401, "refused-token")
    not_allowed, other_site = (403, "refused-permission"), (403, "refused-csrf")
    yield "nobody", {}, unknown
    yield "a robot", {"token": bench.enrol("robot-1")}, unknown
    for role in Role:
        expected = let_through if case.needs in PERMISSIONS_OF[role] else not_allowed
        yield role, {"token": make_token(bench, role)}, expected
    for scope in Permission:
        if scope is not case.needs:
            yield f"an admin's token for {scope} only", {"token": make_token(bench, Role.ADMIN, scope)}, not_allowed
    yield "an expired token", {"token": make_token(bench, Role.ADMIN, expires_at_s=NOW_S)}, unknown
    yield "a revoked token", {"token": make_token(bench, Role.ADMIN, revoked_at_s=NOW_S - 1)}, unknown
    anna = make_account(bench, "anna", Role.ADMIN)
    yield "a session", {"headers": make_session(bench, anna)}, let_through
    for missing in ("x-csrf-token", "origin"):
        headers = make_session(bench, anna)
        del headers[missing]
        yield f"a session without {missing}", {"headers": headers}, let_through if method == "GET" else other_site
    headers = {**make_session(bench, anna), "origin": "https://evil.test"}
    yield "a session on another site's page", {"headers": headers}, let_through if method == "GET" else other_site


@pytest.mark.parametrize(("method", "path"), TABLE, ids=lambda part: part)
def test_every_way_to_ask_gets_what_the_table_says(bench: Bench, method: str, path: str) -> None:
    case = TABLE[method, path]
    make_account(bench, "target")
    for name, credential, expected in ways(bench, case, method):
        answer = send(bench, method, case.path or path, case.body, **credential)
        got = answer.status, answer.code if answer.status in {401, 403} else ""
        assert got == expected, f"{name} got {got}"
