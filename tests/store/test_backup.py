import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count, pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import MetaData

from databases import EMPTY_MAKERS, EVERY, MAKERS
from store.values import a_key, a_report, a_robot, an_assignment, an_entry, put_a_fleet, some_facts
from surefoot.fleet.model import Key
from surefoot.fleet.ports import Blobs, Rows
from surefoot.store.backup import backup, restore
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.engines import reading_engine
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Damaged, Refused

IMAGES = [b"", b"small", bytes(range(256)) * 9000]


def put_everything(rows: Rows) -> None:
    put_a_fleet(rows)
    odd = a_report(epoch="\u2028 \\ ü").replace(seq=2**53 - 1)
    rows.put_facts(some_facts(report=odd, received_at_s=0.1 + 0.2, heard_at_s=1e-300))
    rows.put_assignment(an_assignment(installed_at_s=None))
    rows.add_history(an_entry(text='Line\nbreak, "quotes" and a tab\t.'))
    rows.put(a_key("dd" * 32, public_key_xy=bytes(reversed(range(64)))))


def put_images(blobs: Blobs) -> None:
    for data in IMAGES:
        blobs.put(sha256(data).hexdigest(), data)


def tables_of(url: str) -> dict[str, list[dict[str, Any]]]:
    """Read every table as it lies there, by other means than the backup's."""
    engine = reading_engine(url)
    with engine.begin() as connection:
        found = MetaData()
        found.reflect(connection)
        tables = {
            name: sorted(map(dict, connection.execute(table.select()).mappings()), key=repr)
            for name, table in found.tables.items()
        }
    engine.dispose()
    return tables


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "monday"


@pytest.mark.parametrize("from_", EVERY)
@pytest.mark.parametrize("to", EVERY)
def test_every_table_and_every_file_comes_back_on_whichever_database(
    from_: str, to: str, tmp_path: Path, target: Path, blobs: Blobs
) -> None:
    url, other_url = EMPTY_MAKERS[from_](tmp_path), EMPTY_MAKERS[to](tmp_path)
    store = SqlStore(url)
    store.submit(put_everything).result()
    put_images(blobs)
    copied = backup(url, blobs, target)
    store.close()
    other_blobs = DirectoryBlobs(tmp_path / "other")
    assert restore(target, other_url, other_blobs) == copied
    assert tables_of(other_url) == tables_of(url)
    assert (copied.images, copied.rows["robots"], copied.rows["keys"]) == (3, 3, 2)
    assert sorted(other_blobs.sha256s()) == sorted(blobs.sha256s())
    for data in IMAGES:
        assert other_blobs.read(sha256(data).hexdigest(), 0, len(data)) == data
    restored = SqlStore(other_url)
    restored.submit(lambda rows: rows.put(a_key("ee" * 32))).result()
    assert [key.key_id[:2] for key in restored.read(lambda rows: rows.find(Key))] == ["aa", "dd", "ee"]
    restored.close()


@pytest.fixture
def busy_url(url: str) -> Iterator[str]:
    """A database that somebody keeps writing to: a robot and its history entry at a time."""
    store, ended = SqlStore(url), Event()
    store.submit(put_everything).result()

    def enrol(name: str) -> Callable[[Rows], None]:
        def work(rows: Rows) -> None:
            rows.put_robot(a_robot(name))
            rows.add_history(an_entry(name))

        return work

    def write() -> None:
        for number in count():
            if ended.is_set():
                return
            store.submit(enrol(f"late-{number:06}")).result()

    writer = Thread(target=write)
    writer.start()
    yield url
    ended.set()
    writer.join()
    store.close()


def test_a_backup_of_a_running_server_is_of_one_moment(busy_url: str, tmp_path: Path, target: Path) -> None:
    blobs = DirectoryBlobs(tmp_path / "images")
    sizes = []
    for number in range(3):
        path = target.with_name(str(number))
        backup(busy_url, blobs, path)
        other = EMPTY_MAKERS["sqlite"](tmp_path)
        restore(path, other, blobs)
        rows = tables_of(other)
        late = {row["robot_id"] for row in rows["robots"]} - {"robot-1", "robot-2", "robot-3"}
        assert late == {row["robot_id"] for row in rows["history"]} - {"robot-1"}, "a work was cut in half"
        sizes.append(len(late))
    assert all(before <= after for before, after in pairwise(sizes))


@pytest.fixture
def small_backup(tmp_path: Path, target: Path) -> Path:
    url, blobs = MAKERS["sqlite"](tmp_path), DirectoryBlobs(tmp_path / "images")
    store = SqlStore(url)
    store.submit(put_everything).result()
    store.close()
    put_images(blobs)
    backup(url, blobs, target)
    return target


def test_a_backup_is_for_its_owner_alone_and_has_no_leftovers_beside_it(small_backup: Path) -> None:
    assert small_backup.stat().st_mode & 0o077 == 0
    assert list(small_backup.parent.iterdir()) == [small_backup]


def test_what_is_there_already_is_not_overwritten(small_backup: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        backup(EMPTY_MAKERS["sqlite"](tmp_path), DirectoryBlobs(tmp_path / "images"), small_backup)
    assert caught.value.code == "refused-backup-exists"


def test_a_database_that_no_server_used_is_refused_and_leaves_no_backup(tmp_path: Path, target: Path) -> None:
    with pytest.raises(Refused) as caught:
        backup(EMPTY_MAKERS["sqlite"](tmp_path), DirectoryBlobs(tmp_path / "images"), target)
    assert caught.value.code == "refused-store-url"
    assert not target.exists()


def test_a_database_that_holds_something_is_refused_and_left_alone(small_backup: Path, url: str) -> None:
    store = SqlStore(url)
    store.submit(lambda rows: rows.put_robot(a_robot("mine"))).result()
    store.close()
    before = tables_of(url)
    with pytest.raises(Refused) as caught:
        restore(small_backup, url, DirectoryBlobs(small_backup.parent / "none"))
    assert caught.value.code == "refused-restore-not-empty"
    assert tables_of(url) == before


@pytest.mark.parametrize("harm", ["row", "image", "no-image", "no-index", "revision", "table"])
def test_a_backup_that_was_harmed_is_not_restored(small_backup: Path, empty_url: str, harm: str) -> None:
    index = small_backup / "backup.json"
    held = json.loads(index.read_text())
    image = small_backup / "images" / sha256(b"small").hexdigest()
    if harm == "row":
        rows = small_backup / "tables" / "robots.jsonl"
        rows.write_text(rows.read_text().replace("robot-1", "robot-9"))
    elif harm == "image":
        image.write_bytes(b"other")
    elif harm == "no-image":
        image.unlink()
    elif harm == "no-index":
        index.unlink()
    elif harm == "revision":
        index.write_text(json.dumps({**held, "revision": "9999"}))
    else:
        del held["tables"]["history"]
        index.write_text(json.dumps(held))
    with pytest.raises((Damaged, Refused)) as caught:
        restore(small_backup, empty_url, DirectoryBlobs(small_backup.parent / "restored"))
    assert caught.value.code == ("refused-schema-newer" if harm == "revision" else "damaged-backup")
    assert tables_of(empty_url) == {}
