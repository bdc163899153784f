"""A key rotated as an operator would, through nothing but commands, on a server that is killed between them."""

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from live_server import LiveServer
from surefoot.sim.images import app_image

Run = Callable[..., Any]
ROBOTS = ("arm-001", "arm-002")


class Robots:
    """Two robots, as far as the server hears of them: each report counts one further."""

    def __init__(self, server: LiveServer, tokens: dict[str, str]) -> None:
        self._server, self._tokens, self._seq = server, tokens, 0

    def report(self, robot_id: str, key_id: str) -> str | None:
        """Say which key a robot trusts; return the version that it is offered."""
        self._seq += 1
        running = {"slot": "ota_0", "version": "0.2.0", "digest": "51" * 32, "state": "confirmed"}
        body = {"robot_id": robot_id, "sku": "arm", "boot": 1, "seq": self._seq, "running": running}
        trust = ssl.create_default_context(cafile=str(self._server.ca_path))
        with httpx.Client(verify=trust, trust_env=False, base_url=self._server.url) as client:
            headers = {"Authorization": f"Bearer {self._tokens[robot_id]}"}
            answer = client.post("/v1/report", json={**body, "trusted_keys": [key_id]}, headers=headers)
        assert answer.status_code == 200, answer.text
        offer = answer.json()["order"]
        return None if offer is None else str(offer["version"])


def an_image(surefoot: Run, folder: Path, key: Path, version: str) -> Path:
    build, image = folder / f"{version}.bin", folder / f"{version}.img"
    build.write_bytes(app_image(version))
    surefoot("image", "sign", "--input", build, "--key", key, "--output", image, "--version", version)
    return image


