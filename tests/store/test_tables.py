from pathlib import Path

import pytest
from sqlalchemy import text

from store.values import a_rollout, put_a_fleet
from surefoot.fleet.model import Rollout
from surefoot.store.engines import writing_engine
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Damaged


@pytest.mark.parametrize("column", ["state", "plan"])
def test_a_word_or_value_that_this_version_does_not_know_is_damage_and_no_guess(tmp_path: Path, column: str) -> None:
    url = f"sqlite:///{tmp_path / 'fleet.db'}"
    store = SqlStore(url)
    store.submit(put_a_fleet).result()
    engine = writing_engine(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE rollouts SET {column} = 'unheard-of' WHERE rollout_id = 'rollout-1'"))
    engine.dispose()
    with pytest.raises(Damaged) as caught:
        store.read(lambda rows: rows.get(Rollout, "rollout-1"))
    assert caught.value.code == "damaged-row"
    assert store.read(lambda rows: rows.get(Rollout, "rollout-2")) == a_rollout("rollout-2")
    store.close()


def test_a_file_that_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "fleet.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(Damaged) as caught:
        SqlStore(f"sqlite:///{tmp_path / 'fleet.db'}")
    assert caught.value.code == "damaged-store"
