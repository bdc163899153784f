import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from surefoot.cli import output


def test_a_piped_table_has_one_plain_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    output.show({}, False, output.Table(("ROBOT", "WHY"), [("robot-001", long), ("robot-002", None)]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["ROBOT", "WHY"], ["robot-001", long], ["robot-002", "-"]]
    assert lines[0].index("WHY") == lines[1].index("x") == lines[2].index("-", 10)
    assert not any(line.endswith(" ") for line in lines)


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    output.show({}, False, output.Table(("ROBOT",), [], empty="No robot is silent."))
    assert capsys.readouterr().out == "No robot is silent.\n"


def test_json_is_the_value_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output.show({"reason": "zwei\nZeilen"}, True, "a sentence", output.Table(("A",), [(1,)]))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and json.loads(out) == {"reason": "zwei\nZeilen"}


def test_a_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m[red]robot[/red]"
    output.show({}, False, evil, output.Table(("ROBOT",), [(evil,)]))
    output.show_error("code", evil, as_json=False)
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err and "\x07" not in captured.out + captured.err
    assert captured.out.count("[red]robot[/red]") == 2


class Terminal:
    """Stands in for a terminal of 40 columns and keeps what was written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


def in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return terminal


def test_on_a_terminal_a_table_fits_its_width_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = in_a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    output.show({}, False, output.Table(("ROBOT", "DIGEST"), [("robot-001", "0123456789abcdef" * 4)]))
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.text)
    assert max(len(line) for line in text.splitlines()) <= 40
    assert "0123456789abcdef" * 4 in "".join(text.split())


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_statuses_are_coloured_unless_no_color_is_set(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, coloured: bool
) -> None:
    terminal = in_a_terminal(monkeypatch)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    output.show({}, False, output.Table(("STATUS",), [("rolled_back",)]))
    assert ("\x1b[31m" in terminal.text) == coloured


@pytest.mark.parametrize(
    ("format_it", "value", "text"),
    [
        (output.time_text, 0, "1970-01-01 00:00:00Z"),
        (output.time_text, None, "-"),
        (output.duration_text, 172800, "48 h"),
        (output.duration_text, 90, "90 s"),
        (output.duration_text, 120, "2 min"),
        (output.duration_text, 0.5, "0.5 s"),
        (output.cell, True, "yes"),
        (output.cell, 0, "0"),
        (output.cell, "", "-"),
    ],
)
def test_values_as_people_read_them(format_it: Callable[[Any], str], value: object, text: str) -> None:
    assert format_it(value) == text


def test_on_a_terminal_an_id_is_kept_whole_and_the_rest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = in_a_terminal(monkeypatch)
    rollout_id = "01M81EHAV44SCNGG22"
    output.show({}, False, output.Table(("ROLLOUT", "WHO", "WHY"), [(rollout_id, "w" * 18, "y" * 18)]))
    assert rollout_id in terminal.text
    assert terminal.text.count("w") == terminal.text.count("y") == 18
