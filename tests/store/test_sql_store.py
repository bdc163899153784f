"""The contract of `Store`, held against every store on a database: durable, isolated, consistent."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from store.values import a_robot, an_entry, put_a_fleet, some_facts
from surefoot.fleet.model import Key
from surefoot.fleet.ports import Rows, Store
from surefoot.store.sql_store import BATCH_MAX, SqlStore
from surefoot.wire.errors import Interrupted, Misuse, SurefootError

HELPERS = Path(__file__).parent


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """What batches and threads do needs a store that has them."""
    store = SqlStore(url)
    store.submit(put_a_fleet).result()
    yield store
    store.close()


class Gate:
    """Work that holds the writer up, so that what is submitted meanwhile becomes one batch."""

    def __init__(self, store: Store) -> None:
        self._open = Event()
        entered = Event()

        def wait(_rows: Rows) -> None:
            entered.set()
            self._open.wait()

        self._held = store.submit(wait)
        entered.wait()

    def open(self) -> None:
        self._open.set()
        self._held.result()


def enrol(robot_id: str) -> Callable[[Rows], str]:
    def work(rows: Rows) -> str:
        rows.put_robot(a_robot(robot_id, sku="new"))
        return robot_id

    return work


def enrolled(store: Store) -> list[str]:
    return store.read(lambda rows: list(rows.robot_ids("new")))


def outcome(future: Future[str]) -> str:
    try:
        return future.result()
    except SurefootError as error:
        return error.code
    except ValueError as error:
        return str(error)


def test_the_future_resolves_with_what_the_work_returned(store: Store) -> None:
    assert store.submit(enrol("robot-9")).result() == "robot-9"
    assert enrolled(store) == ["robot-9"]


def test_work_sees_what_it_wrote_itself(store: Store) -> None:
    def work(rows: Rows) -> bool:
        rows.put_robot(a_robot("robot-9"))
        return rows.robot("robot-9") == a_robot("robot-9")

    assert store.submit(work).result()


def test_a_raise_undoes_what_its_work_wrote_and_nothing_else(store: Store) -> None:
    def enrol_and_raise(rows: Rows) -> str:
        rows.put_robot(a_robot("bad", sku="new"))
        rows.add_history(an_entry("bad"))
        raise ValueError("changed my mind")

    gate = Gate(store)
    futures = [store.submit(work) for work in (enrol("a"), enrol_and_raise, enrol("b"), enrol_and_raise, enrol("c"))]
    gate.open()
    assert [outcome(future) for future in futures] == ["a", "changed my mind", "b", "changed my mind", "c"]
    assert enrolled(store) == ["a", "b", "c"]


def test_a_row_the_database_refuses_undoes_only_its_own_work(store: Store) -> None:
    def enrol_and_contradict(rows: Rows) -> str:
        rows.put_robot(a_robot("bad", sku="new"))
        rows.put_facts(some_facts("nobody"))
        return "bad"

    gate = Gate(store)
    futures = [store.submit(work) for work in (enrol("a"), enrol_and_contradict, enrol("b"))]
    gate.open()
    assert [outcome(future) for future in futures] == ["a", "misuse-rows", "b"]
    assert enrolled(store) == ["a", "b"]


def test_work_of_one_batch_sees_what_earlier_work_wrote_and_not_what_was_undone(store: Store) -> None:
    def raise_after_writing(rows: Rows) -> str:
        rows.put_robot(a_robot("bad", sku="new"))
        raise ValueError

    gate = Gate(store)
    store.submit(enrol("a"))
    store.submit(raise_after_writing)
    seen = store.submit(lambda rows: list(rows.robot_ids("new")))
    gate.open()
    assert seen.result() == ["a"]


def test_even_an_exit_raised_by_work_reaches_only_its_future(store: Store) -> None:
    def leave(_rows: Rows) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        store.submit(leave).result()
    assert store.submit(enrol("a")).result() == "a"


def test_nothing_is_to_be_read_before_it_is_acknowledged(store: Store) -> None:
    gate = Gate(store)
    written, release = Event(), Event()

    def write_and_wait(rows: Rows) -> None:
        rows.put_robot(a_robot("late", sku="new"))
        written.set()
        release.wait()

    first = store.submit(enrol("early"))
    second = store.submit(write_and_wait)
    gate.open()
    written.wait()
    # Both have run; they share a commit that has not come, so neither may have been promised to anyone.
    assert (first.done(), second.done(), enrolled(store)) == (False, False, [])
    release.set()
    second.result()
    assert (first.done(), enrolled(store)) == (True, ["early", "late"])


def test_reading_holds_one_view_while_others_write(store: Store) -> None:
    def look_twice(rows: Rows) -> tuple[list[str], list[str]]:
        before = list(rows.robot_ids("new"))
        store.submit(enrol("meanwhile")).result()
        return before, list(rows.robot_ids("new"))

    assert store.read(look_twice) == ([], [])
    assert enrolled(store) == ["meanwhile"]


@pytest.mark.parametrize("name", ["robot\0", "\0", "\ud800", "\udfff-1", "ü\0\ud800"])
def test_a_name_that_no_database_can_hold_is_simply_unknown(store: Store, name: str) -> None:
    assert store.read(lambda rows: (rows.robot(name), rows.robot_by_token(name), rows.find(Key, name=name))) == (
        None,
        None,
        [],
    )
    assert store.submit(lambda rows: rows.get(Key, name)).result() is None
    store.submit(lambda rows: rows.add_history(an_entry(text=name))).result()
    (entry,) = store.read(lambda rows: rows.history("robot-1", 1))
    assert len(entry.text) == len(name)


def test_reading_cannot_write(store: Store) -> None:
    with pytest.raises(Misuse) as caught:
        store.read(enrol("a"))
    assert caught.value.code == "misuse-read-only-rows"
    assert enrolled(store) == []


def test_a_caller_that_gave_up_before_its_turn_leaves_nothing_behind(store: Store) -> None:
    gate = Gate(store)
    given_up, kept = store.submit(enrol("given-up")), store.submit(enrol("kept"))
    assert given_up.cancel()
    gate.open()
    kept.result()
    assert enrolled(store) == ["kept"]


def test_many_threads_lose_no_update(store: Store) -> None:
    store.submit(lambda rows: rows.put_facts(some_facts(heard_at_s=0.0))).result()

    def count(rows: Rows) -> None:
        facts = rows.facts("robot-1")
        assert facts is not None
        rows.put_facts(replace(facts, heard_at_s=facts.heard_at_s + 1))

    def submit_some(_thread: int) -> None:
        for _ in range(50):
            store.submit(count).result()
            store.read(lambda rows: rows.robot_views("", 10))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(submit_some, range(8)))
    assert store.read(lambda rows: rows.facts("robot-1")) == some_facts(heard_at_s=400.0)


def test_a_batch_longer_than_the_longest_is_written_all_the_same(store: Store) -> None:
    gate = Gate(store)
    ids = [f"robot-{number:04}" for number in range(2 * BATCH_MAX + 1)]
    futures = [store.submit(enrol(robot_id)) for robot_id in ids]
    gate.open()
    assert [future.result() for future in futures] == ids
    assert enrolled(store) == ids


def test_closing_finishes_what_was_submitted_and_takes_nothing_more(url: str) -> None:
    store = SqlStore(url)
    gate = Gate(store)
    futures = [store.submit(enrol(f"robot-{number}")) for number in range(5)]
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(store.close)
        gate.open()
        closing.result()
    assert all(future.done() for future in futures)
    store.close()
    for use in (store.submit, store.read):
        with pytest.raises(Misuse) as caught:
            use(enrol("late"))
        assert caught.value.code == "misuse-store-closed"
    reopened = SqlStore(url)
    assert len(enrolled(reopened)) == 5
    reopened.close()


def test_what_a_killed_process_acknowledged_is_there_afterwards(url: str) -> None:
    SqlStore(url).close()
    with subprocess.Popen(
        [sys.executable, HELPERS / "endless_writer.py", url], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(300)]
        writer.kill()
        # Whole lines only: the last may have been cut by the kill, and was not acknowledged to anyone then.
        acknowledged += [line for line in writer.stdout if line.endswith("\n")]
    store = SqlStore(url)
    found = store.read(lambda rows: {robot_id: len(rows.history(robot_id, 10)) for robot_id in rows.robot_ids("new")})
    store.close()
    assert {line.strip() for line in acknowledged} <= found.keys()
    assert set(found.values()) == {2}, "work was cut in half"


def test_a_full_disk_fails_the_batch_and_the_store_recovers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    store = SqlStore(url)
    store.submit(put_a_fleet).result()
    store.close()
    # In a process of its own, since the limit that stands in for a full disk holds for all files of a process.
    report = subprocess.run(
        [sys.executable, HELPERS / "full_disk.py", url], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    assert report == ["interrupted-store interrupted-store 0", "written written 2"]


def test_a_database_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        SqlStore(f"sqlite:///{tmp_path / 'missing' / 'fleet.db'}")
    assert caught.value.code == "interrupted-store"
