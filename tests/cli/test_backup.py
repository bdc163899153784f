"""A server is copied while robots keep reporting, and another one made of the copy takes its place."""

import json
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import MetaData
from tuf.api.metadata import Metadata, Timestamp

from databases import EVERY
from live_server import LiveServer
from metadata_case import ROOT, TARGETS, a_signer, keys, signed
from postgres import new_database
from server_bench import SignedBuild, build, report
from surefoot.cli.backup import Progress
from surefoot.server.backup import KEPT
from surefoot.server.metadata_key import ensure_metadata_key
from surefoot.signing import metadata as offline
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.engines import reading_engine

Run = Callable[..., Any]

ROBOTS = ("arm-1", "arm-2", "arm-3")


def place(name: str, data_dir: Path) -> str:
    """Return the address of an empty database: for SQLite, the one that a data directory has anyway."""
    return new_database() if name == "postgresql" else f"sqlite:///{data_dir / 'surefoot.db'}"


def tables_of(url: str) -> dict[str, list[dict[str, Any]]]:
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


class Fleet:
    """A server with robots that report; `said` is the last report of each that was acknowledged."""

    def __init__(self, server: LiveServer, database_url: str) -> None:
        self.server = server
        self.database_url = database_url
        self.ended, self.under_way = Event(), Event()
        self.tokens: dict[str, str] = {}
        self.said = dict.fromkeys(ROBOTS, 0)
        for robot_id in ROBOTS:
            answer = self.operate("POST", "/api/v1/robots", json={"robot_id": robot_id, "sku": "standard"})
            self.tokens[robot_id] = answer.json()["token"]
        self.build = self._publish()

    def operate(self, method: str, path: str, **request: Any) -> httpx.Response:
        with self.server.operator() as operator:
            answer = operator.request(method, path, **request)
        assert answer.is_success, answer.text
        return answer

    def _publish(self) -> SignedBuild:
        signer = a_signer(7)
        made = build(signer, "0.2.1")
        self.operate(
            "POST", "/api/v1/keys", json={"name": "ci", "der_base64": b64encode(signer.public_key.der).decode()}
        )
        self.operate("PUT", f"/api/v1/images/{made.sha256}", content=made.data)
        self.operate("POST", "/api/v1/releases", json=made.release_body())
        return made

    def set_up_metadata(self) -> None:
        now = datetime.now(UTC)
        online = ensure_metadata_key(self.server.data_dir).public_key
        root = signed(offline.make_root(keys(ROOT), keys(TARGETS), online, now), ROOT)
        targets = signed(offline.make_targets(now), TARGETS)
        self.operate("POST", "/api/v1/metadata", json={"root": root.decode(), "targets": targets.decode()})

    def report(self) -> None:
        """Let every robot report again and again until `ended`; `under_way` says that each of them did so."""
        with self.server.client() as robots:
            while not self.ended.is_set():
                for robot_id in ROBOTS:
                    seq = self.said[robot_id] + 1
                    assert says(robots, robot_id, self.tokens[robot_id], seq).status_code == 200
                    self.said[robot_id] = seq
                self.under_way.set()


def says(client: httpx.Client, robot_id: str, token: str, seq: int) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/v1/report", content=report(robot_id, seq=seq), headers=headers)


def timestamp_version(server: LiveServer) -> int:
    with server.client() as anyone:
        answer = anyone.get("/v1/metadata/timestamp.json")
    return Metadata[Timestamp].from_bytes(answer.content).signed.version


