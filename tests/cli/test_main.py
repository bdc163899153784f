import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from surefoot.cli import main as command_line


@pytest.fixture
def noun_that_raises(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Put a command that raises this in the place of every noun."""

    def use(error: BaseException) -> None:
        app = typer.Typer(rich_markup_mode=None, add_completion=False)

        @app.command()
        def fail(as_json: bool = typer.Option(False, "--json")) -> None:
            raise error

        monkeypatch.setattr(command_line, "load_noun", lambda _name: get_command(app))

    return use


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["robbot", "list"], "No such command 'robbot'"),
        (["robot", "lost"], "No such command 'lost'"),
        (["robot", "list", "--colour"], "No such option: --colour"),
        (["robot", "show"], "Missing argument 'ROBOT_ID'"),
        (["rollout", "halt", "01J"], "Missing option '--reason'"),
        (["rollout", "resume", "01J"], "Missing option '--reason'"),
        (["up", "--port", "many"], "--port"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused_in_one_sentence(
    surefoot: Callable[..., Any], words: list[str], fact: str
) -> None:
    outcome = surefoot(*words)
    assert (outcome.code, outcome.error_code, outcome.stdout) == (2, "refused-usage", "")
    assert fact in outcome.stderr and "--help" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["robot", "lst"], "No such command 'lst'. Did you mean 'list'? See `surefoot robot --help`."),
        (["robot", "list", "--status", "lost"], "Invalid value for '--status': 'lost' is not one of "),
    ],
)
def test_what_typer_says_of_a_wrong_word_is_told_as_a_person_would(
    surefoot: Callable[..., Any], words: list[str], sentence: str
) -> None:
    assert sentence in surefoot(*words).stderr


def test_with_json_a_failure_is_one_object_on_stdout(surefoot: Callable[..., Any], tmp_path: Path) -> None:
    outcome = surefoot("image", "inspect", tmp_path / "none.img", "--json")
    assert (outcome.code, outcome.stderr) == (1, "")
    assert outcome.json["error"]["code"] == "refused-file-unreadable"
    assert "none.img" in outcome.json["error"]["message"]


def test_with_json_a_senseless_command_line_is_one_object_too(surefoot: Callable[..., Any]) -> None:
    outcome = surefoot("robot", "list", "--colour", "--json")
    assert (outcome.code, outcome.json["error"]["code"]) == (2, "refused-usage")


def test_a_bug_is_one_line_and_says_how_to_see_more(
    surefoot: Callable[..., Any], noun_that_raises: Callable[[BaseException], None]
) -> None:
    noun_that_raises(ZeroDivisionError("division by zero"))
    outcome = surefoot("robot")
    assert (outcome.code, outcome.error_code) == (70, "unexpected")
    assert "division by zero" in outcome.stderr and "surefoot --debug robot" in outcome.stderr


def test_a_place_that_cannot_be_used_is_no_bug(
    surefoot: Callable[..., Any], noun_that_raises: Callable[[BaseException], None]
) -> None:
    noun_that_raises(PermissionError(errno.EACCES, "Permission denied", "/root/fleet"))
    outcome = surefoot("robot")
    assert (outcome.code, outcome.error_code) == (1, "refused-file-unwritable")
    assert outcome.stderr.startswith("error: Cannot use /root/fleet: Permission denied.")
    noun_that_raises(OSError(errno.EBADF, "Bad file descriptor"))
    assert surefoot("robot").error_code == "unexpected"


def test_debug_shows_the_traceback_of_a_bug(
    surefoot: Callable[..., Any], noun_that_raises: Callable[[BaseException], None]
) -> None:
    noun_that_raises(ZeroDivisionError())
    outcome = surefoot("--debug", "robot")
    assert outcome.code == 70
    assert "Traceback (most recent call last)" in outcome.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_ctrl_c_is_no_failure_to_explain(
    surefoot: Callable[..., Any], noun_that_raises: Callable[[BaseException], None], error: BaseException
) -> None:
    noun_that_raises(error)
    outcome = surefoot("robot")
    assert (outcome.code, outcome.stdout) == (130, "")
    assert "Traceback" not in outcome.stderr


def test_the_installed_command_fails_like_this_too(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("surefoot")
    done = subprocess.run(
        [command, "robot", "list", "--json", "--data", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "server-unreachable"
