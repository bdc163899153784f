"""Inviting, enrolling and revoking a robot through nothing but commands."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live_server import LiveServer

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("invited") / "data").start() as started:
        yield started


def test_a_robot_is_invited_enrols_renews_and_is_revoked(surefoot: Run, server: LiveServer, tmp_path: Path) -> None:
    code, own = tmp_path / "robot.code", tmp_path / "robot.pem"
    invite = ("robot", "invite", "cli-1", "--sku", "standard", "--code-output", code, "--data", server.data_dir)
    invited = surefoot(*invite, "--json")
    assert invited.code == 0, invited.stdout
    assert stat.S_IMODE(code.stat().st_mode) == 0o600
    assert code.read_text().strip() not in invited.stdout
    enrol = ("agent", "enrol", "--robot-id", "cli-1", "--server", server.url, "--ca", server.ca_path)
    first = surefoot(*enrol, "--certificate-file", own, "--code-file", code, "--json")
    assert first.code == 0, first.stdout
    assert surefoot(*enrol, "--certificate-file", own, "--json").code == 0
    again = surefoot(*enrol, "--certificate-file", tmp_path / "other.pem", "--code-file", code, "--json")
    assert again.code != 0
    revoked = surefoot("robot", "revoke", "cli-1", "--reason", "stolen", "--data", server.data_dir, "--json")
    assert revoked.code == 0, revoked.stdout
    assert surefoot(*enrol, "--certificate-file", own, "--json").code != 0
