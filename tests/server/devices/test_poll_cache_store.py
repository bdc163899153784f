import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from server_bench import NOW_S, SKU, Bench
from surefoot.fleet.enrolment import RobotCertificate, renew
from surefoot.fleet.generation import begin_generation, generation
from surefoot.fleet.ports import Rows
from surefoot.server.composition import Application
from surefoot.server.devices.at_once import AtOnce
from surefoot.server.devices.identity import FOREVER
from surefoot.server.devices.poll_cache import PollCache
from surefoot.server.devices.poll_cache_store import WatchedStore, flush_heard, look, run_poll_cache
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Interrupted

T = TypeVar("T")
QUESTION = f"sku={SKU}&version=0.2.0"


@pytest.fixture
def fleet(bench: Bench) -> Bench:
    """The application with a cache that watches its store."""
    polls = PollCache()
    polls.observe(0)
    services = replace(bench.services, store=WatchedStore(bench.services.store, polls), polls=polls)
    return replace(bench, services=services, app=Application(services))


def at_once(fleet: Bench, token: str) -> bytes | None:
    assert isinstance(fleet.app, Application)
    return fleet.app.quick(QUESTION.encode(), [(b"authorization", f"Bearer {token}".encode())], None)


def check(fleet: Bench, token: str) -> int:
    return fleet.call("GET", f"/v1/check?{QUESTION}", token=token).status


def start_rollout(fleet: Bench) -> str:
    fleet.publish("0.2.1")
    plan = {"phases": [{"name": "full", "percent": 100, "soak_s": 0}]}
    answer = fleet.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": plan})
    assert answer.status == 201, answer.body
    return str(answer.json["rollout_id"])