def test_a_key_is_rotated_from_the_theft_to_the_erased_file_whenever_the_server_dies(
    ask: Run, operate: Run, surefoot: Run, server: LiveServer, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    old_id = surefoot("key", "new", "--output", old, "--json").json["key_id"]
    ask("key", "trust", f"{old}.pub.der", "--name", "release-2026")
    robots = Robots(server, {robot_id: ask("robot", "add", robot_id, "--sku", "arm")["token"] for robot_id in ROBOTS})
    for robot_id in ROBOTS:
        robots.report(robot_id, old_id)
    image = an_image(surefoot, tmp_path, old, "0.2.1")
    published = ask("release", "publish", "--image", image, "--sku", "arm", "--key", old)
    rollout = ask("rollout", "start", published["release_id"], "--internal", "arm-001")["rollout_id"]

    def die() -> None:
        server.kill9()
        server.start()

    assert operate("key", "rotation", "status").error_code == "not-found-rotation"
    assert operate("key", "rotate", "release-2026").error_code == "refused-reason-missing"
    begin = ["key", "rotate", "release-2026", "--reason", "laptop stolen"]
    assert operate(*begin).error_code == "refused-usage"
    assert ask("key", "list")["keys"][0]["state"] == "active"
    assert ask(*begin, "--yes")["step"] == "generate"
    die()
    assert ask(*begin, "--yes")["step"] == "generate"
    assert ask("rollout", "status", rollout)["state"] == "halted"
    second = an_image(surefoot, tmp_path, old, "0.2.9")
    assert operate("release", "publish", "--image", second, "--sku", "arm", "--key", old).error_code == (
        "refused-signature"
    )

    named = ask("key", "rotate", "--new-key", f"file:{new}", "--name", "release-2027")
    assert (named["step"], named["lacking_skus"]) == ("transition", ["arm"])
    die()
    assert ask("key", "rotate", "--new-key", f"file:{new}")["new_key"] == named["new_key"]
    new_id = named["new_key"]["key_id"]

    image = an_image(surefoot, tmp_path, old, "0.2.2")
    transit = ["key", "rotate", "--image", image, "--sku", "arm", "--old-key", f"file:{old}"]
    assert operate(*transit[:-2], "--old-key", f"file:{new}").error_code == "refused-transition"
    assert operate(*transit, "--version-floor", "0.2").error_code == "refused-version-format"
    assert ask(*transit, "--protocol", 2, "--version-floor", "0.2.1")["step"] == "verify"
    die()
    [transition] = ask(*transit)["transitions"]
    [released] = [one for one in ask("release", "list")["releases"] if one["release_id"] == transition["release_id"]]
    said = json.loads(released["manifest"]["payload"])
    assert (said["protocol"], said["version_floor"]) == (2, "0.2.1")
    ask("rollout", "start", transition["release_id"], "--internal", "arm-001", "--internal", "arm-002")
    assert [robots.report(robot_id, old_id) for robot_id in ROBOTS] == ["0.2.2", "0.2.2"]

    robots.report("arm-001", new_id)
    shown = operate("key", "rotate").stdout
    assert "arm-002" in shown and "straggler" in shown and "arm-001" not in shown
    assert "Waiting for 1 robots" in shown
    robots.report("arm-002", new_id)
    assert ask("key", "rotation", "status")["counts"]["adopted"] == 2
    asked = operate("key", "rotate")
    assert (asked.code, asked.error_code) == (1, "refused-usage") and "2 robots trust the new key" in asked.stderr
    assert ask("key", "rotation", "status")["step"] == "destroy"
    die()
    ended = ask("key", "rotate", "--yes")
    assert (ended["step"], ended["ended_from"], ended["old_key"]["state"]) == ("finished", "127.0.0.1", "destroyed")
    assert robots.report("arm-001", old_id) is None
    assert operate("key", "trust", f"{old}.pub.der", "--name", "again").error_code == "refused-key-revoked"

    erase = ["key", "rotate", "release-2026", "--erase", "--yes"]
    assert operate(*erase, "--old-key", f"file:{new}").error_code == "refused-usage"
    assert old.exists() and new.exists()
    operate(*erase, "--old-key", f"file:{old}")
    assert not old.exists() and new.exists()
    assert "finished" in operate("key", "rotation", "list").stdout
    assert "release-2026" in operate("key", "rotation", "status", "release-2026").stdout


def test_a_robot_is_excluded_by_name_and_a_rotation_given_up(
    ask: Run, operate: Run, surefoot: Run, tmp_path: Path
) -> None:
    key = tmp_path / "spare.pem"
    surefoot("key", "new", "--output", key)
    trusted = ask("key", "trust", f"{key}.pub.der", "--name", "spare")
    ask("robot", "add", "arm-009", "--sku", "arm")
    ask("key", "rotate", "spare", "--reason", "test", "--yes")
    ask("key", "rotate", "spare", "--new-key", f"file:{tmp_path / 'other.pem'}")
    excluded = ask("key", "rotation", "exclude", "arm-009", "--reason", "scrapped", "--key", trusted["key_id"])
    assert excluded["counts"]["excluded"] == 1
    assert "scrapped (" in operate("key", "rotation", "status", "spare").stdout
    assert operate("key", "rotation", "cancel", "spare", "--reason", "enough").error_code == "refused-usage"
    assert ask("key", "rotation", "cancel", "spare", "--reason", "enough", "--yes")["old_key"]["state"] == "revoked"


def test_the_metadatas_root_must_name_the_new_key_before_the_old_one_is_destroyed(
    ask: Run, operate: Run, surefoot: Run, tmp_path: Path
) -> None:
    root, old, new, folder = tmp_path / "root.pem", tmp_path / "old.pem", tmp_path / "new.pem", tmp_path / "metadata"
    for key in (root, old):
        surefoot("key", "new", "--output", key)
    ask("trust", "init", "--root-key", root, "--targets-key", old, "--output", folder)
    ask("trust", "publish", folder)
    old_id = ask("key", "trust", f"{old}.pub.der", "--name", "old")["key_id"]
    begin = ["key", "rotate", "old", "--reason", "stolen", "--new-key", f"file:{new}", "--yes"]
    assert (ask(*begin)["step"], ask(*begin)["root_names_old"]) == ("destroy", ["targets"])
    assert "surefoot trust replace-key" in operate("key", "rotation", "status").stdout

    replace = ["trust", "replace-key", old_id, "--new-key", f"file:{new}", "--output", tmp_path / "next"]
    assert operate(*replace, "--root-key", new).error_code == "refused-metadata-signature"
    made = ask(*replace, "--root-key", root)
    assert made["roles"] == ["targets"]
    ask("trust", "publish", *made["documents"])
    assert operate(*replace, "--root-key", root).error_code == "refused-metadata-key", "it has no place any more"
    assert ask("key", "rotate", "--yes")["step"] == "finished"
