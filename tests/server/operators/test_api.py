import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from asgi_driver import Answered
from server_bench import FIRMWARE, OPERATOR_TOKEN, SKU, Bench, SignedBuild, build, report
from surefoot.server.tokens import token_sha256
from surefoot.signing.signers import FileSigner

# What one rollout tells and a list of them does not.
DETAIL = ("gates", "updating", "running", "way_back_rollout_id", "beside")


def put_image(bench: Bench, data: bytes, sha256: str | None = None) -> Answered:
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    return bench.call("PUT", f"/api/v1/images/{sha256}", token=OPERATOR_TOKEN, body=data)


def stored(bench: Bench, signed: SignedBuild) -> bool:
    return bench.services.blobs.size_bytes(signed.sha256) is not None


def edited(signed: SignedBuild, offset: int, value: bytes) -> SignedBuild:
    data = signed.data[:offset] + value + signed.data[offset + len(value) :]
    return SignedBuild(data=data, manifest=signed.manifest)


def test_the_whole_way_from_key_to_rollout(bench: Bench, signer: FileSigner) -> None:
    der = base64.b64encode(signer.public_key.der).decode()
    key = bench.operate("POST", "/keys", {"name": "build", "der_base64": der})
    assert (key.status, key.json["key_id"], key.json["state"]) == (201, signer.public_key.key_id, "active")
    signed = build(signer, "0.2.1")
    image = put_image(bench, signed.data)
    assert (image.status, image.json["version"], image.json["size_bytes"]) == (201, "0.2.1", len(signed.data))
    release = bench.operate("POST", "/releases", signed.release_body())
    assert (release.status, release.json["version"], release.json["sha256"]) == (201, "0.2.1", signed.sha256)
    rollout = bench.operate("POST", "/rollouts", {"release_id": release.json["release_id"]})
    assert (rollout.status, rollout.json["state"], rollout.json["phase_name"]) == (201, "running", "canary")
    assert bench.operate("GET", f"/rollouts/{rollout.json['rollout_id']}").json == rollout.json
    assert [entry["key_id"] for entry in bench.operate("GET", "/keys").json["keys"]] == [signer.public_key.key_id]
    assert bench.operate("GET", "/releases").json["releases"] == [release.json]
    assert bench.operate("GET", "/rollouts").json["rollouts"] == [rollout.json | dict.fromkeys(DETAIL)]


def test_a_rollout_is_paused_resumed_and_halted_with_a_reason(bench: Bench) -> None:
    bench.publish("0.2.1")
    path = "/rollouts/" + bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"}).json["rollout_id"]
    assert bench.operate("POST", f"{path}/pause", {"reason": "lunch"}).json["state"] == "paused"
    assert bench.operate("POST", f"{path}/pause", {"reason": "lunch"}).code == "refused-rollout-state"
    assert bench.operate("POST", f"{path}/resume", {"reason": "back"}).json["state"] == "running"
    assert bench.operate("POST", f"{path}/halt", {"reason": ""}).code == "refused-reason-missing"
    halted = bench.operate("POST", f"{path}/halt", {"reason": "smoke"}).json
    assert (halted["state"], halted["reason"]) == ("halted", "smoke")


def test_a_robot_is_enrolled_and_shown(bench: Bench) -> None:
    enrolled = bench.operate("POST", "/robots", {"robot_id": "robot-1", "sku": SKU})
    assert enrolled.status == 201
    assert enrolled.headers["cache-control"] == "no-store"
    assert bench.call("POST", "/v1/report", token=enrolled.json["token"], body=report("robot-1")).status == 200
    robot = bench.operate("GET", "/robots/robot-1").json
    assert (robot["running_version"], robot["status"]) == ("0.2.0", "unassigned")
    assert robot["report"]["boot"] == 1
    assert "token" not in json.dumps(robot)


def test_who_brings_a_token_s_digest_keeps_the_token(bench: Bench) -> None:
    body = {"robot_id": "robot-1", "sku": SKU, "token_sha256": token_sha256("my own")}
    assert bench.operate("POST", "/robots", body).json["token"] is None
    assert bench.call("POST", "/v1/report", token="my own", body=report("robot-1")).status == 200
    again = bench.operate("POST", "/robots", {**body, "robot_id": "robot-2"})
    assert (again.status, again.code) == (409, "refused-token-exists")


