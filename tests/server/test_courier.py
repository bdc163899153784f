"""What is in the outbox arrives at a real receiver: again when it failed, with one id, signed, and nowhere else."""

import asyncio
import base64
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from https_receiver import HttpsReceiver
from live_server import LiveServer
from server_bench import NOW_S, Bench, build
from support import code_of
from surefoot.fleet.lease import Lease, Sight, hold, take
from surefoot.fleet.outbox import OutboxEntry, OutboxKind, OutboxState, enqueue
from surefoot.fleet.ports import Rows
from surefoot.fleet.webhooks import Event, Webhook, add_webhook, announce, signature
from surefoot.server.courier import Courier
from surefoot.server.services import Services
from surefoot.server.settings import load_settings
from surefoot.server.webhooks import Post, Sender
from surefoot.signing.signers import FileSigner
from surefoot.sim.https_receiver import Received
from surefoot.wire.errors import Interrupted, Refused

SECRET = "the webhook's secret"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[HttpsReceiver]:
    (tmp_path / "receiver").mkdir()
    with HttpsReceiver(tmp_path / "receiver") as receiver:
        yield receiver


def on(bench: Bench, **settings: Any) -> Services:
    given: dict[str, Any] = {"webhook_private_addresses": True, **settings}
    return replace(bench.services, settings=load_settings(data_dir=bench.services.settings.data_dir, **given))


def lead(services: Services) -> Lease:
    sight = Sight(lease=services.store.read(lambda rows: rows.get(Lease, "leader")), since_s=0.0)
    lease = services.store.submit(lambda rows: take(rows, sight, services.new_id())).result()
    assert lease is not None
    return lease


def tell(services: Services, url: str) -> None:
    def work(rows: Rows) -> None:
        add_webhook(rows, "hook", url, (Event.INCIDENT_OPENED,), SECRET, "ada", NOW_S)
        announce(rows, Event.INCIDENT_OPENED, "incident-1.opened", {"reason": "smoke"}, NOW_S)

    services.store.submit(work).result()


def send(services: Services, receiver: HttpsReceiver, lease: Lease, later_s: float = 0.0) -> int:
    async def once() -> int:
        sender = Sender(receiver.trust)
        try:
            at = replace(services, now_s=lambda: NOW_S + later_s)
            return await Courier(at, sender, chance=lambda: 0.5).send_due(lease)
        finally:
            await sender.close()

    return asyncio.run(once())


def entries(services: Services) -> list[OutboxEntry]:
    return services.store.read(lambda rows: rows.find(OutboxEntry))


def test_an_event_arrives_signed_and_leaves_the_outbox(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)
    tell(services, f"{receiver.url}/in?a=b")
    assert send(services, receiver, lead(services)) == 1
    [request] = receiver.received
    assert (request.path, request.headers["host"]) == ("/in?a=b", receiver.url.removeprefix("https://"))
    assert request.headers["surefoot-signature"] == signature(SECRET, request.body, int(NOW_S))
    told = json.loads(request.body)
    assert (told["id"], told["event"], told["reason"]) == ("incident-1.opened", "incident.opened", "smoke")
    assert entries(services) == []


def test_a_receiver_that_fails_is_asked_again_later_with_the_same_id(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)
    lease = lead(services)
    tell(services, receiver.url)
    receiver.answer = lambda _request: 500
    send(services, receiver, lease)
    [waiting] = entries(services)
    assert (waiting.attempts, waiting.state) == (1, OutboxState.WAITING)
    assert "500" in (waiting.last_error or "") and SECRET not in (waiting.last_error or "")
    assert send(services, receiver, lease) == 0
    receiver.answer = lambda _request: 200
    assert send(services, receiver, lease, later_s=10) == 1
    ids = [request.headers["surefoot-delivery"] for request in receiver.received]
    assert ids == ["incident-1.opened:hook"] * 2
    assert entries(services) == []


def test_a_redirect_is_a_failure_and_not_followed(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)
    tell(services, receiver.url)
    receiver.answer = lambda _request: 307
    send(services, receiver, lead(services))
    assert [request.path for request in receiver.received] == ["/"]
    assert entries(services)[0].attempts == 1


def test_an_address_that_is_not_public_is_never_connected_to(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench, webhook_private_addresses=False)
    tell(services, receiver.url)
    send(services, receiver, lead(services))
    assert receiver.received == []
    assert "refused-address-private" in (entries(services)[0].last_error or "")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f.1",
    ],
)
def test_no_spelling_of_a_private_address_gets_past_the_guard(host: str) -> None:
    async def send() -> None:
        sender = Sender()
        try:
            await sender.send(Post(url=f"https://{host}/", body=b"{}"))
        finally:
            await sender.close()

    with pytest.raises(Refused) as caught:
        asyncio.run(send())
    assert caught.value.code == "refused-address-private"


