"""Webhooks as an operator sets them up, and looks after what was not delivered: by command, against a real server."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surefoot.fleet.webhooks import Event
from surefoot.sim.images import app_image
from waiting import wait_until

Run = Callable[..., Any]


def start_a_rollout(ask: Run, surefoot: Run, folder: Path) -> None:
    key, build, image = folder / "key.pem", folder / "robot.bin", folder / "robot.img"
    surefoot("key", "new", "--output", key)
    ask("key", "trust", f"{key}.pub.der", "--name", "release")
    build.write_bytes(app_image("0.2.1"))
    surefoot("image", "sign", "--input", build, "--key", key, "--output", image, "--version", "0.2.1")
    released = ask("release", "publish", "--image", image, "--sku", "arm", "--key", key)
    ask("rollout", "start", released["release_id"])


def test_a_webhook_from_its_making_to_its_removal_and_what_it_did_not_take(
    ask: Run, operate: Run, surefoot: Run, tmp_path: Path
) -> None:
    assert "surefoot webhook add" in operate("webhook", "list").stdout
    assert operate("webhook", "add", "http://plain.example").error_code == "refused-webhook"
    assert operate("webhook", "add", "https://x.example", "--event", "rollout.melted").code == 2
    secret = tmp_path / "webhook.secret"
    of_all = ask("webhook", "add", "https://chat.example/fleet")
    assert of_all["events"] == sorted(Event), "none was named"
    operate("webhook", "remove", of_all["webhook_id"])
    # This machine's own network is none that a webhook may reach.
    wanted = ["--event", "rollout.started", "--event", "rollout.halted"]
    made = ask("webhook", "add", "https://127.0.0.1:1/fleet", *wanted, "--secret-output", secret)
    assert "secret" not in made and made["events"] == ["rollout.halted", "rollout.started"]
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600 and len(secret.read_text().strip()) > 30
    again = operate("webhook", "add", "https://127.0.0.1:1/fleet", "--secret-output", secret)
    assert again.error_code == "refused-file-exists"
    assert [one["webhook_id"] for one in ask("webhook", "list")["webhooks"]] == [made["webhook_id"]]

    start_a_rollout(ask, surefoot, tmp_path)

    def tried() -> int:
        entries = ask("webhook", "undelivered")["entries"]
        return max((entry["attempts"] for entry in entries if entry["kind"] == "webhook"), default=0)

    wait_until(lambda: tried() > 0)
    told = operate("webhook", "undelivered").stdout
    assert "refused-address-private" in told and made["webhook_id"] in told
    [entry] = [entry for entry in ask("webhook", "undelivered")["entries"] if entry["kind"] == "webhook"]
    assert "is tried again" in operate("webhook", "retry", entry["entry_id"]).stdout
    assert "Nothing waits" in operate("webhook", "undelivered", "--given-up").stdout
    assert operate("webhook", "retry", "none").error_code == "not-found-outbox-entry"

    assert "https://127.0.0.1:1" in operate("webhook", "remove", made["webhook_id"]).stdout
    assert operate("webhook", "remove", made["webhook_id"]).error_code == "not-found-webhook"
    assert "Nothing waits" in operate("webhook", "undelivered").stdout, "what waited for it is gone too"