def test_a_robot_is_enrolled_once(bench: Bench) -> None:
    bench.enrol("robot-1")
    answer = bench.operate("POST", "/robots", {"robot_id": "robot-1", "sku": SKU})
    assert (answer.status, answer.code) == (409, "refused-robot-exists")


def test_robots_are_listed_page_by_page(bench: Bench) -> None:
    for number in range(5):
        bench.enrol(f"robot-{number}")
    seen, after = [], ""
    for _ in range(3):
        page = bench.operate("GET", f"/robots?limit=2&after={after}").json
        seen += [robot["robot_id"] for robot in page["robots"]]
        after = page["next_after"]
    assert seen == [f"robot-{number}" for number in range(5)]
    assert after is None


def test_releases_are_listed_page_by_page_the_newest_first(bench: Bench) -> None:
    for version in ("0.2.0", "0.2.1", "0.2.2"):
        bench.publish(version)
    first = bench.operate("GET", "/releases?limit=2").json
    rest = bench.operate("GET", f"/releases?limit=2&after={first['next_after']}").json
    assert [release["version"] for release in first["releases"]] == ["0.2.2", "0.2.1"]
    assert [release["version"] for release in rest["releases"]] == ["0.2.0"]
    assert rest["next_after"] is None


def test_robots_are_found_by_the_beginning_of_their_ids_page_by_page(bench: Bench) -> None:
    for robot_id in ("arm", "arm-1", "arm-2", "arm-3", "armada", "leg-1"):
        bench.enrol(robot_id)

    def found(beginning: str, after: str = "", limit: int = 2) -> list[str]:
        page = bench.operate("GET", f"/robots?beginning={beginning}&limit={limit}&after={after}").json
        ids = [robot["robot_id"] for robot in page["robots"]]
        return ids + found(beginning, page["next_after"], limit) if page["next_after"] else ids

    assert found("arm-") == ["arm-1", "arm-2", "arm-3"]
    assert found("arm") == found("arm", limit=100) == ["arm", "arm-1", "arm-2", "arm-3", "armada"]
    assert found("arm", limit=1) == found("arm")
    assert (found("leg-1"), found("z"), len(found(""))) == (["leg-1"], [], 6)


@pytest.mark.parametrize("path", ["/robots/none", "/rollouts/none", "/nothing"])
def test_what_is_not_there_is_not_found(bench: Bench, path: str) -> None:
    answer = bench.operate("GET", path)
    assert answer.status == 404
    assert answer.code.startswith("not-found-")


