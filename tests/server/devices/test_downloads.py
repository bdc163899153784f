"""The limit of downloads as robots meet it, and images that are recalled or lie elsewhere."""

from dataclasses import replace

import pytest

from asgi_driver import call
from server_bench import NOW_S, SKU, Bench, SignedBuild
from surefoot.fleet.model import Release
from surefoot.server.composition import Application
from surefoot.store.blobs import DirectoryBlobs


@pytest.fixture
def fleet(bench: Bench) -> Bench:
    settings = bench.services.settings.model_copy(update={"downloads_per_day": 2})
    services = replace(bench.services, settings=settings)
    return replace(bench, services=services, app=Application(services))


def test_the_download_over_the_limit_is_told_when_to_come_back(fleet: Bench) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    target = f"/v1/images/{signed.sha256}"
    assert [fleet.call("GET", target, token=token).status for _ in range(2)] == [200, 200]
    refused = fleet.call("GET", target, token=token, headers={"range": "bytes=0-0"})
    assert (refused.status, refused.code) == (429, "refused-download-limit")
    assert 0 < int(refused.headers["retry-after"]) <= 86400
    assert fleet.call("GET", target, token=fleet.enrol("robot-2")).status == 200


def test_ranges_of_one_file_are_one_download(fleet: Bench) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    step = len(signed.data) // 8 + 1
    for first in [*range(0, len(signed.data), step)] * 2:
        headers = {"range": f"bytes={first}-{first + step - 1}"}
        assert fleet.call("GET", f"/v1/images/{signed.sha256}", token=token, headers=headers).status == 206
    assert fleet.call("GET", f"/v1/images/{signed.sha256}", token=token).status == 429


def test_a_download_that_broke_off_is_charged_for_what_was_sent(fleet: Bench) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    target = f"/v1/images/{signed.sha256}"
    for _ in range(4):
        assert fleet.call("GET", target, token=token, hang_up=True).status == 200
    assert fleet.call("GET", target, token=token).status == 200


@pytest.mark.parametrize(("method", "headers"), [("HEAD", {}), ("GET", {"if-none-match": "*"})])
def test_what_sends_no_bytes_is_no_download(fleet: Bench, method: str, headers: dict[str, str]) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    for _ in range(5):
        assert fleet.call(method, f"/v1/images/{signed.sha256}", token=token, headers=headers).status in {200, 304}
    assert fleet.call("GET", f"/v1/images/{signed.sha256}", token=token).status == 200


def recall(fleet: Bench, version: str) -> None:
    def work(rows: object) -> None:
        release = rows.get(Release, f"release-{version}")  # type: ignore[attr-defined]
        rows.put(replace(release, recalled_at_s=NOW_S))  # type: ignore[attr-defined]

    fleet.services.store.submit(work).result()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_recalled_image_is_gone(fleet: Bench, method: str) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    recall(fleet, "0.2.1")
    headers = {"if-none-match": f'"{signed.sha256}"'}
    answer = fleet.call(method, f"/v1/images/{signed.sha256}", token=token, headers=headers)
    assert (answer.status, answer.code) == (410, "gone-recalled")


class Elsewhere(DirectoryBlobs):
    """Its files have addresses, good for as long as they say."""

    def redirect_url(self, sha256: str, valid_s: int) -> str | None:
        return f"https://store.test/{sha256}?valid_s={valid_s}"


def test_an_image_that_lies_elsewhere_is_redirected_and_counted_once_while_the_address_is_good(fleet: Bench) -> None:
    signed, token = fleet.publish("0.2.1"), fleet.enrol("robot-1")
    now_s = [NOW_S]
    services = replace(
        fleet.services, blobs=Elsewhere(fleet.services.settings.data_dir / "images"), now_s=lambda: now_s[0]
    )
    app, seen = Application(services), []
    for _ in range(3):
        answer = call(app, "GET", f"/v1/images/{signed.sha256}", token=token, headers={"range": "bytes=7-"})
        assert answer.headers["cache-control"] == "no-store"
        seen.append((answer.status, answer.headers["location"].partition("=")[2]))
        now_s[0] += 600
    assert seen == [(307, "3600"), (307, "3000"), (307, "2400")]
    now_s[0] += 3600
    assert call(app, "GET", f"/v1/images/{signed.sha256}", token=token).status == 307
    now_s[0] += 3601
    assert call(app, "GET", f"/v1/images/{signed.sha256}", token=token).status == 429


def manifest(fleet: Bench, **headers: str) -> tuple[int, object]:
    answer = fleet.call("GET", f"/v1/manifest/{SKU}", headers=headers)
    return answer.status, answer.json if answer.status == 200 else None


def envelope(signed: SignedBuild) -> object:
    return signed.release_body()["manifest"]


def set_stable(fleet: Bench, version: str) -> None:
    def work(rows: object) -> None:
        rows.put(replace(rows.get(Release, f"release-{version}"), stable=True))  # type: ignore[attr-defined]

    fleet.services.store.submit(work).result()


def test_the_manifest_is_of_the_newest_release_until_one_is_stable(fleet: Bench) -> None:
    assert fleet.call("GET", f"/v1/manifest/{SKU}").code == "not-found-release"
    old, new = fleet.publish("0.2.1"), fleet.publish("0.3.0")
    assert manifest(fleet)[1] == envelope(new)
    set_stable(fleet, "0.2.1")
    assert manifest(fleet)[1] == envelope(old)
    recall(fleet, "0.2.1")
    assert manifest(fleet)[1] == envelope(new)


def test_the_manifest_may_be_kept_by_anyone_and_is_the_same_for_everyone(fleet: Bench) -> None:
    fleet.publish("0.2.1")
    plain = fleet.call("GET", f"/v1/manifest/{SKU}")
    assert plain.headers["cache-control"].startswith("public")
    assert fleet.call("GET", f"/v1/manifest/{SKU}", token=fleet.enrol("robot-1")).body == plain.body
    assert manifest(fleet, **{"if-none-match": plain.headers["etag"]}) == (304, None)
    head = fleet.call("HEAD", f"/v1/manifest/{SKU}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(plain.body)))
