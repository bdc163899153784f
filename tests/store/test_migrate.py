from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from surefoot.store.engines import writing_engine
from surefoot.store.migrate import alembic_config, migrate, upgrade
from surefoot.store.registry import metadata
from surefoot.wire.errors import Refused


def table_names(url: str) -> set[str]:
    engine = writing_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_migrated_schema_is_the_one_the_code_describes(url: str) -> None:
    migrate(url)
    engine = writing_engine(url)
    with engine.begin() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    engine.dispose()
    assert found == []


def test_the_schema_goes_up_and_down_and_up_again(url: str) -> None:
    engine = writing_engine(url)
    with engine.begin() as connection:
        upgrade(connection)
        command.downgrade(alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        upgrade(connection)
    engine.dispose()
    assert table_names(url) == {*metadata.tables, "alembic_version"}


def test_migrating_again_changes_nothing(url: str) -> None:
    migrate(url)
    migrate(url)
    assert table_names(url) == {*metadata.tables, "alembic_version"}


def test_a_migration_that_is_cut_off_leaves_the_old_schema(url: str) -> None:
    engine = writing_engine(url)
    with engine.connect() as connection, connection.begin() as transaction:
        upgrade(connection)
        transaction.rollback()
    engine.dispose()
    assert table_names(url) == set()


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
