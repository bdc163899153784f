"""Signed metadata and deltas on every store: what is put comes back, and is found as it is looked for."""

from dataclasses import replace

from store.values import KEY_ID, a_key, a_report, a_robot, some_facts
from surefoot.fleet.deltas import BuiltDelta
from surefoot.fleet.documents import MetadataFile
from surefoot.fleet.ports import Rows, Store
from surefoot.fleet.rotation import Exclusion, Rotation, RotationStep, TransitionRelease, rotation_of
from surefoot.wire.delta import FORMAT


def a_document(name: str, role: str, version: int, data: bytes = b'{"signed": {}}\x00\xff') -> MetadataFile:
    return MetadataFile(name=name, role=role, version=version, data=data, stored_at_s=1.5)


def test_a_document_comes_back_as_it_was_stored_and_by_its_role(store: Store) -> None:
    first, second = a_document("1.targets.json", "targets", 1), a_document("2.targets.json", "targets", 2)
    old, new = a_document("timestamp.json", "timestamp", 1), a_document("timestamp.json", "timestamp", 2, b"new")
    for document in (first, old, second, new):
        store.submit(lambda rows, document=document: rows.put(document)).result()  # type: ignore[misc]
    assert store.read(lambda rows: rows.get(MetadataFile, "1.targets.json")) == first
    newest = store.read(lambda rows: rows.find(MetadataFile, role="targets", newest_first=True, limit=1))
    assert newest == [second]
    assert store.read(lambda rows: rows.find(MetadataFile, role="timestamp")) == [new]
    store.submit(lambda rows: rows.drop(MetadataFile, "1.targets.json")).result()
    assert store.read(lambda rows: rows.get(MetadataFile, "1.targets.json")) is None


def test_deltas_come_back_by_their_key_and_by_their_file(store: Store) -> None:
    built = BuiltDelta(
        delta_id=f"release-1/{'9f' * 32}",
        release_id="release-1",
        source_digest="9f" * 32,
        sha256="dd" * 32,
        size_bytes=2**40,
        built_at_s=1.5,
    )
    useless = replace(built, delta_id=f"release-1/{'8e' * 32}", source_digest="8e" * 32, sha256=None)
    for value in (built, useless):
        store.submit(lambda rows, value=value: rows.put(value)).result()  # type: ignore[misc]
    assert store.read(lambda rows: rows.get(BuiltDelta, useless.delta_id)) == useless
    assert store.read(lambda rows: rows.find(BuiltDelta, sha256="dd" * 32)) == [built]
    assert store.read(lambda rows: rows.find(BuiltDelta, release_id="release-1")) == [built, useless]


def test_robots_that_apply_deltas_are_counted_by_the_image_they_run(store: Store) -> None:
    def say(rows: Rows) -> None:
        rows.put_robot(a_robot("other-sku", sku="other"))
        for robot_id, accepts in (
            ("robot-1", ("sfd0", FORMAT)),
            ("robot-2", (FORMAT,)),
            ("robot-3", ()),
            ("other-sku", (FORMAT,)),
        ):
            rows.put_facts(some_facts(robot_id, report=a_report(robot_id, accepts=accepts)))

    store.submit(say).result()
    assert store.read(lambda rows: rows.count_delta_sources("standard")) == {"9f" * 32: 2}
    nameless = a_report("robot-2", accepts=(FORMAT,), running=a_report().running.replace(digest=None))

    def change(rows: Rows) -> dict[str, int]:
        rows.put_facts(some_facts("robot-2", report=nameless))
        return rows.count_delta_sources("standard")

    assert store.submit(change).result() == {"9f" * 32: 1}
    assert store.read(lambda rows: rows.count_delta_sources("unknown")) == {}


def test_a_rotation_comes_back_by_its_id_and_by_the_key_it_rotates(store: Store) -> None:
    begun = Rotation(
        rotation_id="rotation-1",
        old_key_id=KEY_ID,
        new_key_id=None,
        step=RotationStep.GENERATE,
        reason="stolen",
        started_by="ada",
        started_at_s=1.5,
    )
    ended = replace(
        begun,
        new_key_id="bb" * 32,
        step=RotationStep.FINISHED,
        transitions=(TransitionRelease(sku="standard", release_id="release-1"),),
        exclusions=(Exclusion(robot_id="robot-9", reason="scrapped", who="bob", at_s=2.5),),
        ended_by="ada",
        ended_at_s=9.25,
        ended_from="192.0.2.7",
        ended_reason="done",
    )

    def put_keys(rows: Rows) -> None:
        for key_id in (KEY_ID, "bb" * 32):
            rows.put(a_key(key_id))

    store.submit(put_keys).result()
    for rotation in (begun, ended):
        store.submit(lambda rows, rotation=rotation: rows.put(rotation)).result()  # type: ignore[misc]
        assert store.read(lambda rows: rows.get(Rotation, "rotation-1")) == rotation
    assert store.read(lambda rows: rotation_of(rows, KEY_ID)) == ended
    assert store.read(lambda rows: rotation_of(rows, "bb" * 32)) is None
