"""Surefoot with a known fleet at rest, as an operator would start it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from surefoot.fleet.facts import POLL_EPOCH
from surefoot.fleet.model import Facts, Key, KeyState, Release, Robot
from surefoot.fleet.ports import Rows
from surefoot.store.blobs import DirectoryBlobs
from surefoot.store.sql_store import SqlStore
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.report import Report, SlotReport
from surefoot.wire.version import Version

SKU, VERSION, TOKEN = "standard", "0.2.0", "token-N"
CHECK = f"/v1/check?sku={SKU}&version={VERSION}"
REPORT = (
    '{"robot_id":"robot-NUMBER","sku":"standard","boot":2,"seq":SEQ,'
    '"running":{"slot":"ota_0","version":"0.2.0","digest":"' + "9f" * 32 + '","state":"confirmed"}}'
)
ROBOTS_PER_WORK = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server: its process, its address, and where its data is."""

    pid: int
    url: str
    folder: Path

    def page_s(self) -> float:
        """Return how long a page of robots takes to list, in seconds."""
        token = (self.folder / "operator.token").read_text().strip()
        client = httpx.Client(base_url=self.url, verify=False, headers={"Authorization": f"Bearer {token}"})
        with client:
            asked = [client.get("/api/v1/robots", params={"after": "robot-0000500"}) for _ in range(6)]
        return min(answer.raise_for_status().elapsed.total_seconds() for answer in asked[1:])


def fill(folder: Path, robots: int, image: bytes, url: str | None = None) -> None:
    """Make a data directory with so many robots at rest and one published image."""
    folder.mkdir(parents=True)
    sha256 = hashlib.sha256(image).hexdigest()
    DirectoryBlobs(folder / "images").put(sha256, image)
    store = SqlStore(url or f"sqlite:///{folder.resolve() / 'surefoot.db'}")
    try:
        for first in range(0, robots, ROBOTS_PER_WORK):
            numbers = range(first, min(robots, first + ROBOTS_PER_WORK))
            store.submit(lambda rows, numbers=numbers: _put(rows, numbers)).result()  # type: ignore[misc]
        store.submit(lambda rows: _publish(rows, sha256, len(image))).result()
    finally:
        store.close()


@contextmanager
def surefoot(folder: Path, **settings: object) -> Iterator[Server]:
    """Run it; yield how to reach it."""
    given = {f"SUREFOOT_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {
        **os.environ,
        "SUREFOOT_PORT": "0",
        "SUREFOOT_BROKER": "none",
        "SUREFOOT_DOWNLOADS_PER_DAY": "1000000000",
        **given,
    }
    environment["SUREFOOT_DATA_DIR"] = str(folder)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "surefoot.server"], env=environment, stdout=subprocess.PIPE, stderr=log
        )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().decode().strip()
        if not url:
            raise ChildProcessError((folder / "log").read_text())
        yield Server(pid=process.pid, url=url, folder=folder)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _put(rows: Rows, numbers: range) -> None:
    for number in numbers:
        robot_id, token = f"robot-{number:07}", TOKEN.replace("N", f"{number:07}")
        sha256 = hashlib.sha256(token.encode()).hexdigest()
        rows.put_robot(Robot(robot_id=robot_id, sku=SKU, token_sha256=sha256, enrolled_at_s=1.0))
        rows.put_facts(Facts(report=_report(robot_id), received_at_s=1.0, heard_at_s=1.0))


def _report(robot_id: str) -> Report:
    return Report(
        robot_id=robot_id,
        sku=SKU,
        epoch=POLL_EPOCH,
        boot=0,
        seq=0,
        running=SlotReport(slot=POLL_EPOCH, version=VERSION, digest=None, state="confirmed"),
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )


def _publish(rows: Rows, sha256: str, size_bytes: int) -> None:
    key_id = "aa" * 32
    rows.put(Key(key_id=key_id, name="bench", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=1.0))
    rows.put(
        Release(
            release_id="release-1",
            sku=SKU,
            version=Version.parse(VERSION),
            sha256=sha256,
            size_bytes=size_bytes,
            digest="cc" * 32,
            key_id=key_id,
            manifest=SignedManifest(payload=b"{}", key_id=key_id, signature=bytes(64)),
            published_at_s=1.0,
        )
    )
