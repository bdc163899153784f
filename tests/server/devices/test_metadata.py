"""Signed metadata as the server shows it, takes it, and keeps it fresh."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Root, Targets

from metadata_case import ONLINE, ROOT, STRANGER, TARGETS, keys, signed
from server_bench import NOW_S, OPERATOR_TOKEN, SKU, Bench, SignedBuild, build
from surefoot.fleet.documents import moment
from surefoot.fleet.metadata import TIMESTAMP_LIFETIME_S
from surefoot.server.composition import Application
from surefoot.server.devices.metadata import LOOK_S, Freshness
from surefoot.server.metadata_key import KEY_FILE, MetadataKey, ensure_metadata_key
from surefoot.signing import metadata as offline
from surefoot.wire.image_header import HEADER_BYTES, ImageHeader
from surefoot.wire.metadata import target_entry, target_path


class Case:
    """A bench whose server has a key of its own, and whose clock is told."""

    def __init__(self, bench: Bench) -> None:
        self.now_s = NOW_S
        services = replace(bench.services, metadata_key=MetadataKey(ONLINE), now_s=lambda: self.now_s)
        self.bench = Bench(services=services, app=Application(services), signer=bench.signer)
        self.root = offline.make_root(keys(ROOT), keys(TARGETS), ONLINE.public_key, moment(NOW_S))
        self.targets = offline.make_targets(moment(NOW_S))

    def send(self, **documents: bytes) -> Any:
        body = {role: data.decode() for role, data in documents.items()}
        return self.bench.operate("POST", "/metadata", body)

    def set_up(self) -> None:
        answer = self.send(root=signed(self.root, ROOT), targets=signed(self.targets, TARGETS))
        assert answer.status == 201, answer.body

    def shown(self, name: str, **options: Any) -> Any:
        return self.bench.call("GET", f"/v1/metadata/{name}", **options)

    def stored(self, version: str) -> SignedBuild:
        self.bench.trust(self.bench.signer)
        made = build(self.bench.signer, version)
        self.bench.services.blobs.put(made.sha256, made.data)
        return made

    def listing(self, made: SignedBuild) -> Metadata[Targets]:
        header = ImageHeader.parse(made.data[:HEADER_BYTES])
        entry = target_entry(SKU, header.version, header.digest, made.sha256, len(made.data), made.manifest)
        return offline.with_target(self.targets, target_path(SKU, header.version, "robo"), entry, moment(NOW_S))


@pytest.fixture
def case(bench: Bench) -> Case:
    return Case(bench)


def test_a_server_says_that_metadata_is_not_set_up(case: Case) -> None:
    status = case.bench.operate("GET", "/metadata").json
    assert (status["set_up"], status["documents"]) == (False, [])
    assert status["online_key_id"] == ONLINE.public_key.key_id
    assert case.shown("timestamp.json").code == "not-found-metadata"


def test_what_offline_keys_signed_is_shown_to_everyone_byte_for_byte(case: Case) -> None:
    case.set_up()
    assert case.shown("1.root.json").body == signed_again(case.root)
    assert case.shown("1.targets.json").status == 200
    status = case.bench.operate("GET", "/metadata").json
    assert [document["name"] for document in status["documents"]] == [
        "1.root.json",
        "1.targets.json",
        "1.snapshot.json",
        "timestamp.json",
    ]
    assert not any(document["expired"] for document in status["documents"])


def signed_again(document: Metadata[Any]) -> bytes:
    # Signatures differ from time to time: the document still has the ones it was sent with.
    return bytes(document.to_bytes())


def test_a_document_with_a_version_in_its_name_is_cached_and_the_timestamp_asked_for_anew(case: Case) -> None:
    case.set_up()
    root, timestamp = case.shown("1.root.json"), case.shown("timestamp.json")
    assert root.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert timestamp.headers["cache-control"] == "no-cache"
    again = case.shown("timestamp.json", headers={"if-none-match": timestamp.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    head = case.bench.call("HEAD", "/v1/metadata/1.root.json")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(root.body)))
    assert case.bench.call("POST", "/v1/metadata/1.root.json").code == "refused-method"


@pytest.mark.parametrize("name", ["2.root.json", "root.json", "", "../rows.db", "1.root.json/", "x" * 500])
def test_what_is_not_there_is_not_there(case: Case, name: str) -> None:
    case.set_up()
    answer = case.shown(name)
    assert answer.code == "not-found-metadata"
    assert answer.headers["cache-control"] == "no-store"


def test_sending_metadata_needs_an_operator(case: Case) -> None:
    assert case.bench.call("POST", "/api/v1/metadata", body=b"{}").code == "refused-token"
    forged = case.send(root=signed(case.root, STRANGER), targets=signed(case.targets, TARGETS))
    assert (forged.status, forged.code) == (422, "refused-metadata-signature")
    assert case.send(targets=signed(case.targets, TARGETS)).code == "refused-metadata-missing"
    assert case.send(root=b"\\ud800", targets=b"").status in (400, 422)


def test_a_release_and_the_list_that_names_it_are_stored_together_or_not_at_all(case: Case) -> None:
    case.set_up()
    made = case.stored("0.2.1")
    body = made.release_body()
    assert case.bench.operate("POST", "/releases", body).code == "refused-metadata-missing"
    forged = signed(case.listing(made), STRANGER).decode()
    assert case.bench.operate("POST", "/releases", {**body, "targets": forged}).code == "refused-metadata-signature"
    assert case.bench.operate("GET", "/releases").json["releases"] == []
    listing = signed(case.listing(made), TARGETS)
    assert case.bench.operate("POST", "/releases", {**body, "targets": listing.decode()}).status == 201
    assert case.shown("2.targets.json").body == listing
    assert case.bench.operate("POST", "/releases", body).status == 201, "it is published already"


def test_a_target_is_the_image_and_needs_the_token_that_the_image_needs(case: Case) -> None:
    made = case.bench.publish("0.2.1")
    token = case.bench.enrol("robot-1")
    path = f"/v1/targets/{SKU}/{made.sha256}.0.2.1.robo"
    assert case.bench.call("GET", path, token=token).body == made.data
    assert case.bench.call("GET", path).code == "refused-token"
    for other in (
        f"/v1/targets/{SKU}/{made.sha256}.0.2.2.robo",
        f"/v1/targets/heavy/{made.sha256}.0.2.1.robo",
        f"/v1/targets/{SKU}/{'0' * 64}.0.2.1.robo",
        f"/v1/targets/{made.sha256}.0.2.1.robo",
        f"/v1/targets/{SKU}/0.2.1.robo",
        "/v1/targets/",
    ):
        assert case.bench.call("GET", other, token=token).code == "not-found-image", other


def test_the_server_renews_its_news_before_companions_take_it_for_stale(case: Case) -> None:
    case.set_up()
    freshness = Freshness(case.bench.services)

    def timestamp_version() -> int:
        return int(case.shown("timestamp.json").json["signed"]["version"])

    asyncio.run(freshness.keep())
    assert timestamp_version() == 1
    case.now_s += LOOK_S - 1
    asyncio.run(freshness.keep())
    case.now_s += TIMESTAMP_LIFETIME_S / 2
    asyncio.run(freshness.keep())
    assert timestamp_version() == 2
    asyncio.run(freshness.keep())
    assert timestamp_version() == 2


def test_a_server_whose_key_the_root_does_not_name_says_so_and_goes_on(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.set_up()
    other = replace(case.bench.services, metadata_key=MetadataKey(STRANGER))
    asyncio.run(Freshness(other).keep())
    assert "refused-metadata-key" in caplog.text
    asyncio.run(Freshness(replace(other, metadata_key=None)).keep())


def test_the_servers_own_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = ensure_metadata_key(tmp_path)
    assert ensure_metadata_key(tmp_path).public_key == first.public_key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    document = offline.make_root(keys(ROOT), keys(TARGETS), first.public_key, moment(NOW_S))
    first.endorse(document)
    assert offline.is_endorsed_by(document, first.public_key)
    assert isinstance(document.signed, Root)


def test_what_people_must_sign_anew_is_told_a_month_before(case: Case) -> None:
    case.set_up()

    def soon() -> set[str]:
        documents = case.bench.operate("GET", "/metadata").json["documents"]
        return {document["role"] for document in documents if document["renew_soon"]}

    assert soon() == set()
    case.now_s = NOW_S + offline.TARGETS_LIFETIME.total_seconds() - 29 * 86400
    assert soon() == {"targets"}, "the server looks after snapshot and timestamp"
    case.now_s = NOW_S + offline.ROOT_LIFETIME.total_seconds() - 29 * 86400
    assert soon() == {"root", "targets"}


def test_a_figure_tells_when_each_document_expires(case: Case) -> None:
    case.set_up()
    text = case.bench.call("GET", "/metrics", token=OPERATOR_TOKEN).body.decode()
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if "metadata_expires" in line and line[0] != "#")
    shown = case.bench.operate("GET", "/metadata").json["documents"]
    assert {name: float(value) for name, value in figures.items()} == {
        f'surefoot_metadata_expires_timestamp_seconds{{role="{one["role"]}"}}': one["expires_at_s"] for one in shown
    }
