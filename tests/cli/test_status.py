from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.test_rollout_view import ROLLOUT

Run = Callable[..., Any]

FLEET: dict[str, Any] = {
    "updates_ended": 1250,
    "success_rate": 0.998,
    "rollback_rate": 0.016,
    "downloads": 1240,
    "mean_download_s": 41.0,
    "mean_install_s": 95.0,
    "whole_fleet_s": 4.5 * 86400,
    "versions": {"standard": {"0.2.0": 500, "0.2.1": 1500}, "heavy": {"unknown": 2}},
    "robots": 2002,
    "online": 1990,
    "online_within_s": 23400,
    "statuses": {"installed": 1980, "silent": 12, "drifted": 1, "on_trial": 9},
}
GATES = {"answer": "waiting", "sentence": "1 of 12 updated robots was silent. Waiting."}
PLAIN = ROLLOUT | {"release_id": "01R", "rolls_back": None, "only_robot_id": None}
RUNNING = PLAIN | {"gates": GATES}
HALTED = PLAIN | {"rollout_id": "01H", "version": "0.2.2", "state": "halted", "reason": "Smoke."}
DONE = PLAIN | {"rollout_id": "01D", "version": "0.1.9", "state": "finished"}
INCIDENT = {"incident_id": "01H-2", "rollout_id": "01H", "opened_at_s": 0.0, "reason": "Smoke.", "is_open": True}
CLOSED = INCIDENT | {"incident_id": "01D-4", "rollout_id": "01D", "reason": "Old news.", "is_open": False}


BROKER = {"state": "away", "robot_url": "mqtts://fleet.example:8883", "password_url": "mqtts://fleet.example:8884"}


