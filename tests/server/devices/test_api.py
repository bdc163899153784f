from dataclasses import replace

import pytest

from asgi_driver import call
from server_bench import SKU, Bench, build, report
from surefoot.server.composition import Application
from surefoot.server.devices.pieces import PIECE_BYTES
from surefoot.store.blobs import DirectoryBlobs
from surefoot.wire import limits
from surefoot.wire.errors import Damaged

pytestmark = pytest.mark.every_database


def start_rollout(bench: Bench, version: str = "0.2.1") -> str:
    signed = bench.publish(version)
    body = {"release_id": f"release-{version}", "plan": {"phases": [{"name": "full", "percent": 100, "soak_s": 0}]}}
    assert bench.operate("POST", "/rollouts", body).status == 201
    return signed.sha256


def facts_of(bench: Bench, robot_id: str) -> object:
    return bench.services.store.read(lambda rows: rows.facts(robot_id))


def test_a_report_is_stored_and_answered(bench: Bench) -> None:
    token = bench.enrol("robot-1")
    answer = bench.call("POST", "/v1/report", token=token, body=report("robot-1"))
    assert answer.status == 200
    assert answer.json["order"] is None and answer.json["acknowledged"] is None
    assert answer.json["next_check_s"] > 0
    assert facts_of(bench, "robot-1") is not None


@pytest.mark.parametrize("path", ["/v1/check", "/v1/report"])
def test_a_report_is_answered_with_the_offer(bench: Bench, path: str) -> None:
    token = bench.enrol("robot-1")
    sha256 = start_rollout(bench)
    order = bench.call("POST", path, token=token, body=report("robot-1")).json["order"]
    assert order["url"] == f"https://fleet.test/v1/images/{sha256}"
    assert order["version"] == "0.2.1"


def test_a_question_is_answered_with_the_offer_or_with_nothing(bench: Bench) -> None:
    token = bench.enrol("robot-1")
    nothing = bench.call("GET", f"/v1/check?sku={SKU}&version=0.2.0", token=token)
    assert (nothing.status, nothing.body) == (204, b"")
    assert int(nothing.headers["retry-after"]) > 0
    sha256 = start_rollout(bench)
    offer = bench.call("GET", f"/v1/check?sku={SKU}&version=0.2.0", token=token)
    assert offer.status == 200
    assert offer.json["sha256"] == sha256
    assert bench.call("GET", f"/v1/check?sku={SKU}&version=0.2.1", token=token).status == 204


@pytest.mark.parametrize("query", ["", "?sku=standard", "?version=0.2.0", "?sku=a&sku=b&version=0.2.0"])
def test_a_question_without_sku_and_version_is_refused(bench: Bench, query: str) -> None:
    answer = bench.call("GET", f"/v1/check{query}", token=bench.enrol("robot-1"))
    assert (answer.status, answer.code) == (400, "refused-query-format")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Basic dXNlcjpwYXNz"}, {"authorization": "Bearer "}, {"authorization": "Bearer unknown"}],
)
@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/check"), ("POST", "/v1/check"), ("POST", "/v1/report"), ("GET", f"/v1/images/{'0' * 64}")],
)
def test_a_stranger_is_refused_before_anything_is_read_or_written(
    bench: Bench, method: str, target: str, headers: dict[str, str]
) -> None:
    bench.enrol("robot-1")
    answer = bench.call(method, target, headers=headers, body=report("robot-1"))
    assert (answer.status, answer.code) == (401, "refused-token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert facts_of(bench, "robot-1") is None


def test_a_robot_cannot_speak_for_another(bench: Bench) -> None:
    bench.enrol("robot-1")
    answer = bench.call("POST", "/v1/report", token=bench.enrol("robot-2"), body=report("robot-1"))
    assert (answer.status, answer.code) == (403, "refused-robot-mismatch")
    assert facts_of(bench, "robot-1") is None and facts_of(bench, "robot-2") is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000, report("robot-1", seq=-1)])
def test_a_malformed_report_is_refused(bench: Bench, body: bytes) -> None:
    answer = bench.call("POST", "/v1/report", token=bench.enrol("robot-1"), body=body)
    assert (answer.status, answer.code) == (400, "refused-report-format")
    assert facts_of(bench, "robot-1") is None


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_is_refused_announced_or_not(bench: Bench, chunked: bool) -> None:
    body = report("robot-1", companion_version="x" * limits.REPORT_BYTES_MAX)
    sent = [body[:4000], body[4000:]] if chunked else body
    answer = bench.call("POST", "/v1/report", token=bench.enrol("robot-1"), body=sent)
    assert (answer.status, answer.code) == (413, "refused-body-too-large")
    assert answer.headers["connection"] == "close"
    assert facts_of(bench, "robot-1") is None


def test_a_body_of_the_greatest_size_is_taken(bench: Bench) -> None:
    body = report("robot-1").ljust(limits.REPORT_BYTES_MAX)
    assert bench.call("POST", "/v1/report", token=bench.enrol("robot-1"), body=[body[:1], body[1:]]).status == 200


def test_an_unknown_path_is_not_found(bench: Bench) -> None:
    answer = bench.call("GET", "/v1/nothing")
    assert (answer.status, answer.code) == (404, "not-found-path")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/v1/check", "GET, POST"), ("GET", "/v1/report", "POST"), ("PUT", "/v1/images/x", "GET, HEAD")],
)
def test_a_wrong_method_is_told_the_right_ones(bench: Bench, method: str, path: str, allowed: str) -> None:
    answer = bench.call(method, path)
    assert (answer.status, answer.code) == (405, "refused-method")
    assert answer.headers["allow"] == allowed


