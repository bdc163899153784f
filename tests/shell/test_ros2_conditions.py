import json
from pathlib import Path

import pytest

from support import code_of
from surefoot.agent.preflight import NO_SENSORS
from surefoot.cli.main import main
from surefoot.shell.ros2_conditions import FRESH_S, await_check, read_conditions, write_conditions

CONDITIONS = NO_SENSORS.replace(battery_percent=80.0, safety_state="NORMAL")


@pytest.fixture
def said(tmp_path: Path) -> Path:
    path = tmp_path / "conditions.json"
    write_conditions(path, CONDITIONS, {"safety": True, "relay": False})
    return path


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_the_node_says_the_agent_reads(said: Path) -> None:
    found = read_conditions(said)
    assert found["conditions"] == {name: getattr(CONDITIONS, name) for name in CONDITIONS.__slots__}
    write_conditions(said, CONDITIONS.replace(safety_state="ERROR"), {})
    assert read_conditions(said)["conditions"]["safety_state"] == "ERROR"
    assert list(said.parent.iterdir()) == [said]


def test_what_is_old_of_another_start_or_nonsense_says_nothing(said: Path) -> None:
    whole = said.read_bytes()
    now_s = json.loads(whole)["uptime_s"]
    for change in (
        {"uptime_s": now_s - FRESH_S - 1},
        {"uptime_s": now_s + 3600},
        {"uptime_s": None},
        {"boot_id": "another start of the machine"},
        {"boot_id": None},
    ):
        changed(said, **change)
        assert code_of(read_conditions, said) == "interrupted-conditions", change
        said.write_bytes(whole)
    for data in (b"", b"[]", b"{}", whole[:-5], b"\xff"):
        said.write_bytes(data)
        assert code_of(read_conditions, said) == "interrupted-conditions", data
    assert code_of(read_conditions, said.with_name("none")) == "interrupted-conditions"


def test_a_check_passes_by_its_own_word_only(said: Path) -> None:
    await_check(said, "safety", timeout_s=0)
    assert code_of(await_check, said, "relay", timeout_s=0) == "trial-failed-relay"
    assert code_of(await_check, said, "sensors", timeout_s=0) == "trial-failed-sensors"
    said.unlink()
    assert code_of(await_check, said, "safety", timeout_s=0) == "interrupted-conditions"


def test_the_agents_commands_print_and_judge_what_the_node_says(said: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "conditions", str(said)]) == 0
    assert "80.0" in capsys.readouterr().out
    assert main(["agent", "conditions", str(said), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["battery_percent"] == 80.0
    assert main(["agent", "check", str(said), "safety"]) == 0
    assert main(["agent", "check", str(said), "nonsense"]) != 0
    assert "refused-usage" in capsys.readouterr().err
    said.unlink()
    assert main(["agent", "conditions", str(said)]) != 0