@pytest.fixture
def fleet(from_: str, tmp_path: Path) -> Iterator[Fleet]:
    data_dir = tmp_path / "old"
    url = place(from_, data_dir)
    with LiveServer(data_dir, database_url=url).start() as server:
        yield Fleet(server, url)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration file that names a database."""

    def write(url: str) -> Path:
        path = tmp_path / "server.toml"
        path.write_text(f'database_url = "{url}"\n')
        return path

    return write


@pytest.mark.parametrize("from_", EVERY)
def test_robots_go_on_with_the_restored_server_as_if_it_were_the_old_one(
    surefoot: Run, fleet: Fleet, config: Callable[[str], Path], from_: str, tmp_path: Path
) -> None:
    old, target, new_dir = fleet.server, tmp_path / "backup", tmp_path / "new"
    fleet.set_up_metadata()
    talking = Thread(target=fleet.report)
    talking.start()
    assert fleet.under_way.wait(20)
    before = dict(fleet.said)
    made = surefoot("backup", "--data", old.data_dir, "--config", config(fleet.database_url), "--output", target)
    after = dict(fleet.said)
    fleet.ended.set()
    talking.join()
    assert (made.code, made.stderr) == (0, ""), made.stderr
    assert "robots  3" in made.stdout
    last_version = timestamp_version(old)
    old.kill9()

    url = place(from_, new_dir)
    restored = surefoot("restore", target, "--data", new_dir, "--config", config(url), "--json")
    assert restored.code == 0, restored.stdout
    assert (restored.json["rows"]["robots"], restored.json["images"]) == (3, 1)
    for row in tables_of(url)["facts"]:
        robot_id, seq = row["robot_id"], json.loads(row["report"])["seq"]
        assert before[robot_id] <= seq <= after[robot_id] + 1, "a report that was acknowledged is missing"

    ca = old.ca_path.read_bytes()
    with LiveServer(new_dir, database_url=url).start() as new:
        assert new.ca_path.read_bytes() == ca
        assert timestamp_version(new) > last_version, "companions would take its metadata for old"
        # With the CA and the tokens that the robots were given by the old server.
        with httpx.Client(base_url=new.url, verify=old.tls, timeout=20) as robots:
            for robot_id, token in fleet.tokens.items():
                assert says(robots, robot_id, token, fleet.said[robot_id] + 1).status_code == 200
            headers = {"Authorization": f"Bearer {fleet.tokens['arm-1']}"}
            image = robots.get(f"/v1/images/{fleet.build.sha256}", headers=headers)
            assert image.content == fleet.build.data
        with new.operator() as operator:
            assert operator.get("/api/v1/robots/arm-1").json()["robot_id"] == "arm-1"
        assert surefoot("audit", "verify", "--data", new_dir).code == 0


@pytest.mark.postgres
@pytest.mark.parametrize(("from_", "to"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_every_table_and_every_image_comes_back_on_the_other_database(
    surefoot: Run, fleet: Fleet, config: Callable[[str], Path], to: str, tmp_path: Path
) -> None:
    fleet.server.stop()
    target, new_dir = tmp_path / "backup", tmp_path / "new"
    url = place(to, new_dir)
    old_dir = fleet.server.data_dir
    made = surefoot("backup", "--data", old_dir, "--config", config(fleet.database_url), "--output", target, "--json")
    assert made.code == 0, made.stdout
    restored = surefoot("restore", target, "--data", new_dir, "--config", config(url), "--json")
    assert restored.code == 0, restored.stdout
    assert restored.json["rows"] == made.json["rows"]
    assert tables_of(url) == tables_of(fleet.database_url)
    old_images, new_images = DirectoryBlobs(old_dir / "images"), DirectoryBlobs(new_dir / "images")
    assert list(new_images.sha256s()) == list(old_images.sha256s()) == [fleet.build.sha256]
    assert new_images.read(fleet.build.sha256, 0, len(fleet.build.data)) == fleet.build.data
    for name in KEPT:
        assert (new_dir / name).read_bytes() == (old_dir / name).read_bytes()
        assert (new_dir / name).stat().st_mode == (old_dir / name).stat().st_mode
    assert stat.S_IMODE((new_dir / "tls").stat().st_mode) == 0o700


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data directory of a server that ran once, and its configuration."""
    folder = tmp_path_factory.mktemp("stopped")
    url = f"sqlite:///{folder / 'data' / 'surefoot.db'}"
    LiveServer(folder / "data", database_url=url).start().stop()
    (folder / "server.toml").write_text(f'database_url = "{url}"\n')
    return folder / "data", folder / "server.toml"


