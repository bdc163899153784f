"""The nouns of enrolment, downloads and generations, held against every store."""

from dataclasses import replace
from typing import Any

import pytest

from store.values import some_facts
from surefoot.fleet.broker_access import BrokerPassword, EndedCredential, Superseded
from surefoot.fleet.downloads import DownloadsOfDay, FileTaken
from surefoot.fleet.enrolment import EnrolmentCode, RobotCertificate
from surefoot.fleet.generation import Generation, begin_generation, generation
from surefoot.fleet.ports import Store

FILE = FileTaken(sha256="aa" * 32, size_bytes=2**40, taken_bytes=2**41, redirect_until_s=3.5)
VALUES: dict[str, tuple[Any, dict[str, Any]]] = {
    "code": (
        EnrolmentCode(code_sha256="c" * 64, robot_id="robot-9", sku="standard", made_at_s=1.5, expires_at_s=2.5),
        {"used_at_s": 2.0},
    ),
    "certificate": (
        RobotCertificate(certificate_sha256="f" * 64, robot_id="robot-1", issued_at_s=1.5, expires_at_s=2.5),
        {
            "robot_id": "robot-2",
            "serial": "0a",
            "superseded": (Superseded(certificate_sha256="e" * 64, serial=None, expires_at_s=2.5),),
        },
    ),
    "broker password": (
        BrokerPassword(token_sha256="1" * 64, robot_id="robot-1", password_hash="$7$1$salt$key"),
        {"robot_id": "robot-2", "password_hash": "$7$1$other$key"},
    ),
    "ended credential": (
        EndedCredential(credential_sha256="2" * 64, robot_id="robot-1", serial="0a", ended_at_s=1.5, expires_at_s=2.5),
        {"robot_id": "robot-2", "serial": None, "ended_at_s": 3.5, "expires_at_s": None},
    ),
    "downloads": (DownloadsOfDay(robot_id="robot-1", day=20_000, files=(FILE,)), {"files": (), "day": 20_001}),
    "generation": (Generation(name="other", number=2**40), {"number": 2**41}),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back_as_it_was_stored_and_replaced(store: Store, name: str) -> None:
    value, changes = VALUES[name]
    kind: type[Any] = type(value)
    key = str(getattr(value, next(iter(kind.__dataclass_fields__))))
    store.submit(lambda rows: rows.put(value)).result()
    assert store.read(lambda rows: rows.get(kind, key)) == value
    changed = replace(value, **changes)
    store.submit(lambda rows: rows.put(changed)).result()
    assert store.read(lambda rows: rows.find(kind)) == [changed]
    store.submit(lambda rows: rows.drop(kind, key)).result()
    assert store.read(lambda rows: rows.get(kind, key)) is None


def test_codes_and_certificates_are_found_by_their_robot(store: Store) -> None:
    for name in ("code", "certificate"):
        value, _ = VALUES[name]
        kind: type[Any] = type(value)
        store.submit(lambda rows, value=value: rows.put(value)).result()  # type: ignore[misc]
        robot_id = value.robot_id
        assert store.read(lambda rows, kind=kind, robot_id=robot_id: rows.find(kind, robot_id=robot_id)) == [value]  # type: ignore[misc]


def test_a_generation_counts_up(store: Store) -> None:
    assert store.read(generation) == 0
    assert [store.submit(begin_generation).result() for _ in range(2)] == [1, 2]
    assert store.read(generation) == 2


def test_many_robots_are_heard_at_once_and_never_back_in_time(store: Store) -> None:
    for robot_id, heard_at_s in (("robot-1", 10.0), ("robot-2", 30.0)):
        facts = some_facts(robot_id, heard_at_s=heard_at_s)
        store.submit(lambda rows, facts=facts: rows.put_facts(facts)).result()  # type: ignore[misc]
    # The third has no facts yet, and the last is nobody.
    everyone = dict.fromkeys(("robot-1", "robot-2", "robot-3", "nobody"), 20.0)
    store.submit(lambda rows: rows.set_heard_all(everyone)).result()
    heard = [store.read(lambda rows, robot_id=robot_id: rows.facts(robot_id)) for robot_id in everyone]  # type: ignore[misc]
    assert [None if facts is None else facts.heard_at_s for facts in heard] == [20.0, 30.0, None, None]
