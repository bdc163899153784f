"""Recalls, incidents, webhooks and figures, over the operator plane, each with its entry in the audit log."""

import re

import pytest

from server.access_case import make_token
from server_bench import NOW_S, OPERATOR_TOKEN, Bench, report
from surefoot.fleet.access import Permission, Role
from surefoot.fleet.audit import Entry
from surefoot.fleet.lease import Lease
from surefoot.fleet.look import tick

ORIGIN = "https://ops.test"
HOOK_URL = f"{ORIGIN}/hooks/hidden?key=hidden"


@pytest.fixture
def rollout_id(bench: Bench) -> str:
    """A rollout of 0.2.1 that one robot was offered, above a release 0.2.0."""
    bench.publish("0.2.0")
    bench.publish("0.2.1")
    started = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"})
    token = bench.enrol("robot-1")
    for seq in (1, 2):
        bench.call("POST", "/v1/report", token=token, body=report("robot-1", seq=seq))
    return str(started.json["rollout_id"])


def actions(bench: Bench) -> list[tuple[str, str | None]]:
    entries = bench.services.store.read(lambda rows: rows.find(Entry))
    return [(entry.action, entry.reason) for entry in entries]


def test_a_halt_shows_in_the_rollouts_history_and_opens_an_incident(bench: Bench, rollout_id: str) -> None:
    halted = bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "smoke"}).json
    who = halted["changes"][-1]["who"]
    assert [change["action"] for change in halted["changes"]] == ["started", "halted"]
    [incident] = bench.operate("GET", "/incidents").json["incidents"]
    assert (incident["rollout_id"], incident["reason"], incident["is_open"]) == (rollout_id, "smoke", True)
    assert incident["opened_by"] == who


def test_a_halt_does_what_the_person_asks_beyond_it_and_the_audit_log_tells(bench: Bench, rollout_id: str) -> None:
    path = f"/rollouts/{rollout_id}/halt"
    halted = bench.operate("POST", path, {"reason": "smoke"}).json
    assert (halted["updating"], halted["running"], halted["way_back_rollout_id"]) == (0, 0, None)
    asked = bench.operate("POST", path, {"reason": "fire", "roll_back": True, "recall": True}).json
    assert (asked["state"], asked["way_back_rollout_id"]) == ("halted", "release-0.2.1-back-1")
    [release] = [one for one in bench.operate("GET", "/releases").json["releases"] if one["version"] == "0.2.1"]
    assert release["recalled_at_s"] is not None
    entries = [entry for entry in bench.services.store.read(lambda rows: rows.find(Entry)) if entry.reason == "fire"]
    assert [entry.after for entry in entries] == [{"state": "halted", "roll_back": True, "recall": True}]


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_only_a_halt_rolls_back(bench: Bench, rollout_id: str, change: str) -> None:
    answer = bench.operate("POST", f"/rollouts/{rollout_id}/{change}", {"reason": "smoke", "roll_back": True})
    assert answer.code == "refused-request-format"
    assert bench.operate("GET", f"/rollouts/{rollout_id}").json["state"] == "running"
    assert bench.operate("GET", "/releases").json["releases"][0]["recalled_at_s"] is None


def test_rollouts_of_one_sku_are_shown_beside_each_other(bench: Bench, rollout_id: str) -> None:
    bench.publish("0.2.2")
    newer = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.2"}).json
    [older] = newer["beside"]
    assert (older["rollout_id"], older["version"], older["state"], older["is_newer"]) == (
        rollout_id,
        "0.2.1",
        "running",
        False,
    )
    [shown] = bench.operate("GET", f"/rollouts/{rollout_id}").json["beside"]
    assert shown["is_newer"] and shown["meaning"].startswith("Newer, so it goes before this one")


def test_an_incident_is_noted_closed_and_told_for_the_changelog(bench: Bench, rollout_id: str) -> None:
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "smoke"})
    [incident] = bench.operate("GET", "/incidents").json["incidents"]
    path = f"/incidents/{incident['incident_id']}"
    assert bench.operate("POST", f"{path}/notes", {"text": "old cable"}).status == 201
    assert bench.operate("POST", f"{path}/close", {"reason": ""}).code == "refused-reason-missing"
    closed = bench.operate("POST", f"{path}/close", {"reason": "new cable"}).json
    assert (closed["is_open"], closed["closing_reason"]) == (False, "new cable")
    assert bench.operate("POST", f"{path}/close", {"reason": "again"}).code == "refused-incident-state"
    shown = bench.operate("GET", path).json
    assert [line["text"] for line in shown["timeline"]][1:] == ["Halted: smoke", "old cable", "Closed: new cable"]
    assert shown["changelog"].startswith("### Incident of ") and "Closed: new cable" in shown["changelog"]
    assert shown["robots"]["not_back"] == {"count": 0, "robot_ids": []}
    assert actions(bench)[-2:] == [("incident.note", None), ("incident.close", "new cable")]
    assert bench.operate("GET", "/incidents/none").code == "not-found-incident"


def test_a_release_is_recalled_with_its_rollouts_and_its_robots_led_back(bench: Bench, rollout_id: str) -> None:
    path = "/releases/release-0.2.1/recall"
    assert bench.operate("POST", path, {"reason": ""}).code == "refused-reason-missing"
    answer = bench.operate("POST", path, {"reason": "arms limp", "roll_back": True}).json
    assert answer["halted_rollout_ids"] == [rollout_id]
    assert answer["release"]["recalled_at_s"] == NOW_S
    way_back = bench.operate("GET", f"/rollouts/{answer['way_back_rollout_id']}").json
    assert (way_back["rolls_back"], way_back["version"]) == ("release-0.2.1", "0.2.0")
    assert actions(bench)[-1] == ("release.recall", "arms limp")
    again = bench.operate("POST", "/rollouts", {"release_id": "release-0.2.1"})
    assert again.code == "refused-release-recalled"
    resumed = bench.operate("POST", f"/rollouts/{rollout_id}/resume", {"reason": "why not"})
    assert resumed.code == "refused-release-recalled"