@pytest.fixture
def backup(surefoot: Run, stopped: tuple[Path, Path], tmp_path: Path) -> Path:
    data, config = stopped
    made = surefoot("backup", "--data", data, "--config", config, "--output", tmp_path / "backup")
    assert made.code == 0, made.stderr
    return tmp_path / "backup"


def test_the_secrets_of_a_backup_are_for_its_owner_alone(backup: Path) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    files = [path for path in (backup / "server").rglob("*") if path.is_file()]
    assert {path.relative_to(backup / "server").as_posix() for path in files} == set(KEPT)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_backup_without_the_fleets_keys_is_none(surefoot: Run, stopped: tuple[Path, Path], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = surefoot("backup", "--data", elsewhere, "--config", stopped[1], "--output", tmp_path / "backup")
    assert (outcome.code, outcome.error_code) == (1, "refused-file-unreadable")
    assert not (tmp_path / "backup").exists()


def test_a_backup_is_never_overwritten(surefoot: Run, stopped: tuple[Path, Path], backup: Path) -> None:
    outcome = surefoot("backup", "--data", stopped[0], "--output", backup)
    assert outcome.error_code == "refused-backup-exists"


def test_a_place_that_cannot_be_written_to_is_named(
    surefoot: Run, stopped: tuple[Path, Path], backup: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    data_dir, _ = stopped
    for outcome in (
        surefoot("backup", "--data", data_dir, "--output", file / "below"),
        surefoot("restore", backup, "--data", file / "below"),
    ):
        assert (outcome.code, outcome.error_code) == (1, "refused-file-unwritable")
        assert "Not a directory" in outcome.stderr


def test_a_directory_that_holds_anything_is_left_alone(surefoot: Run, backup: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "letter.txt").write_text("Dear fleet")
    outcome = surefoot("restore", backup, "--data", taken)
    assert (outcome.code, outcome.error_code) == (1, "refused-restore-not-empty")
    assert {path.name for path in taken.iterdir()} == {"letter.txt", "server.lock"}


def test_a_running_server_is_not_restored_over(surefoot: Run, backup: Path, live_dir: Path) -> None:
    outcome = surefoot("restore", backup, "--data", live_dir)
    assert outcome.error_code == "refused-data-in-use"


@pytest.fixture
def live_dir(tmp_path: Path) -> Iterator[Path]:
    with LiveServer(tmp_path / "live").start() as server:
        yield server.data_dir


@pytest.mark.parametrize("harm", ["changed", "missing", "unlisted"])
def test_a_backup_with_a_wrong_key_restores_nothing(surefoot: Run, backup: Path, tmp_path: Path, harm: str) -> None:
    key, index = backup / "server" / "tls" / "ca.key", backup / "backup.json"
    if harm == "changed":
        key.write_bytes(key.read_bytes()[:-2])
    elif harm == "missing":
        key.unlink()
    else:
        held = json.loads(index.read_text())
        del held["server_files"]["tls/ca.key"]
        index.write_text(json.dumps(held))
    outcome = surefoot("restore", backup, "--data", tmp_path / "new")
    assert outcome.error_code == "damaged-backup"
    assert not (tmp_path / "new").exists()


def test_a_restore_that_fails_leaves_the_directory_empty_for_the_next(
    surefoot: Run, backup: Path, stopped: tuple[Path, Path], tmp_path: Path
) -> None:
    new = tmp_path / "new"
    # That database holds the old server's rows.
    failed = surefoot("restore", backup, "--data", new, "--config", stopped[1])
    assert failed.error_code == "refused-restore-not-empty"
    assert [path.name for path in new.iterdir()] == ["server.lock"]
    assert surefoot("restore", backup, "--data", new).code == 0


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere() -> None:
    terminal, pipe = Terminal(), StringIO()
    for stream in (terminal, pipe):
        with Progress(stream, shown=True) as progress:
            progress.tell("robots: 3")
            progress.tell("images: 1")
    assert terminal.getvalue().split("\r\x1b[K") == ["", "Copied robots: 3", "Copied images: 1", ""]
    assert pipe.getvalue() == ""
