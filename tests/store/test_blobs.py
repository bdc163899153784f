import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import obstore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from object_store import new_bucket
from surefoot.fleet.ports import Blobs
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.object_blobs import ObjectBlobs
from surefoot.wire.errors import Damaged, Interrupted, Misuse, Refused

HELPERS = Path(__file__).parent
DATA = bytes(range(256)) * 40
SHA256 = sha256(DATA).hexdigest()
STRANGE_IDS = [
    "",
    "..",
    "../" * 21 + "x",
    SHA256.upper(),
    SHA256[:-1],
    SHA256 + "\n",
    "/etc/passwd",
    "é" * 64,
    "\0" * 64,
]


# The contract of `Blobs`, held against every filling.


def test_a_file_comes_back_whole(blobs: Blobs) -> None:
    blobs.put(SHA256, DATA)
    assert blobs.size_bytes(SHA256) == len(DATA)
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_piece_comes_back(blobs: Blobs, data: st.DataObject) -> None:
    blobs.put(SHA256, DATA)
    offset_bytes = data.draw(st.integers(0, len(DATA)))
    length_bytes = data.draw(st.integers(0, len(DATA) - offset_bytes))
    assert blobs.read(SHA256, offset_bytes, length_bytes) == DATA[offset_bytes : offset_bytes + length_bytes]


def test_an_empty_file_is_a_file(blobs: Blobs) -> None:
    blobs.put(sha256(b"").hexdigest(), b"")
    assert blobs.size_bytes(sha256(b"").hexdigest()) == 0


def test_bytes_with_another_sha256_are_refused_and_not_kept(blobs: Blobs) -> None:
    with pytest.raises(Refused) as caught:
        blobs.put(SHA256, DATA + b"!")
    assert caught.value.code == "refused-sha256"
    assert blobs.size_bytes(SHA256) is None


def test_what_is_not_there_has_no_size_and_cannot_be_read(blobs: Blobs) -> None:
    assert blobs.size_bytes(SHA256) is None
    with pytest.raises(Damaged) as caught:
        blobs.read(SHA256, 0, 1)
    assert caught.value.code == "damaged-blob"


@pytest.mark.parametrize(("offset_bytes", "length_bytes"), [(len(DATA), 1), (0, len(DATA) + 1), (0, 2**62), (2**62, 1)])
def test_a_piece_beyond_the_end_is_missing(blobs: Blobs, offset_bytes: int, length_bytes: int) -> None:
    blobs.put(SHA256, DATA)
    with pytest.raises(Damaged) as caught:
        blobs.read(SHA256, offset_bytes, length_bytes)
    assert caught.value.code == "damaged-blob"


@pytest.mark.parametrize(("offset_bytes", "length_bytes"), [(-1, 1), (0, -1)])
def test_a_negative_piece_is_a_mistake(blobs: Blobs, offset_bytes: int, length_bytes: int) -> None:
    blobs.put(SHA256, DATA)
    with pytest.raises(Misuse) as caught:
        blobs.read(SHA256, offset_bytes, length_bytes)
    assert caught.value.code == "misuse-blob-range"


def test_files_are_there_after_opening_again(open_blobs: Callable[[], Blobs]) -> None:
    open_blobs().put(SHA256, DATA)
    assert open_blobs().read(SHA256, 0, len(DATA)) == DATA


def test_many_threads_may_put_the_same_file(blobs: Blobs) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: blobs.put(SHA256, DATA), range(32)))
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


@pytest.mark.parametrize("sha256_", STRANGE_IDS)
def test_a_strange_id_names_no_file(blobs: Blobs, sha256_: str) -> None:
    assert blobs.size_bytes(sha256_) is None
    with pytest.raises(Damaged):
        blobs.read(sha256_, 0, 1)
    with pytest.raises(Refused):
        blobs.put(sha256_, DATA)


def test_every_file_is_listed_once_and_nothing_else(open_blobs: Callable[[], Blobs]) -> None:
    blobs = open_blobs()
    assert list(blobs.sha256s()) == []
    for data in (DATA, b"", DATA):
        blobs.put(sha256(data).hexdigest(), data)
    assert sorted(open_blobs().sha256s()) == sorted([SHA256, sha256(b"").hexdigest()])


# What a directory alone has to show.


def test_a_directory_sends_nobody_elsewhere(tmp_path: Path) -> None:
    assert DirectoryBlobs(tmp_path).redirect_url(SHA256, 60) is None


def test_a_process_that_starts_leaves_alone_what_another_is_putting(path: Path) -> None:
    with subprocess.Popen([sys.executable, HELPERS / "half_put.py", path], stdout=subprocess.PIPE) as putter:
        assert putter.stdout is not None
        putter.stdout.readline()
        DirectoryBlobs(path)
        assert len(files_in(path)) == 1
        putter.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def files_in(path: Path) -> list[Path]:
    return sorted(found.relative_to(path) for found in path.rglob("*") if found.is_file())


