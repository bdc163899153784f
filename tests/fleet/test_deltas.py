"""Which deltas are worth building, and who is offered one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fleet.fleet_case import SETTINGS, SKU, FleetCase, Voice, digest_of
from surefoot.fleet.deltas import BuiltDelta, Wanted, count_offered, delta_id, due, keep, releases_behind
from surefoot.fleet.outbox import OutboxEntry
from surefoot.fleet.recall import recall_release
from surefoot.wire.delta import FORMAT
from surefoot.wire.formats import ESP_IDF
from surefoot.wire.manifest import SignedManifest

PATCH_BYTES = 1000


def wanted(fleet: FleetCase, per_release_max: int = 4) -> list[tuple[str, str]]:
    """Return what is due, as versions from and to."""
    found = fleet.run(lambda rows: due(rows, per_release_max))
    return [(str(want.source.version), str(want.target.version)) for want in found]


def in_the_field(fleet: FleetCase, version: str, robots: int = 1, accepts: tuple[str, ...] = (FORMAT,)) -> None:
    """Let so many more robots say that they run this version."""
    for number in range(robots):
        name = f"on-{version}-{'-'.join(accepts)}-{number}"
        fleet.hear(fleet.enrol(name, version=version, digest=digest_of(version)), accepts=accepts)


def build(fleet: FleetCase, size_bytes: int = PATCH_BYTES) -> BuiltDelta | None:
    """Build what is due first."""
    want = fleet.run(lambda rows: due(rows, 4))[0]
    return fleet.run(lambda rows: keep(rows, want, "dd" * 32, size_bytes, fleet.now_s))


def manifest_naming(*digests: str) -> SignedManifest:
    said = {"name": "firmware", "sku": SKU, "version": "0.2.2", "digest": digest_of("0.2.2"), "size_bytes": 4096}
    payload = json.dumps({**said, "delta_sources": digests}).encode()
    return SignedManifest(payload=payload, key_id="aa" * 32, signature=bytes(64))


def a_built_delta(fleet: FleetCase, size_bytes: int = PATCH_BYTES) -> Voice:
    """Build the delta from 0.2.0 to 0.2.1, and roll that out; return a robot on 0.2.0 that has not asked yet."""
    fleet.release("0.2.0")
    fleet.start("0.2.1")
    in_the_field(fleet, "0.2.0")
    assert build(fleet, size_bytes) is not None
    return fleet.enrol("asking")


def test_a_delta_is_wanted_from_what_robots_run_to_the_newest_release(fleet: FleetCase) -> None:
    fleet.release("0.2.0")
    fleet.release("0.2.1")
    assert wanted(fleet) == [], "nobody says that it runs anything"
    in_the_field(fleet, "0.2.0")
    assert wanted(fleet) == [("0.2.0", "0.2.1")]
    build(fleet)
    assert wanted(fleet) == []


def test_what_most_robots_run_comes_first_and_few_versions_are_served(fleet: FleetCase) -> None:
    for version in ("0.1.8", "0.1.9", "0.2.0", "0.2.1"):
        fleet.release(version)
    for version, robots in (("0.1.8", 2), ("0.1.9", 3), ("0.2.0", 1)):
        in_the_field(fleet, version, robots)
    assert wanted(fleet) == [("0.1.9", "0.2.1"), ("0.1.8", "0.2.1"), ("0.2.0", "0.2.1")]
    assert wanted(fleet, 2) == [("0.1.9", "0.2.1"), ("0.1.8", "0.2.1")]
    assert wanted(fleet, 0) == []


def test_robots_that_apply_no_deltas_or_run_no_release_or_a_newer_one_make_none_wanted(fleet: FleetCase) -> None:
    for version in ("0.2.0", "0.3.0", "0.2.1"):
        fleet.release(version)
    in_the_field(fleet, "0.2.0", accepts=())
    in_the_field(fleet, "0.2.0", accepts=("sfd2",))
    in_the_field(fleet, "0.1.0")
    in_the_field(fleet, "0.3.0")
    assert wanted(fleet) == []


@pytest.mark.parametrize("changes", [{"format": ESP_IDF}, {"recalled_at_s": 1.0}])
def test_no_delta_leads_to_a_recalled_release_or_one_of_another_format(
    fleet: FleetCase, changes: dict[str, Any]
) -> None:
    fleet.release("0.2.0")
    fleet.release("0.2.1", **changes)
    in_the_field(fleet, "0.2.0")
    assert wanted(fleet) == []


def test_what_is_rolled_out_is_served_beside_the_newest_release(fleet: FleetCase) -> None:
    fleet.release("0.2.0")
    fleet.start("0.2.1")
    fleet.release("0.2.2")
    in_the_field(fleet, "0.2.0")
    assert wanted(fleet) == [("0.2.0", "0.2.2"), ("0.2.0", "0.2.1")]


def test_a_manifest_that_names_sources_is_followed_to_the_letter(fleet: FleetCase) -> None:
    fleet.release("0.2.0")
    fleet.release("0.2.1")
    fleet.release("0.2.2", manifest=manifest_naming(digest_of("0.2.0"), digest_of("unknown")))
    in_the_field(fleet, "0.2.1")
    assert wanted(fleet) == [("0.2.0", "0.2.2")]


def test_a_robot_on_the_source_is_offered_the_delta_beside_the_full_file(fleet: FleetCase) -> None:
    offer = fleet.hear(a_built_delta(fleet), accepts=("sfd0", FORMAT)).offer
    assert offer is not None and offer.delta is not None
    assert offer.delta.url == f"{SETTINGS.public_url}/v1/images/{'dd' * 32}"
    assert (offer.delta.sha256, offer.delta.size_bytes) == ("dd" * 32, PATCH_BYTES)
    assert offer.delta.source_digest == digest_of("0.2.0")
    assert offer.sha256 == fleet.stored_release("0.2.1").sha256


def test_a_robot_that_cannot_use_it_is_offered_the_full_file_alone(fleet: FleetCase) -> None:
    robot = a_built_delta(fleet)
    running = robot.report().running
    for changes in (
        {"accepts": ()},
        {"accepts": ("sfd2",)},
        {"accepts": (FORMAT,), "running": running.replace(digest=digest_of("another"))},
        {"accepts": (FORMAT,), "running": running.replace(digest=None)},
        {"accepts": (FORMAT,), "running": running.replace(state="trial")},
    ):
        offer = fleet.hear(robot, **changes).offer
        assert offer is None or offer.delta is None, changes
    poll = fleet.poll(robot, "0.2.0")
    assert poll is not None and poll.delta is None


def test_a_delta_as_large_as_the_image_is_remembered_and_not_offered(fleet: FleetCase) -> None:
    robot = a_built_delta(fleet, size_bytes=3000)
    offer = fleet.hear(robot, accepts=(FORMAT,)).offer
    assert offer is not None and offer.delta is None
    assert wanted(fleet) == []
    assert fleet.run(count_offered) == {}


def test_what_was_recalled_while_its_delta_was_built_gets_none(fleet: FleetCase) -> None:
    source, target = fleet.release("0.2.0"), fleet.release("0.2.1")
    want = Wanted(source=source, target=target)
    fleet.run(lambda rows: rows.put(replace(target, recalled_at_s=fleet.now_s)))
    assert fleet.run(lambda rows: keep(rows, want, "dd" * 32, PATCH_BYTES, fleet.now_s)) is None
    assert fleet.run(lambda rows: rows.get(BuiltDelta, delta_id(target.release_id, source.digest))) is None


def test_a_recall_takes_the_files_of_the_deltas_back_too(fleet: FleetCase) -> None:
    a_built_delta(fleet)
    release = fleet.stored_release("0.2.1")
    assert [found.release_id for found in fleet.run(lambda rows: releases_behind(rows, "dd" * 32))] == [
        "standard-0.2.1"
    ]

    def recall(rows: Any) -> str:
        recall_release(
            rows,
            release.release_id,
            "it limps",
            fleet.now_s,
            public_url="https://fleet.test",
            who="ada",
            new_salt=lambda: b"salt",
        )
        purge: str = rows.get(OutboxEntry, f"{release.release_id}.purge").body
        return purge

    assert f"https://fleet.test/v1/images/{'dd' * 32}" in fleet.run(recall)
    [behind] = fleet.run(lambda rows: releases_behind(rows, "dd" * 32))
    assert behind.recalled_at_s == fleet.now_s


def test_a_file_that_is_neither_image_nor_delta_has_no_release_behind_it(fleet: FleetCase) -> None:
    a_built_delta(fleet)
    assert fleet.run(lambda rows: releases_behind(rows, "ee" * 32)) == []