def test_a_webhooks_secret_is_shown_once(bench: Bench) -> None:
    made = bench.operate("POST", "/webhooks", {"url": "https://ops.test/in"})
    assert made.status == 201 and len(made.json["secret"]) > 40
    secret = made.json["secret"]
    listed = bench.operate("GET", "/webhooks")
    assert secret.encode() not in listed.body
    [webhook] = listed.json["webhooks"]
    assert webhook["webhook_id"] == made.json["webhook_id"]
    removed = bench.operate("DELETE", f"/webhooks/{webhook['webhook_id']}")
    assert removed.status == 200 and secret.encode() not in removed.body
    entries = bench.services.store.read(lambda rows: rows.find(Entry))
    assert secret not in str(entries)
    assert bench.operate("POST", "/webhooks", {"url": "http://ops.test/in"}).code == "refused-webhook"


@pytest.mark.parametrize(("role", "shown"), [(Role.VIEWER, ORIGIN), (Role.OPERATOR, ORIGIN), (Role.ADMIN, HOOK_URL)])
def test_the_whole_address_of_a_webhook_is_shown_to_admins_alone(bench: Bench, role: Role, shown: str) -> None:
    bench.operate("POST", "/webhooks", {"url": HOOK_URL})
    listed = bench.call("GET", "/api/v1/webhooks", token=make_token(bench, role))
    assert [webhook["url"] for webhook in listed.json["webhooks"]] == [shown]


def test_a_token_without_the_scope_of_an_admin_sees_no_whole_address_though_its_account_is_one(bench: Bench) -> None:
    bench.operate("POST", "/webhooks", {"url": HOOK_URL})
    listed = bench.call("GET", "/api/v1/webhooks", token=make_token(bench, Role.ADMIN, Permission.READ))
    assert [webhook["url"] for webhook in listed.json["webhooks"]] == [ORIGIN]


def test_the_audit_log_names_a_webhooks_host_and_not_its_whole_address(bench: Bench) -> None:
    made = bench.operate("POST", "/webhooks", {"url": HOOK_URL}).json
    bench.operate("DELETE", f"/webhooks/{made['webhook_id']}")
    created, deleted = bench.services.store.read(lambda rows: rows.find(Entry))
    assert (created.action, created.after["url"]) == ("webhook.create", ORIGIN)
    assert (deleted.action, deleted.before["url"]) == ("webhook.delete", ORIGIN)


def test_what_waits_to_be_sent_is_listed_and_a_dead_letter_tried_again(bench: Bench, rollout_id: str) -> None:
    bench.operate("POST", "/webhooks", {"url": "https://ops.test/in", "events": ["rollout.halted"]})
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "smoke"})
    waiting = bench.operate("GET", "/outbox").json["entries"]
    [entry] = [entry for entry in waiting if entry["kind"] == "webhook"]
    assert (entry["state"], entry["attempts"]) == ("waiting", 0)
    assert bench.operate("GET", "/outbox?state=dead").json["entries"] == []
    assert bench.operate("POST", f"/outbox/{entry['entry_id']}/retry").json["state"] == "waiting"
    assert bench.operate("POST", "/outbox/none/retry").code == "not-found-outbox-entry"


def test_figures_need_a_token_unless_the_settings_say_otherwise(bench: Bench, rollout_id: str) -> None:
    assert bench.call("GET", "/metrics").code == "refused-token"
    shown = bench.call("GET", "/metrics", token=OPERATOR_TOKEN)
    assert shown.status == 200 and shown.headers["content-type"].startswith("text/plain")


def test_figures_tell_of_requests_robots_rollouts_and_incidents(bench: Bench, rollout_id: str) -> None:
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "smoke"})
    bench.services.leadership.lease = Lease(name="leader", holder="me", epoch=7, beat=0)
    text = bench.call("GET", "/metrics", token=OPERATOR_TOKEN).body.decode()
    figures = dict(re.findall(r"^(surefoot_\S+) (\S+)$", text, re.MULTILINE))
    assert figures['surefoot_requests_total{plane="device",status="200"}'] == "2.0"
    assert figures['surefoot_request_seconds_count{plane="device"}'] == "2.0"
    assert figures["surefoot_leader_epoch"] == "7.0"
    assert figures["surefoot_incidents_open"] == "1.0"
    assert figures['surefoot_outbox{state="dead"}'] == "0.0"
    assert figures[f'surefoot_rollout{{rollout="{rollout_id}",sku="standard",state="halted"}}'] == "1.0"
    assert sum(float(value) for name, value in figures.items() if name.startswith("surefoot_robots{")) == 1
    assert "token" not in text


def test_the_fleets_figures_are_shown(bench: Bench, rollout_id: str) -> None:
    bench.services.store.submit(lambda rows: tick(rows, NOW_S)).result()
    shown = bench.operate("GET", "/fleet-metrics").json
    assert (shown["updates_ended"], shown["success_rate"]) == (0, None)
    assert shown["versions"] == {"standard": {"0.2.0": 1}}
    assert (shown["robots"], shown["online"], sum(shown["statuses"].values())) == (1, 1, 1)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_tells_who_leads(bench: Bench, path: str) -> None:
    assert (bench.call("GET", path).json["leads"], bench.call("GET", path).json["epoch"]) == (False, 0)
    bench.services.leadership.lease = Lease(name="leader", holder="me", epoch=7, beat=0)
    assert (bench.call("GET", path).json["leads"], bench.call("GET", path).json["epoch"]) == (True, 7)
