"""A fleet in the middle of its life: a rollout that soaks, one that its gate halted, a rotation with stragglers."""

import base64
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from browser.past import Past, key_named
from browser.showcase import digest_of
from surefoot.fleet.incidents import Incident, whereabouts
from surefoot.fleet.ports import Rows
from surefoot.signing.signers import FileSigner
from surefoot.sim.rollout_scenario import Effect, Kind

HOUR_S = 3600.0
DAYS = 5
WALKERS = tuple(f"walker-{number:02}" for number in range(1, 61))
ARMS = tuple(f"arm-{number:02}" for number in range(1, 49))
AT_ONCE = [{"name": "full", "percent": 100, "soak_s": 7200}]
STAGED = [
    {"name": "internal", "robots": list(WALKERS[:2]), "soak_s": 12 * HOUR_S},
    {"name": "canary", "percent": 30, "soak_s": 48 * HOUR_S},
    {"name": "wider", "percent": 60, "soak_s": 24 * HOUR_S},
    {"name": "full", "percent": 100, "soak_s": 24 * HOUR_S, "approval": True},
]
HALVED = [
    {"name": "internal", "robots": list(ARMS[:2]), "soak_s": 6 * HOUR_S},
    {"name": "canary", "percent": 50, "soak_s": 48 * HOUR_S},
    {"name": "full", "percent": 100, "soak_s": 24 * HOUR_S},
]
CAREFUL = [
    {"name": "canary", "percent": 25, "soak_s": 12 * HOUR_S},
    {"name": "full", "percent": 100, "soak_s": 12 * HOUR_S},
]
# When errors begin on arms that run 1.1.0, in hours before now.
ERRORS_BEGIN_H = 8.0


def make_scene(data_dir: Path) -> dict[str, str]:
    """Make a data directory with the fleet; return the ids of what is on it, by what it is."""
    now_s = time.time()
    past = Past(data_dir, now_s - DAYS * 24 * HOUR_S)
    ids: dict[str, str] = {}
    story: list[tuple[float, Callable[[Past, dict[str, str]], None]]] = [
        (DAYS * 24, _found),
        (96, _bring_bad_arms),
        (80, _tidy_up),
        (46, _bring_walkers),
        (42, _bring_arms),
        (30, _lose_one),
        (20, _rotate),
        (7, _flash_one),
        (1, _note),
    ]
    past.ills["1.1.0"] = lambda _robot_id, at_s: (
        Effect(kind=Kind.ERRORS, times=80, after_s=now_s - ERRORS_BEGIN_H * HOUR_S - at_s),
    )
    struck: list[str] = []

    def stop_once(robot_id: str, _at_s: float) -> tuple[Effect, ...]:
        struck.append(robot_id)
        return (Effect(kind=Kind.SAFETY_STOP, after_s=4 * HOUR_S),) if len(struck) == 1 else ()

    past.ills["1.0.1"] = stop_once
    for hours, chapter in story:
        past.live_until(now_s - hours * HOUR_S)
        chapter(past, ids)
    past.catch_up()
    ids["robot"] = _robot_not_back(past, ids["incident"])
    past.close()
    return ids


def _found(past: Past, ids: dict[str, str]) -> None:
    """Enrol everyone, and bring them their first release."""
    for name, role in (("ada", "admin"), ("grace", "operator"), ("the-build", "publisher")):
        past.account(name, role)
    key = ids["key"] = _trust(past, "release-2026", past.signer)
    old_key = ids["old_key"] = _trust(past, "release-2025", key_named("release-2025"))
    for robot_id in WALKERS:
        late = robot_id > WALKERS[-5]
        past.enrol("ada", robot_id, "walker", "0.1.9", (key, old_key) if late else (key,))
    for robot_id in ARMS:
        past.enrol("ada", robot_id, "arm", "1.0.0", (key,))
    for version, sku in (("0.2.0", "walker"), ("1.0.0", "arm")):
        _bring(past, version, sku, AT_ONCE)


def _bring_bad_arms(past: Past, ids: dict[str, str]) -> None:
    ids["stopped"] = _bring(past, "1.0.1", "arm", CAREFUL)


def _tidy_up(past: Past, ids: dict[str, str]) -> None:
    incident = _incident_of(past, ids["stopped"])
    note = {"text": "The gripper was open when the arm moved: fixed in 1.1.0."}
    past.ask("grace", "POST", f"/incidents/{incident}/notes", note)
    past.ask("ada", "POST", f"/incidents/{incident}/close", {"reason": "All arms are back on 1.0.0."})


def _bring_walkers(past: Past, ids: dict[str, str]) -> None:
    past.dwellers[WALKERS[11]].fails.add("0.2.1")
    ids["running"] = _bring(past, "0.2.1", "walker", STAGED)
    ids["release"] = past.ask("ada", "GET", f"/rollouts/{ids['running']}")["release_id"]


def _bring_arms(past: Past, ids: dict[str, str]) -> None:
    ids["halted"] = _bring(past, "1.1.0", "arm", HALVED)


def _rotate(past: Past, ids: dict[str, str]) -> None:
    reason = "The build server was broken into."
    begun = past.ask("ada", "POST", "/rotations", {"key_id": ids["old_key"], "reason": reason})
    ids["rotation"] = begun["rotation_id"]
    named = {"name": "release-2026", "der_base64": base64.b64encode(past.signer.public_key.der).decode()}
    past.ask("ada", "POST", f"/rotations/{ids['rotation']}/new-key", named)


def _lose_one(past: Past, ids: dict[str, str]) -> None:
    """Somebody takes a robot home, where it is switched off."""
    past.dwellers[WALKERS[33]].robot.runs = ""


def _flash_one(past: Past, ids: dict[str, str]) -> None:
    """Somebody flashes a robot by hand."""
    robot = past.dwellers[WALKERS[44]].robot
    robot.version, robot.runs = "0.1.9", digest_of("0.1.9")


def _note(past: Past, ids: dict[str, str]) -> None:
    ids["incident"] = _incident_of(past, ids["halted"])
    note = {"text": "Every error names the wrist camera. Asking the perception people."}
    past.ask("grace", "POST", f"/incidents/{ids['incident']}/notes", note)


def _trust(past: Past, name: str, signer: FileSigner) -> str:
    der = base64.b64encode(signer.public_key.der).decode()
    return str(past.ask("operator.token", "POST", "/keys", {"name": name, "der_base64": der})["key_id"])


def _bring(past: Past, version: str, sku: str, phases: list[dict[str, object]]) -> str:
    release_id = past.publish("the-build", version, sku)
    body = {"release_id": release_id, "plan": {"phases": phases}}
    # The same robots go first in every run.
    with patch.object(secrets, "token_bytes", random.Random(version).randbytes):
        return str(past.ask("grace", "POST", "/rollouts", body)["rollout_id"])


def _incident_of(past: Past, rollout_id: str) -> str:
    [incident] = past.services.store.read(lambda rows: rows.find(Incident, rollout_id=rollout_id))
    return incident.incident_id


def _robot_not_back(past: Past, incident_id: str) -> str:
    def work(rows: Rows) -> str:
        incident = rows.get(Incident, incident_id)
        assert incident is not None
        return whereabouts(rows, incident, past.now_s).not_back[0]

    return past.services.store.read(work)
