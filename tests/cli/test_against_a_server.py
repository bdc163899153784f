"""The commands as an operator uses them, against a server that `surefoot up` started."""

import base64
import hashlib
import json
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from surefoot.sim.images import app_image
from surefoot.wire.manifest import parse_manifest

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a running server, which must stop cleanly on Ctrl-C."""
    folder = tmp_path_factory.mktemp("cli") / "data"
    surefoot = Path(sys.executable).with_name("surefoot")
    words: list[str | Path] = [surefoot, "up", "--data", folder, "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        ready = server.stdout.readline()
        assert ready, server.communicate()[1]
        assert json.loads(ready)["data"] == str(folder)
        yield folder
        server.send_signal(signal.SIGINT)
        _, log = server.communicate(timeout=30)
    assert server.returncode == 0, log


@pytest.fixture
def operate(surefoot: Run, data: Path) -> Run:
    return lambda *words: surefoot(*words, "--data", data)


@pytest.fixture
def publish(ask: Run, surefoot: Run, tmp_path: Path) -> Callable[[str, str], Any]:
    """Sign and publish a build with a new trusted key, through nothing but commands."""

    def run(sku: str, version: str, *more: str) -> Any:
        key, build, image = tmp_path / "release.pem", tmp_path / f"{version}.bin", tmp_path / f"{version}.img"
        if not key.exists():
            surefoot("key", "new", "--output", key)
            ask("key", "trust", f"{key}.pub.der", "--name", f"release-{sku}")
        build.write_bytes(app_image(version))
        surefoot("image", "sign", "--input", build, "--key", f"file:{key}", "--output", image, "--version", version)
        return ask("release", "publish", "--image", image, "--sku", sku, "--key", f"file:{key}", *more)

    return run


def report(data: Path, robot_id: str, token: str, **changes: Any) -> None:
    """Say as a robot what is true of it."""
    url = json.loads((data / "server.json").read_text())["url"]
    running = {"slot": "ota_0", "version": "0.2.0", "digest": "51" * 32, "state": "confirmed"}
    facts = {"robot_id": robot_id, "sku": "arm", "boot": 1, "seq": 1, "running": running, "version_floor": "0.1.0"}
    trust = ssl.create_default_context(cafile=str(data / "tls" / "ca.pem"))
    with httpx.Client(verify=trust, trust_env=False) as robot:
        answer = robot.post(f"{url}/v1/report", json=facts | changes, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text


def test_a_trusted_key_is_listed(ask: Run, surefoot: Run, tmp_path: Path) -> None:
    made = surefoot("key", "new", "--output", tmp_path / "build.pem", "--json").json
    trusted = ask("key", "trust", made["public_key"], "--name", "build-server")
    assert base64.b64decode(trusted["der_base64"]) == Path(made["public_key"]).read_bytes()
    [listed] = [key for key in ask("key", "list")["keys"] if key["key_id"] == made["key_id"]]
    assert (listed["name"], listed["state"]) == ("build-server", "active")


def test_a_published_release_carries_the_manifest_that_was_signed_here(publish: Run, ask: Run, operate: Run) -> None:
    release = publish("gripper", "0.3.1", "--notes", "Grips softer.", "--version-floor", "0.2.0", "--protocol", "2")
    manifest = parse_manifest(release["manifest"]["payload"].encode())
    assert (manifest.name, manifest.sku, str(manifest.version)) == ("gripper-0.3.1", "gripper", "0.3.1")
    assert (manifest.notes, str(manifest.version_floor), manifest.protocol) == ("Grips softer.", "0.2.0", 2)
    assert manifest.digest == release["digest"] == hashlib.sha256(app_image("0.3.1")).hexdigest()
    assert release in ask("release", "list")["releases"]
    assert release["release_id"] in operate("release", "list").stdout


def test_publishing_the_same_image_again_changes_nothing(publish: Run, ask: Run, tmp_path: Path) -> None:
    first = publish("wheel", "1.0.0")
    image, key = tmp_path / "1.0.0.img", tmp_path / "release.pem"
    assert ask("release", "publish", "--image", image, "--sku", "wheel", "--key", key) == first


def test_an_image_by_a_key_that_nobody_trusts_is_refused(operate: Run, surefoot: Run, tmp_path: Path) -> None:
    key, build, image = tmp_path / "own.pem", tmp_path / "own.bin", tmp_path / "own.img"
    build.write_bytes(app_image("0.9.0"))
    surefoot("key", "new", "--output", key)
    surefoot("image", "sign", "--input", build, "--key", key, "--output", image, "--version", "0.9.0")
    outcome = operate("release", "publish", "--image", image, "--sku", "own", "--key", key)
    assert (outcome.code, outcome.error_code) == (1, "refused-signature")


def test_a_damaged_image_never_leaves_this_machine(publish: Run, operate: Run, tmp_path: Path) -> None:
    publish("torn", "1.0.0")
    image = tmp_path / "1.0.0.img"
    image.write_bytes(image.read_bytes()[:-1])
    outcome = operate("release", "publish", "--image", image, "--sku", "torn", "--key", tmp_path / "release.pem")
    assert (outcome.code, outcome.error_code) == (1, "refused-image-format")


def test_a_rollout_is_started_paused_resumed_and_halted(publish: Run, ask: Run, operate: Run) -> None:
    release = publish("leg", "0.2.1")
    for robot_id in ("leg-001", "leg-002"):
        ask("robot", "add", robot_id, "--sku", release["sku"])
    rollout = ask("rollout", "start", release["release_id"], "--internal", "leg-001", "--internal", "leg-002")
    rollout_id = rollout["rollout_id"]
    assert rollout["plan"]["phases"][0]["robots"] == ["leg-001", "leg-002"]
    assert ask("rollout", "pause", rollout_id)["state"] == "paused"
    assert ask("rollout", "resume", rollout_id, "--reason", "Monday")["state"] == "running"
    halted = ask("rollout", "halt", rollout_id, "--reason", "two robots limp")
    assert (halted["state"], halted["reason"]) == ("halted", "two robots limp")
    assert operate("rollout", "pause", rollout_id).error_code == "refused-rollout-state"
    assert operate("rollout", "resume", rollout_id, "--reason", " ").error_code == "refused-reason-missing"

    shown = operate("rollout", "status", rollout_id).stdout
    for words in ("two robots limp", "leg-001, leg-002", "24 h", "10 %", "48 h", "halted"):
        assert words in shown
    assert rollout_id in operate("rollout", "list").stdout
    assert any(known["rollout_id"] == rollout_id for known in ask("rollout", "list")["rollouts"])


def test_a_release_is_recalled_and_its_incident_told_and_closed(publish: Run, ask: Run, operate: Run) -> None:
    publish("tail", "0.2.0")
    release = publish("tail", "0.2.1")
    release_id = release["release_id"]
    ask("robot", "add", "tail-001", "--sku", "tail")
    rollout_id = ask("rollout", "start", release_id, "--internal", "tail-001")["rollout_id"]
    recalled = operate("release", "recall", release_id, "--reason", "tails fall off", "--roll-back").stdout
    assert "1 of its rollouts halted" in recalled and f"{release_id}-back-1" in recalled
    assert "recalled" in operate("release", "list").stdout
    assert operate("rollout", "start", release_id).error_code == "refused-release-recalled"
    assert "tails fall off" in operate("rollout", "status", rollout_id).stdout

    [incident] = [it for it in ask("incident", "list")["incidents"] if it["rollout_id"] == rollout_id]
    incident_id = incident["incident_id"]
    operate("incident", "note", incident_id, "The glue was old.")
    shown = operate("incident", "show", incident_id).stdout
    for words in ("tails fall off", "The glue was old.", "Release 0.2.1 recalled", "not back"):
        assert words in shown
    assert ask("incident", "close", incident_id, "--reason", "new glue")["is_open"] is False
    entry = operate("incident", "show", incident_id, "--changelog").stdout
    assert entry.startswith("### Incident of ") and entry.endswith(": Closed: new glue\n")
    assert ask("incident", "show", incident_id, "--changelog")["changelog"] == entry
    assert operate("incident", "close", incident_id, "--reason", "again").error_code == "refused-incident-state"


def test_a_plan_from_a_file_is_followed(publish: Run, ask: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("phases:\n- {name: all, percent: 100, soak_s: 60}\ncapacity: 7\n")
    rollout = ask("rollout", "start", publish("plan", "0.2.1")["release_id"], "--plan", plan)
    assert [phase["name"] for phase in rollout["plan"]["phases"]] == ["all"]
    assert rollout["plan"]["capacity"] == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("phases: [\n- broken", "line 2"),
        ("just words", "line 1: plan: must be an object"),
        ("phases:\n- {name: some, percent: 50}\n", "100 percent"),
        ("\x00", "YAML"),
    ],
)
def test_a_plan_that_is_wrong_starts_nothing(operate: Run, ask: Run, tmp_path: Path, text: str, said: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(text)
    before = len(ask("rollout", "list")["rollouts"])
    outcome = operate("rollout", "start", "01J", "--plan", plan)
    assert (outcome.code, outcome.error_code) == (1, "refused-plan-format")
    assert said in outcome.stderr
    assert len(ask("rollout", "list")["rollouts"]) == before


def test_a_plan_is_explained_for_the_robots_there_are(publish: Run, ask: Run, operate: Run, tmp_path: Path) -> None:
    release = publish("knee", "0.2.1")
    for number in range(3):
        ask("robot", "add", f"knee-{number}", "--sku", "knee")
    ask("robot", "add", "hip-1", "--sku", "hip")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "phases:\n- {name: some, percent: 34, soak: 1 h}\n- {name: all, percent: 100, soak: 2 h}\n"
        "gates: {margins: {install-failed: 0.05, error: 0.2}}\n"
    )
    explained = ask("rollout", "plan", "--explain", plan, "--release", release["release_id"])
    assert (explained["sku"], explained["robots"], explained["warnings"]) == ("knee", 3, [])
    assert [(it["name"], it["new"], it["ends_after_s"]) for it in explained["phases"]] == [
        ("some", 1, 3600),
        ("all", 2, 10800),
    ]
    shown = operate("rollout", "plan", "--explain", plan, "--sku", "knee").stdout
    accepted = "By its margins the plan accepts: install-failed 5 % of updates, error 20 % more."
    for words in ("The fleet has 3 robots of sku knee", "install-failed", "ENDS AFTER", accepted):
        assert words in shown
    plan.write_text("phases: [{name: all, percent: 100}]\n")
    plain = operate("rollout", "plan", "--explain", plan, "--sku", "knee").stdout
    assert "margins" not in plain and "What is usual in this fleet is not looked at" in plain
    assert operate("rollout", "plan", "--explain", plan).error_code == "refused-usage"
    [warning] = ask("rollout", "plan", "--explain", plan, "--sku", "kne")["warnings"]
    assert warning.startswith("No robot of sku kne is enrolled")
    assert operate("rollout", "plan", "--explain", plan, "--release", "none").error_code == "not-found-release"


def test_a_phase_is_approved_and_the_rollout_watched_to_its_halt(
    publish: Run, ask: Run, operate: Run, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "phases:\n- {name: some, percent: 10}\n- {name: all, percent: 100, approval: true}\nmaintenance_windows:\n"
        "- {days: [sat], from: 22:00, to: 04:00}\n"
    )
    ask("robot", "add", "ear-1", "--sku", "ear")
    rollout_id = ask("rollout", "start", publish("ear", "0.2.1")["release_id"], "--plan", plan)["rollout_id"]
    assert "needed" in operate("rollout", "status", rollout_id).stdout
    approved = operate("rollout", "approve", rollout_id, "--reason", "looks well")
    assert approved.stdout == f"Phase all of rollout {rollout_id} may open.\n"
    assert operate("rollout", "approve", rollout_id, "--reason", "again").error_code == "refused-approval"
    status = operate("rollout", "status", rollout_id).stdout
    assert "operator.token" in status and "looks well" in status and "ear-1" in status
    operate("rollout", "halt", rollout_id, "--reason", "it limps")
    watched = operate("rollout", "status", rollout_id, "--watch")
    assert (watched.code, watched.stdout.startswith("halted, phase some: it limps")) == (1, True)
    assert ask("rollout", "status", rollout_id)["waiting"]["groups"][0]["code"] == "halted"


def test_a_robot_is_pinned_and_placed_by_commands(ask: Run, operate: Run) -> None:
    ask("robot", "add", "fin-1", "--sku", "fin")
    assert "offered nothing" in operate("robot", "pin", "fin-1", "--reason", "on loan").stdout
    assert "on loan" in operate("robot", "pins").stdout
    assert ask("robot", "unpin", "fin-1")["reason"] == "on loan"
    assert operate("robot", "pins").stdout == "No robot is pinned.\n"
    assert operate("robot", "time-zone", "fin-1", "Asia/Tokyo").stdout == "Robot fin-1 goes by Asia/Tokyo.\n"
    assert operate("robot", "time-zone", "fin-1", "Mars").error_code == "refused-time-zone"


def test_one_robot_gets_a_release_by_a_command_and_a_pinned_one_does_not(publish: Run, ask: Run, operate: Run) -> None:
    ask("robot", "add", "jaw-1", "--sku", "jaw")
    ask("robot", "add", "jaw-2", "--sku", "jaw")
    release_id = publish("jaw", "0.2.1")["release_id"]
    told = operate("robot", "install", "jaw-1", release_id, "--reason", "trial in the lab").stdout
    rollout_id = told.split()[1]
    assert "offers 0.2.1 to jaw-1 alone" in told and f"surefoot rollout status {rollout_id}" in told
    status = ask("rollout", "status", rollout_id)
    assert (status["only_robot_id"], status["force"], status["reason"]) == ("jaw-1", False, "trial in the lab")
    assert status["waiting"]["without_offer"] == 1
    assert "jaw-1 alone, a jaw" in operate("rollout", "status", rollout_id).stdout
    ask("robot", "pin", "jaw-2", "--reason", "on loan")
    refused = operate("robot", "install", "jaw-2", release_id, "--reason", "trial")
    assert refused.error_code == "refused-pin-state" and "on loan" in refused.stderr
    ask("robot", "unpin", "jaw-2")
    assert ask("rollout", "start", release_id, "--force")["force"]
    assert not ask("rollout", "start", release_id)["force"]


def test_a_robot_is_enrolled_once_and_its_token_is_its_own(ask: Run, operate: Run, tmp_path: Path) -> None:
    path = tmp_path / "arm-001.token"
    answer = ask("robot", "add", "arm-001", "--sku", "arm", "--token-output", path)
    assert "token" not in answer and stat.S_IMODE(path.stat().st_mode) == 0o600
    again = operate("robot", "add", "arm-001", "--sku", "arm", "--token-output", tmp_path / "again.token")
    assert (again.code, again.error_code) == (1, "refused-robot-exists")
    assert not (tmp_path / "again.token").exists()
    before = path.read_bytes()
    other = operate("robot", "add", "arm-002", "--sku", "arm", "--token-output", path)
    assert other.error_code == "refused-file-exists" and path.read_bytes() == before
    assert operate("robot", "show", "arm-002").error_code == "not-found-robot"


def test_a_robot_shows_what_it_runs_and_what_it_should(
    ask: Run, operate: Run, publish: Run, data: Path, tmp_path: Path
) -> None:
    robot_id = "arm:3.a"
    path = tmp_path / "token"
    ask("robot", "add", robot_id, "--sku", "arm", "--token-output", path)
    assert "not reported" in operate("robot", "show", robot_id).stdout
    spare = {"slot": "ota_1", "version": "0.1.9", "digest": "ab" * 32, "state": "rolled_back"}
    report(data, robot_id, path.read_text().strip(), spare=spare)

    shown = operate("robot", "show", robot_id)
    assert shown.code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["running", "ota_0", "0.2.0", "confirmed", "51" * 8] in lines
    assert ["spare", "ota_1", "0.1.9", "rolled_back", "ab" * 8] in lines
    robot = ask("robot", "show", robot_id)
    assert (robot["running_version"], robot["status"]) == ("0.2.0", "unassigned")


def test_a_robot_shows_what_it_reports_and_why_it_gets_no_newer_offer(
    publish: Run, ask: Run, operate: Run, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    ask("robot", "add", "fin-001", "--sku", "fin", "--token-output", path)
    ask("rollout", "start", publish("fin", "0.2.1")["release_id"], "--internal", "fin-001")
    report(data, "fin-001", path.read_text().strip(), sku="fin", code="refused-signature")
    assert "no newer offer" not in operate("robot", "show", "fin-001").stdout

    ask("robot", "add", "fin-002", "--sku", "fin")
    ask("rollout", "start", publish("fin", "0.2.2")["release_id"], "--internal", "fin-002")
    lines = [" ".join(line.split()) for line in operate("robot", "show", "fin-001").stdout.splitlines()]
    assert "no newer offer phase-closed: The robot's phase of the rollout has not opened yet." in lines
    assert any(line.startswith("it reports refused-signature: ") for line in lines)


def test_the_fleet_is_seen_at_a_glance(publish: Run, ask: Run, operate: Run, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "token"
    ask("robot", "add", "glance-001", "--sku", "glance", "--token-output", path)
    report(data, "glance-001", path.read_text().strip(), sku="glance")
    rollout_id = ask("rollout", "start", publish("glance", "0.2.1")["release_id"])["rollout_id"]
    seen = operate("status")
    lines = [" ".join(line.split()) for line in seen.stdout.splitlines()]
    assert seen.code == 0
    assert f"{rollout_id} 0.2.1 to glance running canary 0 of 1" in lines
    assert any(line.startswith("glance 0.2.0 1 ") for line in lines)

    ask("rollout", "halt", rollout_id, "--reason", "arms shake")
    assert operate("status", "--check").code == 1
    value = ask("status")
    [incident] = [one for one in value["incidents"] if one["rollout_id"] == rollout_id]
    assert incident["reason"] == "arms shake"
    assert value["fleet"]["online"] >= 1 and value["fleet"]["robots"] == sum(value["fleet"]["statuses"].values())


def test_a_token_that_is_printed_is_the_robots(ask: Run, operate: Run, data: Path) -> None:
    answer = ask("robot", "add", "arm-004", "--sku", "arm")
    report(data, "arm-004", answer["token"])
    printed = operate("robot", "add", "arm-005", "--sku", "arm").stdout.splitlines()
    report(data, "arm-005", printed[-1])


def test_robots_are_listed_by_status(ask: Run, operate: Run) -> None:
    ask("robot", "add", "listed-001", "--sku", "arm")
    assert "listed-001" in operate("robot", "list").stdout
    assert "listed-001" in {robot["robot_id"] for robot in ask("robot", "list", "--status", "unassigned")["robots"]}
    assert ask("robot", "list", "--status", "rolled_back") == {"robots": []}
    assert operate("robot", "list", "--status", "rolled_back").stdout == "No robot is rolled_back.\n"
    assert operate("robot", "list", "--status", "lost").error_code == "refused-usage"


def test_a_wrong_token_and_a_wrong_ca_are_told_apart(operate: Run, surefoot: Run, data: Path, tmp_path: Path) -> None:
    token = tmp_path / "wrong.token"
    token.write_text("wrong")
    assert operate("robot", "list", "--token-file", token).error_code == "refused-token"
    url = json.loads((data / "server.json").read_text())["url"]
    token.write_bytes((data / "operator.token").read_bytes())
    # A directory without the fleet's CA, so that only the machine's own certificates are left to trust.
    outcome = surefoot("robot", "list", "--token-file", token, "--server", url, "--data", tmp_path)
    assert (outcome.code, outcome.error_code) == (1, "refused-server-certificate")


def test_a_second_server_on_the_same_data_is_refused(surefoot: Run, data: Path) -> None:
    outcome = surefoot("up", "--data", data, "--port", "0")
    assert (outcome.code, outcome.error_code) == (1, "refused-data-in-use")


def test_the_commands_look_where_the_server_puts_things(monkeypatch: pytest.MonkeyPatch) -> None:
    from surefoot.cli import client, options
    from surefoot.server import certificates, composition, serve, settings

    monkeypatch.delenv("SUREFOOT_DATA_DIR", raising=False)
    assert settings.load_settings().data_dir == options.DEFAULT_DATA
    assert client.SERVER_FILE == serve.SERVER_FILE
    assert client.TOKEN_FILE == composition.OPERATOR_TOKEN_FILE
    assert f"{certificates.CERTIFICATES_FOLDER}/ca.pem" == client.CA_FILE
