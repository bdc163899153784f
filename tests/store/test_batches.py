"""Batches that share rows in memory: what each work sees, what a raise undoes; and several processes at once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from databases import EVERY, MAKERS
from postgres import database_name, open_postgres, shared_postgres
from store.values import a_key, a_robot, an_assignment, an_entry, put_a_fleet, some_facts
from surefoot.fleet.model import Key, Status
from surefoot.fleet.pins import Pin
from surefoot.fleet.ports import Rows
from surefoot.sim.memory_store import MemoryStore
from surefoot.store.batches import BatchWriter, Job, Raised
from surefoot.store.engines import writing_engine
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Interrupted, Misuse

Work = Callable[[Rows], Any]


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    store = SqlStore(url)
    store.submit(put_a_fleet).result()
    yield store
    store.close()


@pytest.fixture
def beside(url: str, store: SqlStore) -> Iterator[SqlStore]:
    """The store of another process on the same database."""
    beside = SqlStore(url)
    yield beside
    beside.close()


@pytest.fixture
def run(url: str, store: SqlStore) -> Iterator[Callable[..., list[Any]]]:
    """Run works as one batch and return what became of each."""
    engine = writing_engine(url)
    writer = BatchWriter(engine)

    def run(*works: Work, about: str | None = None) -> list[Any]:
        outcomes = writer.write([Job(work=work, about=about) for work in works])
        return [str(one.error) if isinstance(one, Raised) else one for one in outcomes]

    yield run
    engine.dispose()


# What one work of a batch sees.


def test_a_work_sees_what_it_has_just_written_whichever_way_it_asks(run: Callable[..., list[Any]]) -> None:
    robot, facts, entry = a_robot("new", sku="tall"), some_facts("new"), an_entry("new")
    assignment = an_assignment("fresh", robot_id="new")

    def work(rows: Rows) -> None:
        rows.put_robot(robot)
        rows.put_facts(facts)
        rows.add_history(entry)
        rows.put_assignment(assignment)
        rows.put(a_key("dd" * 32))
        assert rows.robot_by_token(robot.token_sha256) == rows.robot("new") == robot
        assert list(rows.robot_ids("tall")) == ["new"]
        assert rows.facts("new") == facts
        assert rows.history("new", 5) == [entry]
        assert rows.newest_assignment("new") == rows.assignment_for("rollout-1", "new") == assignment
        assert rows.assignments("rollout-1") == [assignment]
        assert (rows.count_open("rollout-1"), rows.count_by_status("rollout-1")) == (1, {Status.WAITING: 1})
        assert [view.facts for view in rows.robot_views("m", 1)] == [facts]
        assert rows.find(Key)[-1] == rows.get(Key, "dd" * 32) == a_key("dd" * 32)

    assert run(work) == [None]


def test_a_dropped_row_is_gone_at_once_and_stands_last_when_it_is_put_again(run: Callable[..., list[Any]]) -> None:
    def work(rows: Rows) -> list[str]:
        for name in "abc":
            rows.put(a_key(name))
        rows.drop(Key, "a")
        assert rows.get(Key, "a") is None
        rows.put(a_key("a"))
        return [key.key_id for key in rows.find(Key)][1:]

    assert run(work) == [["b", "c", "a"]]


@pytest.mark.parametrize("about", [None, "robot-1"])
def test_works_of_a_batch_build_on_each_other_and_not_on_what_was_undone(
    run: Callable[..., list[Any]], store: SqlStore, about: str | None
) -> None:
    def count(rows: Rows) -> float:
        facts = rows.facts("robot-1") or some_facts(heard_at_s=0.0)
        rows.put_facts(replace(facts, heard_at_s=facts.heard_at_s + 1))
        return facts.heard_at_s

    def spoil(rows: Rows) -> None:
        rows.put_facts(some_facts(heard_at_s=999.0))
        rows.put_assignment(an_assignment("spoilt"))
        raise ValueError("spoilt")

    def look(rows: Rows) -> Any:
        return rows.newest_assignment("robot-1"), rows.count_open("rollout-1")

    outcomes = run(count, spoil, look, count, spoil, count, look, about=about)
    assert outcomes == [0.0, "spoilt", (None, 0), 1.0, "spoilt", 2.0, (None, 0)]
    assert store.read(lambda rows: rows.facts("robot-1")) == some_facts(heard_at_s=3.0)


def test_a_raise_undoes_also_what_a_question_made_the_database_take(
    run: Callable[..., list[Any]], store: SqlStore
) -> None:
    def enrol(name: str) -> Work:
        return lambda rows: rows.put_robot(a_robot(name, sku="new"))

    def spoil(rows: Rows) -> None:
        rows.put_robot(a_robot("bad", sku="new"))
        assert "bad" in rows.robot_ids("new")
        raise ValueError("spoilt")

    assert run(enrol("a"), spoil, enrol("b"), spoil) == [None, "spoilt", None, "spoilt"]
    assert store.read(lambda rows: list(rows.robot_ids("new"))) == ["a", "b"]
    assert run(spoil) == ["spoilt"]
    assert store.read(lambda rows: list(rows.robot_ids("new"))) == ["a", "b"]


def test_a_work_that_hides_a_refused_row_is_not_taken_for_one_that_wrote(
    run: Callable[..., list[Any]], store: SqlStore
) -> None:
    def hide(rows: Rows) -> str:
        rows.put_facts(some_facts("nobody"))
        with suppress(Exception):
            rows.robot_views("", 1)
        return "written"

    written = store.submit(hide)
    with pytest.raises(Misuse) as caught:
        written.result()
    assert caught.value.code == "misuse-rows"


def test_what_is_new_is_stored_without_a_look_whether_it_is(url: str, store: SqlStore) -> None:
    engine = writing_engine(url)
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    new = an_assignment("new", robot_id="robot-1", is_open=True)

    def assign(rows: Rows) -> Any:
        before = rows.newest_assignment("robot-1"), rows.count_open("rollout-1")
        said.clear()
        rows.add_assignment(new)
        return before, rows.newest_assignment("robot-1"), rows.count_open("rollout-1"), list(said)

    def spoil(rows: Rows) -> None:
        rows.add_assignment(new)
        raise ValueError("spoilt")

    outcomes = BatchWriter(engine).write([Job(work=work) for work in (spoil, assign)])
    engine.dispose()
    assert outcomes[1] == ((None, 0), new, 1, [])
    assert store.read(lambda rows: rows.newest_assignment("robot-1")) == new


def a_pin(robot_id: str, at_s: float) -> Pin:
    return Pin(robot_id=robot_id, release_id=None, reason="on loan", pinned_by="ada", pinned_at_s=at_s)


OPERATIONS: dict[str, Callable[[Rows, str, float], Any]] = {
    "robot": lambda rows, name, at_s: rows.put_robot(a_robot(name, enrolled_at_s=at_s)),
    "facts": lambda rows, name, at_s: rows.put_facts(some_facts(name, heard_at_s=at_s)),
    "heard": lambda rows, name, at_s: rows.set_heard(name, at_s),
    "heard-all": lambda rows, name, at_s: rows.set_heard_all({name: at_s}),
    "entry": lambda rows, name, at_s: rows.add_history(an_entry(name, at_s=at_s)),
    "assign": lambda rows, name, at_s: rows.put_assignment(an_assignment(f"{name}-1", robot_id=name, is_open=at_s > 2)),
    "assign-anew": lambda rows, name, at_s: rows.put_assignment(
        an_assignment(f"{name}-2", robot_id=name, rollout_id="rollout-2", assigned_at_s=at_s)
    ),
    "key": lambda rows, name, at_s: rows.put(a_key(name, added_at_s=at_s)),
    "drop": lambda rows, name, _: rows.drop(Key, name),
    "robot?": lambda rows, name, _: rows.robot(name),
    "facts?": lambda rows, name, _: rows.facts(name),
    "history?": lambda rows, name, _: rows.history(name, 3),
    "newest?": lambda rows, name, _: rows.newest_assignment(name),
    "for?": lambda rows, name, _: rows.assignment_for("rollout-1", name),
    "open?": lambda rows, *_: rows.count_open("rollout-1"),
    "status?": lambda rows, *_: rows.count_by_status("rollout-2"),
    "keys?": lambda rows, *_: rows.find(Key, newest_first=True, limit=3),
    "key?": lambda rows, name, _: rows.get(Key, name),
    "views?": lambda rows, *_: rows.robot_views("", 9),
    "to-judge?": lambda rows, *_: rows.assignments_to_judge("rollout-1", 1.0),
    "open-ids?": lambda rows, *_: rows.open_assignments("rollout-1"),
    "pin": lambda rows, name, at_s: rows.put(a_pin(name, at_s)),
    "unpin": lambda rows, name, _: rows.drop(Pin, name),
    "pin?": lambda rows, name, _: rows.get(Pin, name),
    "prefetch": lambda rows, name, _: rows.prefetch([name, "c"]),
}
steps = st.tuples(st.sampled_from([*OPERATIONS, "raise"]), st.sampled_from("abc"), st.sampled_from([1.0, 2.0, 3.0]))
batches = st.lists(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=5), max_size=4)


def _play(steps_: list[tuple[str, str, float]]) -> Work:
    def work(rows: Rows) -> list[Any]:
        answers = []
        for name, robot_id, at_s in steps_:
            if name == "raise":
                raise ValueError("changed my mind")
            answers.append(OPERATIONS[name](rows, robot_id, at_s))
        return answers

    return work


def _enrol_all(rows: Rows) -> None:
    put_a_fleet(rows)
    for name in "abc":
        rows.put_robot(a_robot(name))


@pytest.mark.parametrize("name", EVERY)
def test_batches_do_what_works_one_by_one_in_memory_do(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    url = MAKERS[name](tmp_path_factory.mktemp("batches"))
    SqlStore(url).close()
    engine = writing_engine(url)
    tables = ("pins", "history", "heard", "facts", "assignments", "rollouts", "releases", "keys", "robots")

    @settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(batches)
    def check(batches: list[list[list[tuple[str, str, float]]]]) -> None:
        with engine.begin() as connection:
            for table in tables:
                connection.exec_driver_sql(f"DELETE FROM {table}")
        memory, writer = MemoryStore(), BatchWriter(engine)
        memory.submit(_enrol_all).result()
        writer.write([Job(work=_enrol_all)])
        for batch in batches:
            works = [_play(steps_) for steps_ in batch]
            found = writer.write([Job(work=work, about="a") for work in works])
            for one, future in zip(found, map(memory.submit, works), strict=True):
                assert isinstance(one, Raised) if future.exception() else one == future.result()

    check()
    engine.dispose()


# Several processes on one database.


def test_processes_lose_none_of_each_others_updates(store: SqlStore, beside: SqlStore) -> None:
    store.submit(lambda rows: rows.put_facts(some_facts(heard_at_s=0.0))).result()

    def count(rows: Rows) -> None:
        facts = rows.facts("robot-1")
        assert facts is not None
        rows.put_facts(replace(facts, heard_at_s=facts.heard_at_s + 1))

    def submit_many(store: SqlStore) -> None:
        for future in [store.submit(count, about="robot-1") for _ in range(150)]:
            future.result()

    threads = [Thread(target=submit_many, args=(one,)) for one in (store, beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read(lambda rows: rows.facts("robot-1")) == some_facts(heard_at_s=300.0)


def test_two_processes_that_ask_at_once_never_both_take_the_last_place(store: SqlStore, beside: SqlStore) -> None:
    def take(robot_id: str) -> Callable[[Rows], bool]:
        def work(rows: Rows) -> bool:
            free = rows.count_open("rollout-1") == 0
            if free:
                rows.put_assignment(an_assignment(robot_id, robot_id=robot_id))
            return free

        return work

    def let_go(rows: Rows) -> None:
        for one in rows.assignments("rollout-1"):
            rows.put_assignment(replace(one, is_open=False))

    for _ in range(20):
        futures = [store.submit(take("robot-1")), beside.submit(take("robot-2"))]
        assert sorted(future.result() for future in futures) == [False, True]
        store.submit(let_go).result()


@pytest.mark.postgres
def test_works_that_read_what_the_other_writes_run_again_until_one_came_after_the_other(tmp_path: Path) -> None:
    url = MAKERS["postgresql"](tmp_path)
    stores = [SqlStore(url), SqlStore(url)]
    stores[0].submit(put_a_fleet).result()
    both_have_read = Barrier(2)
    runs: list[str] = []

    def swap(own: str, others: str) -> Callable[[Rows], bool]:
        def work(rows: Rows) -> bool:
            heard = rows.facts(others) is not None
            runs.append(own)
            if runs.count(own) == 1:
                both_have_read.wait()
            rows.put_facts(some_facts(own))
            return heard

        return work

    futures = [stores[0].submit(swap("robot-1", "robot-2")), stores[1].submit(swap("robot-2", "robot-1"))]
    assert sorted(future.result() for future in futures) == [False, True], "each wrote without knowing of the other"
    assert len(runs) == 3
    for store in stores:
        store.close()


# Connections that break.


def end_connections(url: str) -> None:
    with shared_postgres().administrator() as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database_name(url)]
        )


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[tuple[str, SqlStore]]:
    url = MAKERS["postgresql"](tmp_path)
    store = SqlStore(url)
    store.submit(put_a_fleet).result()
    yield url, store
    store.close()


@pytest.mark.postgres
def test_connections_that_broke_while_nobody_used_them_are_replaced_unnoticed(
    on_postgres: tuple[str, SqlStore],
) -> None:
    url, store = on_postgres
    assert store.read(lambda rows: rows.robot("robot-1")) == a_robot("robot-1")
    end_connections(url)
    store.submit(lambda rows: rows.put_robot(a_robot("robot-9"))).result()
    assert store.read(lambda rows: rows.robot("robot-9")) == a_robot("robot-9")


@pytest.mark.postgres
def test_a_connection_that_breaks_amid_a_work_makes_it_run_again_from_the_start(
    on_postgres: tuple[str, SqlStore],
) -> None:
    url, store = on_postgres
    runs: list[int] = []

    def work(rows: Rows) -> list[str]:
        rows.put_robot(a_robot(f"run-{len(runs)}", sku="new"))
        list(rows.robot_ids("new"))
        runs.append(1)
        if len(runs) == 1:
            end_connections(url)
        return list(rows.robot_ids("new"))

    assert store.submit(work).result() == ["run-1"]
    assert store.read(lambda rows: list(rows.robot_ids("new"))) == ["run-1"]


@pytest.mark.postgres
def test_a_commit_without_an_answer_is_never_called_a_success_and_never_made_twice(
    on_postgres: tuple[str, SqlStore],
) -> None:
    url, store = on_postgres
    runs: list[int] = []

    @event.listens_for(store._writing, "commit")
    def break_(_connection: Connection) -> None:
        end_connections(url)

    def work(rows: Rows) -> None:
        runs.append(1)
        rows.put_robot(a_robot("robot-9"))

    with pytest.raises(Interrupted) as caught:
        store.submit(work).result()
    assert (caught.value.code, len(runs)) == ("interrupted-store", 1)
    event.remove(store._writing, "commit", break_)
    store.submit(lambda rows: rows.put_robot(a_robot("robot-8"))).result()


@pytest.mark.postgres
def test_a_server_that_crashed_is_used_again_once_it_is_back() -> None:
    server = open_postgres()
    store = SqlStore(server.url("postgres"))
    store.submit(put_a_fleet).result()
    server.crash()
    with pytest.raises(Interrupted) as caught:
        store.submit(lambda rows: rows.put_robot(a_robot("lost"))).result()
    assert caught.value.code == "interrupted-store"
    with pytest.raises(Interrupted):
        store.read(lambda rows: rows.robot("robot-1"))
    server.start()
    store.submit(lambda rows: rows.put_robot(a_robot("kept"))).result()
    assert store.read(lambda rows: (rows.robot("lost"), rows.robot("kept"))) == (None, a_robot("kept"))
    store.close()
    server.stop()
