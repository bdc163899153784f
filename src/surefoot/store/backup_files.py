"""The files of a backup: its index, rows as lines of JSON, and what proves that it is complete."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from surefoot.store.blob_rules import SHA256
from surefoot.wire.errors import Damaged

INDEX = "backup.json"
FORMAT = 1
ROWS_AT_ONCE = 1000
SERVER_FOLDER = "server"
# No name that leads out of the folder.
_SERVER_FILE = re.compile(r"(?:[a-z]+/)?[a-z]+\.[a-z]+")


@dataclass(kw_only=True)
class Index:
    """What a backup holds: the schema's revision, the rows and SHA-256 of each table's file, images, server's files."""

    revision: str
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    server_files: dict[str, str] = field(default_factory=dict)

    def dump(self) -> str:
        """Return it as JSON text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)


def load_index(source: Path) -> Index:
    """Return the index of a backup that is whole; raise `Damaged` (`damaged-backup`)."""
    try:
        held = json.loads((source / INDEX).read_text())
        if held.pop("format") != FORMAT:
            raise Damaged("damaged-backup", f"{source} is a backup of another kind: restore it with the newer version.")
        index = Index(**held)
        wanted = {f"tables/{name}.jsonl": str(table["sha256"]) for name, table in index.tables.items()}
        wanted |= {f"images/{sha256}": sha256 for sha256 in index.images}
        wanted |= {f"{SERVER_FOLDER}/{name}": sha256 for name, sha256 in index.server_files.items()}
        if not all(map(SHA256.fullmatch, wanted.values())) or not all(map(_SERVER_FILE.fullmatch, index.server_files)):
            raise Damaged("damaged-backup", f"{source} names a file that is none: use another backup.")
        for name, sha256 in wanted.items():
            with (source / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise Damaged("damaged-backup", f"{name} of the backup was changed: use another backup.")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged("damaged-backup", f"{source} is no complete backup: use another. {error}") from error
    return index


def write_server_files(folder: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write files for nobody but their owner, and return their SHA-256 by name."""
    for name, data in files.items():
        (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def encode_row(row: Mapping[Any, Any]) -> bytes:
    """Return a row as a line of JSON; bytes become an object with their base64."""
    plain = {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    return json.dumps(plain, sort_keys=True).encode() + b"\n"


def decode_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row that a line of JSON means."""
    return {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) else value for name, value in row.items()
    }


def sync_all(path: Path, *, whole: bool = True) -> None:
    """See that a directory, and all below it unless not `whole`, is on the disk."""
    for found in [path, *(path.rglob("*") if whole else ())]:
        descriptor = os.open(found, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
