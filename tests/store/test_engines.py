from pathlib import Path

import pytest
from sqlalchemy import Engine

from surefoot.store.engines import reading_engine, writing_engine
from surefoot.wire.errors import Refused


@pytest.mark.parametrize("make", [writing_engine, reading_engine])
@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10000)]
)
def test_sqlite_is_durable_before_it_is_fast(tmp_path: Path, make: object, pragma: str, value: object) -> None:
    assert callable(make)
    engine = make(f"sqlite:///{tmp_path / 'fleet.db'}")
    assert isinstance(engine, Engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()


def test_a_transaction_begins_where_it_is_said_to(tmp_path: Path) -> None:
    engine = writing_engine(f"sqlite:///{tmp_path / 'fleet.db'}")
    with engine.connect() as connection:
        transaction = connection.begin()
        savepoint = connection.begin_nested()
        connection.exec_driver_sql("CREATE TABLE made (x)")
        savepoint.commit()
        transaction.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar() == 0
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_would_be_forgotten_is_refused(url: str) -> None:
    with pytest.raises(Refused) as caught:
        writing_engine(url)
    assert caught.value.code == "refused-store-url"