def test_the_second_check_of_a_robot_at_rest_is_answered_at_once_with_its_own_pace(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    assert at_once(fleet, token) is None
    slow = fleet.call("GET", f"/v1/check?{QUESTION}", token=token)
    quick = at_once(fleet, token)
    assert quick is not None and quick.startswith(b"HTTP/1.1 204 ")
    assert f"retry-after: {slow.headers['retry-after']}\r\n".encode() in quick


def test_a_stranger_is_never_answered_at_once(fleet: Bench) -> None:
    check(fleet, fleet.enrol("robot-1"))
    assert isinstance(fleet.app, Application)
    assert at_once(fleet, "another token") is None
    assert fleet.app.quick(QUESTION.encode(), [], None) is None
    assert fleet.app.quick(QUESTION.encode(), [], "ff" * 32) is None


def test_an_answer_given_at_once_is_counted_once(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    assert at_once(fleet, token) is not None
    figures = asyncio.run(fleet.services.metrics.text(0, fleet.services.read)).decode()
    assert 'surefoot_requests_total{plane="device",status="204"} 2.0' in figures


def test_a_request_seen_before_is_answered_while_it_is_remembered_and_its_answer_holds(fleet: Bench) -> None:
    settings = fleet.services.settings.model_copy(update={"poll_cache_robots": 1})
    quick = AtOnce(replace(fleet.services, settings=settings))
    requests = {}
    for robot_id in ("robot-1", "robot-2"):
        token = fleet.enrol(robot_id)
        check(fleet, token)
        requests[robot_id] = f"the request of {robot_id}".encode()
        quick.remember(requests[robot_id], QUESTION.encode(), [(b"authorization", f"Bearer {token}".encode())], None)
    assert quick.again(requests["robot-1"], None) is None
    assert quick.again(requests["robot-2"], "ff" * 32) is None
    assert quick.again(requests["robot-2"], None) is not None
    fleet.services.polls.suspend()
    assert quick.again(requests["robot-2"], None) is None


def test_a_start_is_offered_and_a_halt_is_heeded_at_the_very_next_check(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    assert at_once(fleet, token) is not None
    rollout_id = start_rollout(fleet)
    assert at_once(fleet, token) is None
    assert check(fleet, token) == 200
    assert at_once(fleet, token) is None
    assert fleet.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "it limps"}).status == 200
    assert check(fleet, token) == 204


def test_an_engine_that_only_looks_ends_no_memory(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    before = fleet.services.store.read(generation)
    fleet.services.store.submit(lambda rows: rows.set_heard("robot-1", NOW_S + 1)).result()
    fleet.enrol("robot-2")
    assert fleet.services.store.read(generation) == before
    assert at_once(fleet, token) is not None


def test_a_revoked_robot_is_not_answered_at_once(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    assert fleet.operate("POST", "/robots/robot-1/revoke", {"reason": "stolen"}).status == 200
    assert at_once(fleet, token) is None
    assert check(fleet, token) == 401


def test_a_certificate_that_a_renewal_dropped_is_not_answered_at_once(fleet: Bench) -> None:
    certificates = [
        RobotCertificate(
            certificate_sha256=2 * sign * 32, robot_id="robot-1", issued_at_s=NOW_S, expires_at_s=2 * NOW_S
        )
        for sign in "abc"
    ]
    dropped, kept, new = certificates
    fleet.enrol("robot-1")
    submit, polls = fleet.services.store.submit, fleet.services.polls
    submit(lambda rows: rows.put(dropped)).result()
    submit(lambda rows: rows.put(kept)).result()
    for certificate in (dropped, kept):
        polls.keep(certificate.certificate_sha256.encode(), QUESTION.encode(), "robot-1", 60, 0, FOREVER)
    assert isinstance(fleet.app, Application)
    assert fleet.app.quick(QUESTION.encode(), [], dropped.certificate_sha256) is not None
    submit(lambda rows: renew(rows, kept.certificate_sha256, new, NOW_S)).result()
    assert fleet.app.quick(QUESTION.encode(), [], dropped.certificate_sha256) is None


def test_a_renewal_that_drops_no_certificate_ends_no_memory(fleet: Bench) -> None:
    kept = RobotCertificate(certificate_sha256="aa" * 32, robot_id="robot-1", issued_at_s=NOW_S, expires_at_s=2 * NOW_S)
    token = fleet.enrol("robot-1")
    check(fleet, token)
    submit = fleet.services.store.submit
    submit(lambda rows: rows.put(kept)).result()
    new = replace(kept, certificate_sha256="bb" * 32)
    submit(lambda rows: renew(rows, kept.certificate_sha256, new, NOW_S)).result()
    assert at_once(fleet, token) is not None


def test_another_process_s_write_is_noticed(bench: Bench, fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    # Past the cache, as another process writes.
    bench.services.store.submit(begin_generation).result()
    asyncio.run(look(fleet.services.store, fleet.services.polls))
    assert at_once(fleet, token) is None


def test_who_was_heard_at_once_is_stored_when_the_server_stops(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    app = Application(replace(fleet.services, now_s=lambda: NOW_S + 50))
    assert app.quick(QUESTION.encode(), [(b"authorization", f"Bearer {token}".encode())], None) is not None
    asyncio.run(begin_and_stop(fleet))
    facts = fleet.services.store.read(lambda rows: rows.facts("robot-1"))
    assert facts is not None and facts.heard_at_s == NOW_S + 50


async def begin_and_stop(fleet: Bench) -> None:
    task = asyncio.create_task(run_poll_cache(fleet.services.store, fleet.services.polls))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Failing(WatchedStore):
    """A database that takes nothing now."""

    def submit(self, work: Callable[[Rows], T], *, about: str | None = None) -> "Future[T]":
        future: Future[T] = Future()
        future.set_exception(Interrupted("interrupted-store", "The database is away."))
        return future


def test_who_could_not_be_stored_is_not_forgotten(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    check(fleet, token)
    assert at_once(fleet, token) is not None
    polls = fleet.services.polls
    with pytest.raises(Interrupted):
        asyncio.run(flush_heard(Failing(fleet.services.store, polls), polls))
    assert polls.take_heard() == {"robot-1": NOW_S}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SqlStore, WatchedStore, PollCache]]:
    store, polls = SqlStore(f"sqlite:///{tmp_path / 'two.db'}"), PollCache()
    yield store, WatchedStore(store, polls), polls
    store.close()


def test_a_write_that_is_undone_leaves_the_memory_as_it_was_once_looked_at(
    two: tuple[SqlStore, WatchedStore, PollCache],
) -> None:
    store, watched, polls = two
    polls.observe(0)
    polls.keep(b"me", b"?", "robot-1", 60, 0, float("inf"))

    def fails(rows: Rows) -> None:
        raise Interrupted("interrupted-store", "No.")

    with pytest.raises(Interrupted):
        watched.submit(fails).result()
    polls.observe(store.read(generation))
    assert polls.look(b"me", b"?", 1.0) == 60


def test_a_check_outside_a_maintenance_window_is_not_remembered_as_the_window_opens_by_itself(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    fleet.publish("0.2.1")
    plan = {
        "phases": [{"name": "full", "percent": 100}],
        "maintenance_windows": [{"from": "01:00", "to": "02:00"}],
    }
    assert fleet.operate("POST", "/rollouts", {"release_id": "release-0.2.1", "plan": plan}).status == 201
    assert check(fleet, token) == 204
    assert at_once(fleet, token) is None


def test_unpinning_ends_what_is_remembered(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    fleet.operate("POST", "/robots/robot-1/pin", {"reason": "on loan"})
    start_rollout(fleet)
    assert check(fleet, token) == 204
    assert at_once(fleet, token) is not None
    fleet.operate("DELETE", "/robots/robot-1/pin")
    assert at_once(fleet, token) is None
    assert check(fleet, token) == 200