@pytest.mark.parametrize("token", [None, "wrong", "operator-token-for-test"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/robots"), ("POST", "/robots"), ("PUT", f"/images/{'0' * 64}")])
def test_without_the_operator_s_token_nothing_is_read_or_changed(
    bench: Bench, method: str, path: str, token: str | None
) -> None:
    answer = bench.call(method, f"/api/v1{path}", token=token, body=b"x" * 100_000)
    assert (answer.status, answer.code) == (401, "refused-token")


def test_a_robot_s_token_opens_nothing_here(bench: Bench) -> None:
    assert bench.call("GET", "/api/v1/robots", token=bench.enrol("robot-1")).status == 401


def test_an_image_cut_short_is_refused(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    signed = build(signer, "0.2.1")
    for size_bytes in (0, 1, 135, 136, len(signed.data) - 1):
        short = SignedBuild(data=signed.data[:size_bytes], manifest=signed.manifest)
        assert put_image(bench, short.data).code == "refused-image-format"
        assert not stored(bench, short)


@pytest.mark.parametrize(
    ("offset", "code"),
    [(136, "refused-digest"), (12, "refused-digest"), (44, "refused-signature"), (107, "refused-signature")],
)
def test_a_flipped_bit_is_refused(bench: Bench, signer: FileSigner, offset: int, code: str) -> None:
    bench.trust(signer)
    signed = build(signer, "0.2.1")
    flipped = edited(signed, offset, bytes([signed.data[offset] ^ 1]))
    answer = put_image(bench, flipped.data)
    assert (answer.status, answer.code) == (422, code)
    assert not stored(bench, flipped)


def test_an_image_of_a_stranger_s_key_is_refused(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    foreign = build(FileSigner(ec.generate_private_key(ec.SECP256R1())), "0.2.1")
    assert put_image(bench, foreign.data).code == "refused-signature"
    assert not stored(bench, foreign)


def test_bytes_sent_under_another_sha256_are_refused(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    signed = build(signer, "0.2.1")
    assert put_image(bench, signed.data, "0" * 64).code == "refused-sha256"
    assert not stored(bench, signed)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_image_too_large_is_refused(bench: Bench, chunked: bool) -> None:
    data = bytes(bench.services.settings.image_bytes_max + 1)
    body = [data[:-1], data[-1:]] if chunked else data
    answer = bench.call("PUT", f"/api/v1/images/{'0' * 64}", token=OPERATOR_TOKEN, body=body)
    assert (answer.status, answer.code) == (413, "refused-body-too-large")


def test_a_header_version_edited_upwards_cannot_be_published(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    signed = build(signer, "0.2.1")
    raised = edited(signed, 4, (9 << 16).to_bytes(4, "little"))
    # The signature does not cover the header, so the image itself passes; the signed manifest tells the truth.
    assert put_image(bench, raised.data).json["version"] == "9.0.0"
    answer = bench.operate("POST", "/releases", raised.release_body())
    assert (answer.status, answer.code) == (422, "refused-manifest-mismatch")
    assert bench.operate("GET", "/releases").json["releases"] == []


def test_a_manifest_edited_or_of_another_sku_cannot_be_published(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    signed = build(signer, "0.2.1")
    put_image(bench, signed.data)
    body = signed.release_body()
    body["manifest"]["payload"] = body["manifest"]["payload"].replace("0.2.1", "0.9.1")
    assert bench.operate("POST", "/releases", body).code == "refused-manifest-signature"
    assert bench.operate("POST", "/releases", signed.release_body(sku="other")).code == "refused-manifest-mismatch"
    assert bench.operate("GET", "/releases").json["releases"] == []


def test_an_image_that_never_came_cannot_be_published(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    answer = bench.operate("POST", "/releases", build(signer, "0.2.1").release_body())
    assert (answer.status, answer.code) == (404, "not-found-image")


def test_publishing_again_is_the_same_release(bench: Bench, signer: FileSigner) -> None:
    bench.trust(signer)
    signed, other = build(signer, "0.2.1"), build(signer, "0.2.1", firmware=FIRMWARE + b"!")
    for image in (signed, other):
        put_image(bench, image.data)
    first = bench.operate("POST", "/releases", signed.release_body()).json
    assert bench.operate("POST", "/releases", signed.release_body()).json == first
    conflict = bench.operate("POST", "/releases", other.release_body())
    assert (conflict.status, conflict.code) == (409, "refused-release-exists")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'"secret"', b'{"robot_id": 5, "sku": "s"}', b'{"robot": "secret"}']
)
def test_a_malformed_request_is_refused_without_repeating_it(bench: Bench, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = bench.call("POST", "/api/v1/robots", token=OPERATOR_TOKEN, headers=headers, body=body)
    assert (answer.status, answer.code) == (400, "refused-request-format")
    assert b"secret" not in answer.body


def test_a_malformed_plan_is_refused(bench: Bench) -> None:
    bench.publish("0.2.1")
    answer = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": {"phases": []}})
    assert (answer.status, answer.code) == (400, "refused-plan-format")


def test_a_request_too_large_is_refused(bench: Bench) -> None:
    answer = bench.operate("POST", "/robots", {"robot_id": "x" * 20_000, "sku": SKU})
    assert (answer.status, answer.code) == (413, "refused-body-too-large")


def test_a_wrong_method_is_told_the_right_ones(bench: Bench) -> None:
    answer = bench.operate("DELETE", "/keys")
    assert (answer.status, answer.code) == (405, "refused-method")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(bench: Bench, path: str) -> None:
    answer = bench.call("GET", path)
    assert (answer.status, answer.json["status"]) == (200, "ok")


def test_a_server_without_its_database_is_alive_and_not_ready(bench: Bench) -> None:
    bench.services.store.close()
    assert bench.call("GET", "/healthz").status == 200
    assert bench.call("GET", "/readyz").status == 500


def test_the_description_lists_every_path_and_loads_nothing(bench: Bench) -> None:
    description = bench.call("GET", "/api/v1/openapi.json").json
    assert description["openapi"].startswith("3.1")
    assert {"/api/v1/robots", "/api/v1/images/{sha256}", "/api/v1/rollouts/{rollout_id}/{change}"} <= set(
        description["paths"]
    )
    assert description["components"]["securitySchemes"]
    for page in ("/docs", "/redoc"):
        assert bench.call("GET", page).code == "not-found-path"
