"""What is special to a store in memory; that its rows behave like any other's is the contract suite's concern."""

from collections.abc import Callable

import pytest

from store.values import a_robot, an_assignment, put_a_fleet, some_facts
from surefoot.fleet.ports import Rows
from surefoot.sim.memory_store import Change, MemoryStore
from surefoot.wire.errors import Misuse


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.submit(put_a_fleet).result()
    return store


def test_a_raise_undoes_everything_its_work_wrote(store: MemoryStore) -> None:
    def write_and_raise(rows: Rows) -> None:
        rows.put_robot(a_robot("new"))
        rows.put_facts(some_facts("robot-1"))
        rows.put_assignment(an_assignment())
        rows.put_robot(a_robot("robot-1", sku="other"))
        raise ValueError("changed my mind")

    before = store.snapshot()
    with pytest.raises(ValueError, match="changed my mind"):
        store.submit(write_and_raise).result()
    assert store.snapshot() == before


def test_someone_looks_at_every_commit_that_wrote_and_at_no_other(store: MemoryStore) -> None:
    seen: list[list[Change]] = []
    store.on_commit = lambda _rows, changes: seen.append(changes)

    def write_and_raise(rows: Rows) -> None:
        rows.put_robot(a_robot("new"))
        raise SystemExit

    older, newer = a_robot("robot-1"), a_robot("robot-1", enrolled_at_s=9.0)
    store.submit(lambda rows: rows.robot("robot-1")).result()
    with pytest.raises(SystemExit):
        store.submit(write_and_raise).result()
    store.submit(lambda rows: rows.put_robot(newer)).result()
    store.submit(lambda rows: rows.put_robot(a_robot("new"))).result()
    assert seen == [[(older, newer)], [(None, a_robot("new"))]]


def test_a_copy_goes_its_own_way(store: MemoryStore) -> None:
    twin = store.copy()
    twin.submit(lambda rows: rows.put_robot(a_robot("new"))).result()
    assert store.read(lambda rows: rows.robot("new")) is None
    assert twin.read(lambda rows: rows.robot("robot-1")) == a_robot("robot-1")


def test_reading_cannot_write_and_a_closed_store_takes_nothing(store: MemoryStore) -> None:
    def write(rows: Rows) -> None:
        rows.put_robot(a_robot("new"))

    def code(use: Callable[[], object]) -> str:
        with pytest.raises(Misuse) as caught:
            use()
        return caught.value.code

    assert code(lambda: store.read(write)) == "misuse-read-only-rows"
    store.close()
    assert {code(lambda: store.read(write)), code(lambda: store.submit(write))} == {"misuse-store-closed"}
