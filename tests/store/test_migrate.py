import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, text

from surefoot.fleet.model import Key, Release, Rollout, Status
from surefoot.fleet.ports import Rows
from surefoot.store.engines import writing_engine
from surefoot.store.migrate import alembic_config, migrate, upgrade
from surefoot.store.registry import metadata
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Refused


def table_names(url: str) -> set[str]:
    engine = writing_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_migrated_schema_is_the_one_the_code_describes(empty_url: str) -> None:
    migrate(empty_url)
    engine = writing_engine(empty_url)
    with engine.begin() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    engine.dispose()
    assert found == []


def test_the_schema_goes_up_and_down_and_up_again(empty_url: str) -> None:
    engine = writing_engine(empty_url)
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        upgrade(connection)
    engine.dispose()
    assert table_names(empty_url) == {*metadata.tables, "alembic_version"}


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)
    assert table_names(empty_url) == {*metadata.tables, "alembic_version"}


def test_a_migration_that_is_cut_off_leaves_the_old_schema(empty_url: str) -> None:
    engine = writing_engine(empty_url)
    with engine.connect() as connection, connection.begin() as transaction:
        upgrade(connection)
        transaction.rollback()
    engine.dispose()
    assert table_names(empty_url) == set()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(url: str) -> None:
    migrate(url)
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused) as caught:
        migrate(url)
    assert caught.value.code == "refused-schema-newer"
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


def test_migrations_are_found_wherever_the_package_lies() -> None:
    packaged = Path(migrate.__code__.co_filename).parent / "migrations"
    assert (packaged / "env.py").is_file()
    assert list((packaged / "versions").glob("0001_*.py"))


def test_processes_that_start_at_once_on_an_empty_database_migrate_it_once(empty_url: str) -> None:
    command_ = [sys.executable, "-c", "import sys; from surefoot.store.migrate import migrate; migrate(sys.argv[1])"]
    processes = [subprocess.Popen([*command_, empty_url]) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert table_names(empty_url) == {*metadata.tables, "alembic_version"}


# Rows as the first revision had them, one per table; whatever comes later has to keep them.
OLD_ROWS: dict[str, dict[str, object]] = {
    "robots": {"robot_id": "robot-1", "sku": "standard", "token_sha256": "ab" * 32, "enrolled_at_s": 1.5},
    "facts": {
        "robot_id": "robot-1",
        "report": json.dumps(
            {
                "robot_id": "robot-1",
                "sku": "standard",
                "epoch": "0",
                "boot": 17,
                "seq": 42,
                "running": {"slot": "ota_0", "version": "0.2.1", "digest": "9f" * 32, "state": "confirmed"},
            }
        ),
        "received_at_s": 10.25,
        "heard_at_s": 11.5,
        "past_epochs": '["older"]',
        "epoch": "0",
        "boot": 17,
        "seq": 42,
        "running_digest": "9f" * 32,
        "running_version": "0.2.1",
    },
    "history": {"nth": 1, "robot_id": "robot-1", "at_s": 5.0, "kind": "note", "text": "Something."},
    "keys": {
        "nth": 1,
        "key_id": "aa" * 32,
        "name": "ci",
        "public_key_xy": bytes(range(64)),
        "state": "active",
        "added_at_s": 0.5,
    },
    "releases": {
        "nth": 1,
        "release_id": "release-1",
        "sku": "standard",
        "version": "1.4.2",
        "sha256": "bb" * 32,
        "size_bytes": 2**40,
        "digest": "cc" * 32,
        "key_id": "aa" * 32,
        "manifest": json.dumps({"payload": "{}", "key_id": "aa" * 32, "signature": "00" * 64}),
        "published_at_s": 2.0,
        "stable": True,
    },
    "rollouts": {
        "nth": 1,
        "rollout_id": "rollout-1",
        "release_id": "release-1",
        "sku": "standard",
        "plan": '{"phases": [{"name": "full", "percent": 100, "soak_s": 0}]}',
        "salt": b"\x00\xffsalt",
        "state": "running",
        "phase": 0,
        "phase_opened_at_s": 3.0,
        "started_at_s": 3.0,
        "looked_at_s": 1.5,
        "watched_since_s": 1.25,
        "soaked_s": 0.5,
        "reason": "Started.",
    },
    "assignments": {
        "nth": 1,
        "assignment_id": "assignment-1",
        "rollout_id": "rollout-1",
        "release_id": "release-1",
        "robot_id": "robot-1",
        "assigned_at_s": 4.0,
        "attempt": 1,
        "status": "rolled_back",
        "code": "trial-failed",
        "status_since_s": 4.5,
        "installed_at_s": None,
        "is_open": False,
        "force": False,
        "rollback": True,
    },
}


# Where a column of then is now, if it is in another table.
MOVED = {("facts", "heard_at_s"): "heard"}


def put_old_rows(connection: Connection) -> None:
    config = alembic_config(connection)
    command.upgrade(config, "0001")
    old = MetaData()
    old.reflect(connection)
    for name, row in OLD_ROWS.items():
        assert set(row) == set(old.tables[name].columns.keys()), f"table {name} is not as it was"
        connection.execute(old.tables[name].insert(), row)


def rows_of_today(connection: Connection) -> dict[str, list[dict[str, object]]]:
    found = MetaData()
    found.reflect(connection)
    names = found.tables.keys() - {"alembic_version"}
    return {name: [dict(row) for row in connection.execute(found.tables[name].select()).mappings()] for name in names}


def test_old_rows_are_there_after_going_up_and_as_before_after_coming_down(empty_url: str) -> None:
    engine = writing_engine(empty_url)
    with engine.begin() as connection:
        put_old_rows(connection)
        before = rows_of_today(connection)
        command.upgrade(alembic_config(connection), "head")
        above = rows_of_today(connection)
        for name, row in OLD_ROWS.items():
            for column, value in row.items():
                (found,) = above[MOVED.get((name, column), name)]
                assert found[column] == value, f"table {name} lost {column}"
        command.downgrade(alembic_config(connection), "0001")
        assert rows_of_today(connection) == before
    engine.dispose()


def test_old_rows_are_read_as_values_of_today(empty_url: str) -> None:
    engine = writing_engine(empty_url)
    with engine.begin() as connection:
        put_old_rows(connection)
    engine.dispose()
    store = SqlStore(empty_url)

    def check(rows: Rows) -> None:
        (view,) = rows.robot_views("", 10)
        assert view.facts is not None and view.facts.report.seq == 42 and view.facts.past_epochs == ("older",)
        assert (view.facts.received_at_s, view.facts.heard_at_s) == (10.25, 11.5)
        assert view.assignment is not None and view.assignment.status is Status.ROLLED_BACK
        assert (view.assignment.downloading_since_s, view.assignment.download_s) == (None, None)
        assert rows.robot("robot-1") == view.robot
        assert [entry.text for entry in rows.history("robot-1", 10)] == ["Something."]
        assert [key.name for key in rows.find(Key)] == ["ci"]
        assert [release.stable for release in rows.find(Release)] == [True]
        (rollout,) = rows.find(Rollout, only_robot_id=None)
        assert (rollout.plan.phases[0].name, rollout.only_robot_id, rollout.force) == ("full", None, False)

    store.read(check)
    store.close()
