"""What makes a backup one of a whole server: beside rows and images, the secrets that only its data directory holds.

Without the fleet CA's key every robot would have to be visited, as none trusts a server with another one; without the
server's own metadata key, companions would wait for a new root. The server's own certificate is none of them: a start
makes it anew for the host it is on.
"""

import logging
import os
import shutil
import time
from pathlib import Path

from surefoot.fleet.metadata import renew
from surefoot.server.certificates import CERTIFICATES_FOLDER
from surefoot.server.composition import OPERATOR_TOKEN_FILE, database_url, open_blobs
from surefoot.server.files import PRIVATE, PUBLIC, hold_data_dir, write_atomically, writing
from surefoot.server.metadata_key import KEY_FILE, ensure_metadata_key
from surefoot.server.settings import ServerSettings
from surefoot.store.backup import Copied, Tell, backup, restore
from surefoot.store.backup_files import SERVER_FOLDER, load_index
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Damaged, Refused

# With the mode that each has in a data directory.
KEPT = {
    f"{CERTIFICATES_FOLDER}/ca.key": PRIVATE,
    f"{CERTIFICATES_FOLDER}/ca.pem": PUBLIC,
    KEY_FILE: PRIVATE,
    OPERATOR_TOKEN_FILE: PRIVATE,
}
# What may lie in a directory that counts as empty: our own lock, and what a file system puts into its root.
_NOTHING = {"server.lock", "lost+found"}

log = logging.getLogger(__name__)


def back_up_server(settings: ServerSettings, target: Path, tell: Tell) -> Copied:
    """Copy a server, running or not, into the directory `target`, which appears once it is complete.

    Raises:
        Refused: `refused-file-unreadable` when the data directory lacks one of its secrets or keeps it from this user,
            `refused-file-unwritable`, and what `store.backup.backup` raises.
    """
    files = {name: _read(settings.data_dir / name) for name in KEPT}
    with writing(target):
        return backup(database_url(settings), open_blobs(settings), target, files, tell)


def restore_server(source: Path, settings: ServerSettings, tell: Tell) -> Copied:
    """Bring a backup into an empty data directory, database and storage of images; what fails leaves the first empty.

    Raises:
        Refused: `refused-restore-not-empty`, `refused-data-in-use` when a server runs there, `refused-schema-newer`,
            `refused-file-unwritable`.
        Damaged: `damaged-backup`.
        Interrupted: `interrupted-store`, `interrupted-blob`.
    """
    if missing := KEPT.keys() - load_index(source).server_files.keys():
        raise Damaged("damaged-backup", f"{source} holds no {min(missing)}: it is no backup of a server.")
    data_dir = settings.data_dir
    with writing(data_dir), hold_data_dir(data_dir):
        if any(path.name not in _NOTHING for path in data_dir.iterdir()):
            raise Refused("refused-restore-not-empty", f"There is something in {data_dir}: name an empty directory.")
        try:
            copied = restore(source, database_url(settings), open_blobs(settings), tell)
            for name, mode in KEPT.items():
                (data_dir / name).parent.mkdir(mode=0o700, exist_ok=True)
                write_atomically(data_dir / name, (source / SERVER_FOLDER / name).read_bytes(), mode)
        except BaseException:
            _empty(data_dir)
            raise
        _outrun_what_was_seen(settings)
        _give_to_owner(data_dir)
    return copied


def _outrun_what_was_seen(settings: ServerSettings) -> None:
    """Sign metadata whose version is above all that were signed after the backup: companions believe none below."""
    store = SqlStore(database_url(settings))
    now_s = time.time()
    try:
        key = ensure_metadata_key(settings.data_dir)
        # Versions count up by one and far slower than seconds do, also where the same backup is restored twice.
        store.submit(lambda rows: renew(rows, key, now_s, version_min=int(now_s))).result()
    except Refused as error:
        log.warning("metadata-stale code=%s detail=%s", error.code, error.message)
    finally:
        store.close()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        detail = f"Cannot read {path} ({error.strerror}): name the server's data directory, and run as its user."
        raise Refused("refused-file-unreadable", detail) from error


def _empty(data_dir: Path) -> None:
    for path in data_dir.iterdir():
        if path.name in _NOTHING:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _give_to_owner(data_dir: Path) -> None:
    """Let the directory's owner use what root put there: a server runs as a user of its own."""
    if os.geteuid() != 0:
        return
    owner = data_dir.stat()
    for path in data_dir.rglob("*"):
        if path.name != "lost+found":
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