class Server:
    """A server with these rollouts and incidents; it tells of gates only where one rollout is asked for."""

    def __init__(self) -> None:
        self.fleet = FLEET
        self.rollouts = [RUNNING, HALTED, DONE]
        self.incidents = [INCIDENT, CLOSED]
        self.broker: dict[str, Any] = BROKER
        self.metadata: list[dict[str, Any]] = []

    def get(self, path: str) -> Any:
        match path.removeprefix("/api/v1/").split("/"):
            case ["fleet-metrics"]:
                return self.fleet
            case ["metadata"]:
                return {"set_up": bool(self.metadata), "documents": self.metadata}
            case ["broker"]:
                return self.broker
            case ["rollouts"]:
                return {"rollouts": [rollout | {"gates": None} for rollout in self.rollouts]}
            case ["incidents"]:
                return {"incidents": self.incidents}
            case ["rollouts", rollout_id]:
                return next(rollout for rollout in self.rollouts if rollout["rollout_id"] == rollout_id)
            case _:
                raise AssertionError(path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    there = Server()

    @contextmanager
    def connect(**_: Any) -> Iterator[Server]:
        yield there

    monkeypatch.setattr("surefoot.cli.client.connect", connect)
    return there


def told(surefoot: Run) -> list[str]:
    """Return what `surefoot status` says, line by line, with one space between words."""
    outcome = surefoot("status")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert "\x1b" not in outcome.stdout
    return [" ".join(line.split()) for line in outcome.stdout.splitlines()]


def test_the_fleet_is_told_with_its_figures_and_their_targets(surefoot: Run, server: Server) -> None:
    lines = told(surefoot)
    for line in (
        "robots 2,002",
        "online 1,990, heard within 6 h 30 min",
        "silent 12",
        "drifted 1",
        "rolled back 0",
        "refused 0",
        "standard 0.2.1 1,500 74.9 %",
        "heavy unknown 2 under 0.1 %",
        "succeeded 99.8 % of 1,250 updates over 99 % met",
        "rolled back 1.6 % of 1,250 updates under 1 % missed",
        "download time 41 s, mean of 1,240 downloads - -",
        "time to install 95 s - -",
        "time to all robots 4 d 12 h the default plan soaks 4 d -",
    ):
        assert line in lines, line
    versions = [line.split()[1] for line in lines if line.endswith(" %")]
    assert versions == ["0.2.1", "0.2.0", "unknown"]


def test_rollouts_under_way_come_with_phase_and_the_gates_sentence(surefoot: Run, server: Server) -> None:
    lines = told(surefoot)
    rows = [line for line in lines if line.startswith(("01J", "01H ", "01D"))]
    # What asks for a person comes first.
    assert rows == [
        "01H 0.2.2 to standard halted canary 45 of 2,000",
        "01J 0.2.1 to standard running canary 45 of 2,000",
    ]
    assert "0.2.2 to standard Smoke. (45 installed, 4 downloading, 1 rolled_back)" in lines
    said = next(line for line in lines if line.startswith("0.2.1 to standard"))
    assert f"Gates: {GATES['sentence']} (45 installed" in said


def test_the_broker_is_told_with_its_addresses_and_whether_the_server_is_there(surefoot: Run, server: Server) -> None:
    assert "MQTT broker away, mqtts://fleet.example:8883, mqtts://fleet.example:8884" in told(surefoot)
    server.broker = {"state": "none", "robot_url": None, "password_url": None}
    assert "MQTT broker none" in told(surefoot)


def test_metadata_that_ends_soon_is_told_with_what_to_do(surefoot: Run, server: Server) -> None:
    lasting, ending = (
        {"role": role, "expires_at_s": 0.0, "renew_soon": role == "targets"} for role in ("root", "targets")
    )
    server.metadata = [lasting, ending]
    assert told(surefoot)[-1] == "Metadata targets expires 1970-01-01 00:00:00Z: surefoot trust renew targets"
    assert not any("root expires" in line for line in told(surefoot))


def test_a_way_back_is_called_one(surefoot: Run, server: Server) -> None:
    led_back = HALTED | {"release_id": "01BAD", "counts": {"installed": 60}}
    server.rollouts = [RUNNING | {"rolls_back": "01BAD"}, led_back]
    assert "01J 0.2.1 to standard (way back) running canary 45 of 60" in told(surefoot)


def test_a_rollout_for_one_robot_is_about_one(surefoot: Run, server: Server) -> None:
    server.rollouts = [RUNNING | {"only_robot_id": "robot-007", "counts": {"installed": 1}}]
    assert "01J 0.2.1 to standard running canary 1 of 1" in told(surefoot)


def test_open_incidents_are_named_and_closed_ones_are_not(surefoot: Run, server: Server) -> None:
    lines = told(surefoot)
    assert "01H-2 1970-01-01 00:00:00Z 0.2.2 to standard: Smoke." in lines
    assert not any("Old news" in line for line in lines)


def test_an_empty_fleet_says_what_to_do_next(surefoot: Run, server: Server) -> None:
    server.fleet = FLEET | {"robots": 0, "online": 0, "versions": {}, "statuses": {}}
    server.rollouts, server.incidents = [], []
    assert [line for line in told(surefoot) if line] == [
        "No robot is enrolled: invite one with `surefoot robot invite ROBOT_ID --sku SKU`.",
        "No rollout is under way: start one with `surefoot rollout start RELEASE_ID`.",
        "No incident is open.",
    ]


def test_what_nothing_tells_yet_is_neither_met_nor_missed(surefoot: Run, server: Server) -> None:
    rates = dict.fromkeys(("success_rate", "rollback_rate", "mean_download_s", "mean_install_s", "whole_fleet_s"))
    server.fleet = FLEET | rates | {"updates_ended": 0, "downloads": 0}
    lines = told(surefoot)
    assert "succeeded not known yet over 99 % -" in lines
    assert "download time not known yet - -" in lines
    assert "time to install not known yet - -" in lines


def test_check_leaves_with_exit_code_1_while_an_incident_is_open(surefoot: Run, server: Server) -> None:
    assert surefoot("status", "--check").code == 1
    checked = surefoot("status", "--check", "--json")
    assert (checked.code, checked.json["incidents"]) == (1, [INCIDENT])
    server.incidents = [CLOSED]
    assert surefoot("status", "--check").code == 0


def test_programs_get_the_fleet_what_is_under_way_and_what_is_wrong(surefoot: Run, server: Server) -> None:
    assert surefoot("status", "--json").json == {
        "fleet": FLEET,
        "broker": BROKER,
        "metadata": [],
        "rollouts": [HALTED, RUNNING],
        "incidents": [INCIDENT],
    }