def test_an_image_is_sent_whole_in_pieces(bench: Bench) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    answer = bench.call("GET", f"/v1/images/{signed.sha256}", token=token)
    assert (answer.status, answer.body) == (200, signed.data)
    assert max(len(piece) for piece in answer.pieces) == PIECE_BYTES
    assert answer.headers["content-length"] == str(len(signed.data))
    assert answer.headers["etag"] == f'"{signed.sha256}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (1, 200_000), (PIECE_BYTES, PIECE_BYTES), (300_000, 10_000_000)])
def test_a_range_is_exactly_those_bytes(bench: Bench, first: int, last: int) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    headers = {"range": f"bytes={first}-{last}"}
    answer = bench.call("GET", f"/v1/images/{signed.sha256}", token=token, headers=headers)
    expected = signed.data[first : last + 1]
    assert (answer.status, answer.body) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(signed.data)}"
    assert answer.headers["content-length"] == str(len(expected))


def test_a_range_past_the_end_is_told_the_size(bench: Bench) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    headers = {"range": f"bytes={len(signed.data)}-"}
    answer = bench.call("GET", f"/v1/images/{signed.sha256}", token=token, headers=headers)
    assert (answer.status, answer.code) == (416, "refused-range")
    assert answer.headers["content-range"] == f"bytes */{len(signed.data)}"


def test_a_range_of_another_file_than_the_one_begun_is_the_whole_file(bench: Bench) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    target, asked = f"/v1/images/{signed.sha256}", {"range": "bytes=5-"}
    same = bench.call("GET", target, token=token, headers={**asked, "if-range": f'"{signed.sha256}"'})
    other = bench.call("GET", target, token=token, headers={**asked, "if-range": '"another"'})
    assert (same.status, other.status) == (206, 200)


def test_an_image_already_held_is_not_sent_again(bench: Bench) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    headers = {"if-none-match": f'"{signed.sha256}"', "range": "bytes=0-1"}
    answer = bench.call("GET", f"/v1/images/{signed.sha256}", token=token, headers=headers)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == f'"{signed.sha256}"'


def test_head_says_the_size_and_sends_nothing(bench: Bench) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    answer = bench.call("HEAD", f"/v1/images/{signed.sha256}", token=token, headers={"range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(signed.data))


@pytest.mark.parametrize("name", ["", "0" * 64, "A" * 64, "..", "../../operator.token", "0" * 63 + "/"])
def test_what_is_no_published_image_is_not_found(bench: Bench, name: str) -> None:
    answer = bench.call("GET", f"/v1/images/{name}", token=bench.enrol("robot-1"))
    assert (answer.status, answer.code) == (404, "not-found-image")


def test_an_image_that_is_not_published_is_not_served(bench: Bench) -> None:
    signed = build(bench.signer, "0.2.1")
    bench.services.blobs.put(signed.sha256, signed.data)
    answer = bench.call("GET", f"/v1/images/{signed.sha256}", token=bench.enrol("robot-1"))
    assert (answer.status, answer.code) == (404, "not-found-image")


class FailingDisk(DirectoryBlobs):
    """Its bytes from `good_bytes` on cannot be read; counts what was asked for."""

    good_bytes = 10**9
    asked = 0

    def read(self, sha256: str, offset_bytes: int, length_bytes: int) -> bytes:
        self.asked += 1
        if offset_bytes + length_bytes > self.good_bytes:
            raise Damaged("damaged-blob", "The disk is broken: restore a backup.")
        return super().read(sha256, offset_bytes, length_bytes)


@pytest.fixture
def disk(bench: Bench) -> FailingDisk:
    return FailingDisk(bench.services.settings.data_dir / "images")


def test_damage_found_amid_a_download_cuts_it_short(
    bench: Bench, disk: FailingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    disk.good_bytes = PIECE_BYTES
    app = Application(replace(bench.services, blobs=disk))
    answer = call(app, "GET", f"/v1/images/{signed.sha256}", token=token)
    # No empty last message: the connection is closed, so nobody takes the piece for the whole.
    assert answer.pieces == (signed.data[:PIECE_BYTES],)
    assert answer.headers["content-length"] == str(len(signed.data))
    assert "download-cut" in caplog.text


def test_a_download_stops_when_nobody_listens_any_more(bench: Bench, disk: FailingDisk) -> None:
    signed, token = bench.publish("0.2.1"), bench.enrol("robot-1")
    app = Application(replace(bench.services, blobs=disk))
    answer = call(app, "GET", f"/v1/images/{signed.sha256}", token=token, hang_up=True)
    assert len(answer.body) < len(signed.data)
    assert disk.asked == 1


def test_tokens_are_nowhere_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = bench.enrol("robot-1")
    bench.call("POST", "/v1/report", token=token, body=report("robot-1"))
    bench.call("POST", "/v1/report", token="a-wrong-token", body=report("robot-1"))
    assert token not in caplog.text and "a-wrong-token" not in caplog.text


def test_a_repeated_or_late_report_changes_nothing_and_a_late_one_is_told_so(bench: Bench) -> None:
    token = bench.enrol("robot-1")
    first = bench.call("POST", "/v1/report", token=token, body=report("robot-1", seq=7))
    facts = facts_of(bench, "robot-1")
    assert bench.call("POST", "/v1/report", token=token, body=report("robot-1", seq=7)).json == first.json
    late = bench.call("POST", "/v1/report", token=token, body=report("robot-1", seq=6)).json
    assert (first.json["stale"], late) == (False, {**first.json, "stale": True})
    assert facts_of(bench, "robot-1") == facts


def test_a_question_of_too_many_fields_is_refused(bench: Bench) -> None:
    token = bench.enrol("robot-1")
    answer = bench.call("GET", "/v1/check?sku=standard&version=0.1.0" + "&a=1" * 20, token=token)
    assert (answer.status, answer.code) == (400, "refused-query-format")
