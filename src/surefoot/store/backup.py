"""A copy of all rows and files, taken while servers run, that any database and any storage of files can take back.

A backup is a directory: `backup.json` names the schema and the SHA-256 of all else, `tables/` holds JSON lines for each
table, `images/` the files by their SHA-256, `server/` what the server keeps beside both. The rows are those of one
moment; the files are copied after them, so that none is missing which a row names.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from surefoot.fleet.ports import Blobs
from surefoot.store.backup_files import (
    INDEX,
    ROWS_AT_ONCE,
    SERVER_FOLDER,
    Index,
    decode_row,
    encode_row,
    load_index,
    sync_all,
    write_server_files,
)
from surefoot.store.engines import as_ours, reading_engine, schema_engine
from surefoot.store.migrate import current_revision, upgrade
from surefoot.wire.errors import Damaged, Refused

PIECE_BYTES = 1024 * 1024
_REVISIONS = "alembic_version"

# Is told what was just copied, in a few words.
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied: how many rows of which table, and how many files."""

    rows: dict[str, int]
    images: int


def backup(
    url: str, blobs: Blobs, target: Path, server_files: Mapping[str, bytes] | None = None, tell: Tell = lambda _: None
) -> Copied:
    """Copy the database at `url` and all files into the directory `target`, which appears once it is complete.

    `server_files` are kept with it by their names, for nobody but the owner to read.

    Raises:
        Refused: `refused-backup-exists`, `refused-store-url`.
        Interrupted: `interrupted-store`, `interrupted-blob`.
        Damaged: `damaged-blob` when a file is not what its name says.
    """
    if target.exists():
        raise Refused("refused-backup-exists", f"There is something at {target} already: name a place without.")
    growing = target.with_name(f".{target.name}.incomplete")
    shutil.rmtree(growing, ignore_errors=True)
    # Rows hold the hashes of tokens and passwords.
    growing.mkdir(mode=0o700, parents=True)
    for folder in ("tables", "images"):
        (growing / folder).mkdir()
    index = _with_connection(reading_engine, url, lambda connection: _copy_rows(connection, growing / "tables", tell))
    for sha256 in blobs.sha256s():
        _copy_file(blobs, sha256, growing / "images" / sha256)
        index.images.append(sha256)
        tell(f"images: {len(index.images)}")
    index.images.sort()
    index.server_files = write_server_files(growing / SERVER_FOLDER, server_files or {})
    (growing / INDEX).write_text(index.dump())
    sync_all(growing)
    growing.rename(target)
    sync_all(target.parent, whole=False)
    return Copied(rows={name: table["rows"] for name, table in index.tables.items()}, images=len(index.images))


def restore(source: Path, url: str, blobs: Blobs, tell: Tell = lambda _: None) -> Copied:
    """Bring a backup's rows and images into an empty database and a storage of files, and the schema to the newest.

    The files come first and the rows in one transaction, so that cut off at any moment it can be begun again.

    Raises:
        Refused: `refused-restore-not-empty`, `refused-schema-newer`, `refused-store-url`.
        Interrupted: `interrupted-store`, `interrupted-blob`.
        Damaged: `damaged-backup`; nothing was restored then.
    """
    index = load_index(source)

    def fill(connection: Connection) -> None:
        if inspect(connection).get_table_names():
            detail = "The database to restore into has tables already: name an empty one."
            raise Refused("refused-restore-not-empty", detail)
        for number, sha256 in enumerate(index.images, start=1):
            blobs.put(sha256, (source / "images" / sha256).read_bytes())
            tell(f"images: {number} of {len(index.images)}")
        upgrade(connection, index.revision)
        _fill_tables(connection, source / "tables", index, tell)
        upgrade(connection)

    _with_connection(schema_engine, url, fill)
    return Copied(rows={name: table["rows"] for name, table in index.tables.items()}, images=len(index.images))


def _with_connection(open_engine: Callable[[str], Any], url: str, work: Callable[[Connection], Any]) -> Any:
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            return work(connection)
    except DBAPIError as error:
        raise as_ours(error) from error
    finally:
        engine.dispose()


def _tables(connection: Connection) -> list[Table]:
    """Return the tables that are there, those that others refer to first."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != _REVISIONS]


def _copy_rows(connection: Connection, folder: Path, tell: Tell) -> Index:
    index = Index(revision=current_revision(connection))
    for table in _tables(connection):
        digest, rows = hashlib.sha256(), 0
        with (folder / f"{table.name}.jsonl").open("wb") as file:
            statement = select(table).order_by(*table.primary_key)
            for row in connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}).mappings():
                line = encode_row(row)
                file.write(line)
                digest.update(line)
                rows += 1
        index.tables[table.name] = {"rows": rows, "sha256": digest.hexdigest()}
        tell(f"{table.name}: {rows}")
    return index


def _copy_file(blobs: Blobs, sha256: str, target: Path) -> None:
    size_bytes = blobs.size_bytes(sha256) or 0
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for offset_bytes in range(0, size_bytes, PIECE_BYTES):
            piece = blobs.read(sha256, offset_bytes, min(PIECE_BYTES, size_bytes - offset_bytes))
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != sha256:
        raise Damaged("damaged-blob", f"The file {sha256} is not what its name says: publish the release again.")


def _fill_tables(connection: Connection, folder: Path, index: Index, tell: Tell) -> None:
    tables = _tables(connection)
    if {table.name for table in tables} != index.tables.keys():
        raise Damaged("damaged-backup", "The backup's tables are not those of its schema: use another backup.")
    for table in reversed(tables):
        # A migration may have put rows there; those of the backup are all there were.
        connection.execute(table.delete())
    for table in tables:
        for rows in _pages(folder / f"{table.name}.jsonl"):
            connection.execute(table.insert(), rows)
        tell(f"{table.name}: {index.tables[table.name]['rows']}")
        if connection.dialect.name == "postgresql" and "nth" in table.columns:
            # Rows were given their numbers here; the next new one comes behind them.
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'nth'), coalesce(max(nth), 0) + 1, false)"  # noqa: S608 - a table's name
                    f" FROM {table.name}"
                )
            )


def _pages(path: Path) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            page.append(decode_row(json.loads(line)))
            if len(page) == ROWS_AT_ONCE:
                yield page
                page = []
    if page:
        yield page