def test_a_receiver_whose_certificate_is_for_another_host_gets_nothing(receiver: HttpsReceiver) -> None:
    async def send() -> None:
        sender = Sender()
        try:
            await sender.send(Post(url=receiver.url, body=b"{}", own_network=True))
        finally:
            await sender.close()

    with pytest.raises(Interrupted) as caught:
        asyncio.run(send())
    assert caught.value.code == "interrupted-delivery"
    assert receiver.received == []


def test_a_process_that_does_not_lead_any_more_strikes_nothing_out(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)
    old = lead(services)
    tell(services, receiver.url)
    new = lead(services)
    assert code_of(lambda: send(services, receiver, old)) == "interrupted-lease"
    assert len(entries(services)) == 1
    send(services, receiver, new)
    assert [request.headers["surefoot-delivery"] for request in receiver.received] == ["incident-1.opened:hook"] * 2
    assert entries(services) == []
    services.store.submit(lambda rows: hold(rows, new)).result()


def test_what_nobody_is_to_be_told_any_more_leaves_the_outbox(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)
    tell(services, receiver.url)
    services.store.submit(lambda rows: rows.drop(Webhook, "hook")).result()
    send(services, receiver, lead(services))
    assert (receiver.received, entries(services)) == ([], [])


@pytest.mark.parametrize("named", [True, False])
def test_a_recall_reaches_the_purge_hook_if_there_is_one(bench: Bench, receiver: HttpsReceiver, named: bool) -> None:
    services = on(bench, cdn_purge_url=f"{receiver.url}/purge" if named else None)
    body = json.dumps({"sha256": "ab" * 32, "urls": ["https://fleet.test/v1/images/ab"]})
    services.store.submit(lambda rows: enqueue(rows, "release-1.purge", OutboxKind.CDN_PURGE, "", body, NOW_S)).result()
    send(services, receiver, lead(services))
    assert [(request.path, request.body.decode()) for request in receiver.received] == [("/purge", body)] * named
    assert entries(services) == []


def test_one_slow_receiver_does_not_fill_a_round(bench: Bench, receiver: HttpsReceiver) -> None:
    services = on(bench)

    def work(rows: Rows) -> None:
        for number in range(20):
            enqueue(rows, f"to-a-{number}", OutboxKind.WEBHOOK, "a", "{}", NOW_S)
        enqueue(rows, "to-b", OutboxKind.WEBHOOK, "b", "{}", NOW_S)

    services.store.submit(work).result()
    send(services, receiver, lead(services))
    assert "to-b" not in [entry.entry_id for entry in entries(services)]
    assert len(entries(services)) == 16


def test_a_server_killed_between_sending_and_striking_out_sends_again_under_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: FileSigner
) -> None:
    pids: list[int] = []

    def kill_the_sender(_request: Received) -> int:
        if pids:
            os.kill(pids.pop(), signal.SIGKILL)
        return 200

    (tmp_path / "receiver").mkdir()
    with HttpsReceiver(tmp_path / "receiver", kill_the_sender) as receiver:
        monkeypatch.setenv("SSL_CERT_FILE", str(receiver.ca_path))
        with LiveServer(tmp_path / "data", webhook_private_addresses="true", tick_s="0.2") as server:
            pids.append(json.loads((server.data_dir / "server.json").read_text())["pid"])
            with server.operator() as operator:
                made = operator.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["rollout.started"]})
                assert made.status_code == 201 and made.json()["secret"]
                start_a_rollout(operator, signer)
            assert receiver.came.acquire(timeout=20)
            assert server.wait() == -signal.SIGKILL
            server.start()
            assert receiver.came.acquire(timeout=20)
    first, second = receiver.received
    assert first.headers["surefoot-delivery"] == second.headers["surefoot-delivery"]
    assert first.body == second.body


def start_a_rollout(operator: httpx.Client, signer: FileSigner) -> None:
    der = base64.b64encode(signer.public_key.der).decode()
    operator.post("/api/v1/keys", json={"name": "build", "der_base64": der}).raise_for_status()
    signed = build(signer, "0.2.1")
    operator.put(f"/api/v1/images/{signed.sha256}", content=signed.data).raise_for_status()
    release = operator.post("/api/v1/releases", json=signed.release_body())
    body = {"release_id": release.raise_for_status().json()["release_id"]}
    operator.post("/api/v1/rollouts", json=body).raise_for_status()