def test_a_file_lies_two_directories_deep_and_alone(path: Path) -> None:
    DirectoryBlobs(path).put(SHA256, DATA)
    assert files_in(path) == [Path(SHA256[:2], SHA256[2:4], SHA256)]


def test_putting_the_same_again_leaves_the_file_alone(path: Path) -> None:
    blobs = DirectoryBlobs(path)
    blobs.put(SHA256, DATA)
    before = (path / files_in(path)[0]).stat()
    blobs.put(SHA256, DATA)
    after = (path / files_in(path)[0]).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_the_disk_cut_short_is_replaced_by_putting_it_again(path: Path) -> None:
    blobs = DirectoryBlobs(path)
    blobs.put(SHA256, DATA)
    (path / files_in(path)[0]).write_bytes(DATA[:10])
    with pytest.raises(Damaged):
        blobs.read(SHA256, 0, len(DATA))
    blobs.put(SHA256, DATA)
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


def test_a_strange_id_never_reaches_the_file_system(path: Path) -> None:
    blobs = DirectoryBlobs(path)
    secret = path / ".." / "secret"
    secret.write_bytes(b"secret")
    for name in ("../secret", "....secret", "/../../secret", str(secret.resolve())):
        assert blobs.size_bytes(name) is None
        with pytest.raises(Damaged):
            blobs.read(name, 0, 1)


def test_what_a_killed_put_left_is_swept_at_start(path: Path) -> None:
    with subprocess.Popen([sys.executable, HELPERS / "half_put.py", path], stdout=subprocess.PIPE) as putter:
        assert putter.stdout is not None
        putter.stdout.readline()
        assert len(files_in(path)) == 1
        putter.kill()
    blobs = DirectoryBlobs(path)
    assert files_in(path) == []
    blobs.put(SHA256, DATA)
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


def test_a_put_that_the_file_system_refuses_leaves_nothing_and_can_be_retried(path: Path) -> None:
    blobs = DirectoryBlobs(path)
    in_the_way = path / SHA256[:2]
    in_the_way.write_bytes(b"")
    with pytest.raises(Interrupted) as caught:
        blobs.put(SHA256, DATA)
    assert caught.value.code == "interrupted-blob"
    in_the_way.unlink()
    assert files_in(path) == []
    blobs.put(SHA256, DATA)
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


# What an object store alone has to show.


@pytest.fixture
def bucket_url(monkeypatch: pytest.MonkeyPatch) -> str:
    return new_bucket(monkeypatch)


@pytest.mark.s3
def test_a_signed_address_serves_the_file_to_anyone_and_no_other_way(bucket_url: str) -> None:
    blobs = ObjectBlobs(bucket_url)
    blobs.put(SHA256, DATA)
    url = blobs.redirect_url(SHA256, 60)
    assert url is not None and SHA256 in url and "test-secret" not in url
    assert httpx.get(url).content == DATA
    assert httpx.get(url, headers={"Range": "bytes=10-19"}).content == DATA[10:20]
    assert "X-Amz-Expires=60" in url
    assert blobs.redirect_url("../" + SHA256, 60) is None


@pytest.mark.s3
def test_what_something_else_wrote_in_place_of_a_file_is_replaced_by_putting_it_again(bucket_url: str) -> None:
    blobs = ObjectBlobs(bucket_url)
    obstore.put(blobs._store, SHA256, DATA[:10])
    with pytest.raises(Damaged):
        blobs.read(SHA256, 0, len(DATA))
    blobs.put(SHA256, DATA)
    assert blobs.read(SHA256, 0, len(DATA)) == DATA


@pytest.mark.s3
def test_an_object_store_that_does_not_answer_is_said_so_without_its_secrets(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{port}")
    blobs = ObjectBlobs(bucket_url)
    uses: list[Callable[[], object]] = [
        lambda: blobs.put(SHA256, DATA),
        lambda: blobs.size_bytes(SHA256),
        lambda: blobs.read(SHA256, 0, 1),
        lambda: list(blobs.sha256s()),
    ]
    for use in uses:
        with pytest.raises(Interrupted) as caught:
            use()
        assert caught.value.code == "interrupted-blob"
        assert "test-" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "bucket", "memory:///", "file:///tmp", "https://example.com/x", "s3://"])
def test_an_address_that_names_no_object_store_is_refused(url: str) -> None:
    with pytest.raises(Refused) as caught:
        ObjectBlobs(url)
    assert caught.value.code == "refused-blobs-url"
