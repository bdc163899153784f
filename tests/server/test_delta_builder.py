"""Deltas are built by whoever leads, beside everything else, and whatever moment the process dies at."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from server_bench import NOW_S, Bench, SignedBuild, report
from surefoot.fleet.deltas import BuiltDelta
from surefoot.fleet.lease import LEADER, Lease
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.server.delta_builder import DeltaBuilder, make_in_process
from surefoot.signing.delta import make_delta
from surefoot.trust.keys import KeyRing
from surefoot.trust.payload import check_payload
from surefoot.wire.delta import FORMAT
from surefoot.wire.errors import Interrupted, Refused

LEASE = Lease(name=LEADER, holder="this one", epoch=1, beat=1)


async def make_here(source_file: bytes, target_file: bytes) -> bytes:
    return make_delta(source_file, target_file)


async def never_asked(source_file: bytes, target_file: bytes) -> bytes:
    raise AssertionError("nothing is to be built")


@pytest.fixture
def wanted(bench: Bench) -> tuple[SignedBuild, SignedBuild]:
    """Two releases, and a robot on the first that applies deltas; this process leads."""
    bench.services.store.submit(lambda rows: rows.put(LEASE)).result()
    source, target = bench.publish("0.2.0"), bench.publish("0.2.1")
    running = {"slot": "ota_0", "version": "0.2.0", "digest": digest(bench, source), "state": "confirmed"}
    body = report("robot-1", running=running, accepts=[FORMAT])
    answered = bench.call("POST", "/v1/report", token=bench.enrol("robot-1"), body=body)
    assert answered.status == 200
    return source, target


def digest(bench: Bench, build: SignedBuild) -> str:
    return check_payload(build.data, KeyRing(keys=(bench.signer.public_key,))).digest


def build(bench: Bench, make: Callable[[bytes, bytes], Awaitable[bytes]] = make_here) -> None:
    asyncio.run(DeltaBuilder(bench.services, make).build_due(LEASE))


def built(bench: Bench) -> list[BuiltDelta]:
    return bench.services.store.read(lambda rows: rows.find(BuiltDelta))


def recall(bench: Bench, version: str) -> None:
    def work(rows: Rows) -> None:
        release = rows.get(Release, f"release-{version}")
        assert release is not None
        rows.put(replace(release, recalled_at_s=NOW_S))

    bench.services.store.submit(work).result()


def test_a_delta_is_built_in_a_process_of_its_own_and_served_to_robots(
    bench: Bench, wanted: tuple[SignedBuild, SignedBuild]
) -> None:
    build(bench, make_in_process)
    [delta] = built(bench)
    served = bench.call("GET", f"/v1/images/{delta.sha256}", token=bench.enrol("robot-2"))
    assert (served.status, served.body) == (200, make_delta(wanted[0].data, wanted[1].data))
    assert len(served.body) == delta.size_bytes < len(wanted[1].data) / 4
    [newest, _] = bench.operate("GET", "/releases").json["releases"]
    assert (newest["version"], newest["deltas"]) == ("0.2.1", 1)
    build(bench, never_asked)


def test_the_delta_to_a_recalled_release_is_gone_with_it(bench: Bench, wanted: object) -> None:
    build(bench)
    recall(bench, "0.2.1")
    [delta] = built(bench)
    gone = bench.call("GET", f"/v1/images/{delta.sha256}", token=bench.enrol("robot-2"))
    assert (gone.status, gone.code) == (410, "gone-recalled")
    assert {release["deltas"] for release in bench.operate("GET", "/releases").json["releases"]} == {0}


def test_a_release_recalled_while_its_delta_is_built_gets_none(bench: Bench, wanted: object) -> None:
    async def recalled_meanwhile(source_file: bytes, target_file: bytes) -> bytes:
        recall(bench, "0.2.1")
        return make_delta(source_file, target_file)

    build(bench, recalled_meanwhile)
    assert built(bench) == []
    build(bench, never_asked)


def test_a_process_killed_before_the_row_leaves_nothing_that_is_offered_and_its_successor_builds_the_same(
    bench: Bench, wanted: object
) -> None:
    class Killed(BaseException):
        pass

    class DiesAtCommit:
        def __getattr__(self, name: str) -> object:
            if name == "submit":
                raise Killed
            return getattr(bench.services.store, name)

    dying = replace(bench.services, store=DiesAtCommit())  # type: ignore[arg-type]
    before = set(bench.services.blobs.sha256s())
    with pytest.raises(Killed):
        asyncio.run(DeltaBuilder(dying, make_here).build_due(LEASE))
    [left] = set(bench.services.blobs.sha256s()) - before
    assert built(bench) == []
    assert bench.call("GET", f"/v1/images/{left}", token=bench.enrol("robot-2")).status == 404
    build(bench)
    assert [delta.sha256 for delta in built(bench)] == [left]


def test_a_process_that_leads_no_more_records_nothing(bench: Bench, wanted: object) -> None:
    bench.services.store.submit(lambda rows: rows.put(replace(LEASE, holder="another", epoch=2))).result()
    with pytest.raises(Interrupted, match="leads"):
        build(bench)
    assert built(bench) == []


@pytest.mark.parametrize(
    "error", [Refused("refused-delta", "There is none."), Interrupted("interrupted-delta", "Out of memory.")]
)
def test_what_cannot_be_built_is_logged_once_and_keeps_nobody_waiting(
    bench: Bench, wanted: object, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    async def fails(source_file: bytes, target_file: bytes) -> bytes:
        asked.append(source_file)
        raise error

    async def twice() -> None:
        builder = DeltaBuilder(bench.services, fails)
        await builder.build_due(LEASE)
        await builder.build_due(LEASE)

    asyncio.run(twice())
    assert (len(asked), built(bench)) == (1, [])
    assert caplog.text.count("delta-not-built") == 1


def test_files_that_make_no_delta_are_refused_by_the_process_with_its_reason(
    wanted: tuple[SignedBuild, SignedBuild],
) -> None:
    source, target = (one.data for one in wanted)
    with pytest.raises(Refused, match="SHA-256"):
        asyncio.run(make_in_process(source[:-1] + b"?", target))


def test_a_server_that_stops_takes_its_delta_process_with_it(
    wanted: tuple[SignedBuild, SignedBuild], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[asyncio.subprocess.Process] = []
    building: list[asyncio.Task[bytes]] = []
    start = asyncio.create_subprocess_exec

    async def noticed(*words: str, **options: int) -> asyncio.subprocess.Process:
        started.append(await start(*words, **options))  # type: ignore[arg-type]
        building[0].cancel()
        return started[0]

    async def story() -> None:
        building.append(asyncio.create_task(make_in_process(wanted[0].data, wanted[1].data)))
        with pytest.raises(asyncio.CancelledError):
            await building[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noticed)
    asyncio.run(story())
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)
