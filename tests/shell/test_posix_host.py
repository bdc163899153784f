"""What a companion knows of itself: by its owner's commands, and at their worst where those say nothing."""

import sys

import pytest

from surefoot.agent.preflight import held_by
from surefoot.shell.posix_host import PosixHost


def a_host(self_test: tuple[str, ...] = (), conditions: tuple[str, ...] = ()) -> PosixHost:
    return PosixHost(self_test, conditions, lambda text: None)


def test_a_self_test_that_hangs_or_cannot_run_has_failed() -> None:
    hangs = a_host(self_test=(sys.executable, "-c", "import threading; threading.Event().wait()"))
    missing = a_host(self_test=("/nowhere/self-test",))
    assert not hangs.passes("relay", 1)
    assert not missing.passes("relay", 1)


def test_each_check_is_run_with_its_name_and_passes_by_exit_code() -> None:
    only_relay = a_host(self_test=(sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != 'relay')"))
    assert only_relay.passes("relay", 10)
    assert not only_relay.passes("sensors", 10)


def test_the_conditions_are_what_the_owners_command_prints() -> None:
    printed = '{"battery_percent": 49.5, "rssi_dbm": -60, "is_idle": true, "safety_state": "NORMAL"}'
    host = a_host(conditions=(sys.executable, "-c", f"print({printed!r})"))
    assert held_by(host.conditions()) == "held-battery"
    assert host.conditions().is_cool is None


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('?')", 'print(\'{"battery_percent": "full"}\')'])
def test_a_robot_that_cannot_say_how_it_is_is_not_updated(code: str) -> None:
    assert held_by(a_host(conditions=(sys.executable, "-c", code)).conditions()) == "held-safety"


def test_a_robot_without_sensors_is_held_by_none() -> None:
    assert held_by(a_host().conditions()) is None
