"""Pages that renew themselves: what is sent, and when it ends."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from live_server import LiveServer
from server.access_case import PASSWORD
from surefoot.server.operators.permissions import Actor, How, Permission, Role
from surefoot.server.pages import live
from surefoot.server.pages.live import Looks, live_response
from surefoot.wire.errors import Refused

ENOUGH = 6
VIEWER = Actor(name="ada", role=Role.VIEWER, how=How.SESSION, permissions=frozenset({Permission.READ}))


def watching(looks: Looks, find_actor: Any = None) -> Request:
    app = SimpleNamespace(state=SimpleNamespace(looks=looks))
    state = {"find_actor": find_actor, "actor": VIEWER}
    return Request(
        {"type": "http", "path": "/live/fleet", "headers": [], "query_string": b"", "app": app, "state": state}
    )


async def listen(answers: list[Mapping[str, str] | Exception], find_actor: Any = None) -> list[str]:
    """Return the events of a stream whose page looks like this, look by look, until it ends."""

    async def parts() -> Mapping[str, str]:
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    events: list[str] = []
    async for event in live_response(watching(Looks(look_s=0), find_actor), parts).body_iterator:
        events.append(str(event))
        if len(events) >= ENOUGH:
            break
    return events


END = Refused("not-found-rollout", "It is gone: look elsewhere.")


def test_a_part_is_sent_when_it_changes_and_only_then() -> None:
    looks: list[Mapping[str, str] | Exception] = [
        {"a": "1", "b": "x"},
        {"a": "1", "b": "x"},
        {"a": "2\nmore", "b": "x"},
        END,
    ]
    events = asyncio.run(listen(looks))
    assert events[1:] == [
        "event: a\ndata: 1\n\n",
        "event: b\ndata: x\n\n",
        "event: a\ndata: 2\ndata: more\n\n",
    ]


def test_nothing_that_is_shown_can_begin_an_event_of_its_own() -> None:
    [_, event] = asyncio.run(listen([{"a": "1\r\nevent: b\r\rdata: x\n\nevent: c"}, END]))
    assert [line.partition(":")[0] for line in event.strip().split("\n")] == ["event", *["data"] * 4]
    assert "\r" not in event


def test_who_is_signed_out_hears_so_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody() -> Actor:
        raise Refused("refused-session", "Your session has ended: sign in again.")

    monkeypatch.setattr(live, "SESSION_S", 0.0)
    [_, event] = asyncio.run(listen([{"a": "1"}], nobody))
    assert event.startswith("event: signed-out\n") and "/sign-in" in event


def test_people_who_may_do_the_same_share_a_look() -> None:
    clock, taken = [0.0], []

    async def parts() -> Mapping[str, str]:
        taken.append(clock[0])
        await asyncio.sleep(0)
        return {"a": str(len(taken))}

    async def run() -> list[Mapping[str, str]]:
        looks = Looks(1.0, lambda: clock[0])
        both = await asyncio.gather(looks.take("page", parts), looks.take("page", parts))
        leaver = asyncio.create_task(looks.take("other", parts))
        await asyncio.sleep(0)
        leaver.cancel()
        stayed = await looks.take("other", parts)
        clock[0] = 1.0
        return [*both, stayed, await looks.take("page", parts)]

    assert asyncio.run(run()) == [{"a": "1"}, {"a": "1"}, {"a": "2"}, {"a": "3"}]
    assert taken == [0.0, 0.0, 1.0]


def test_a_server_that_stops_ends_every_stream_at_once() -> None:
    async def parts() -> Mapping[str, str]:
        return {"a": "1"}

    async def run() -> list[str]:
        looks, events = Looks(look_s=3600), []
        async with asyncio.timeout(60):
            async for event in live_response(watching(looks), parts).body_iterator:
                events.append(str(event))
                if str(event).startswith("event: a"):
                    looks.end()
        return events

    assert len(asyncio.run(run())) == 2


def test_a_real_server_stops_while_somebody_watches(tmp_path: Path) -> None:
    # Longer than `stop` waits for the process.
    with LiveServer(tmp_path / "data", stop_timeout_s="600").start() as server:
        account = {"name": "ada", "role": "viewer", "password": PASSWORD}
        with server.operator() as api:
            assert api.post("/api/v1/accounts", json=account).is_success
        with httpx.Client(base_url=server.url, verify=server.tls, timeout=60) as client:
            form, headers = {"account": "ada", "password": PASSWORD}, {"origin": server.url, "accept": "text/html"}
            cookie = client.post("/sign-in", data=form, headers=headers).headers["set-cookie"].partition(";")[0]
            with client.stream("GET", "/live/fleet", headers={"cookie": cookie}) as events:
                assert next(events.iter_text())
                assert server.stop() == 0
