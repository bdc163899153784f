import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.core import TyperGroup

from surefoot.cli.main import NOUNS, load_noun

HEAVY = {"alembic", "cryptography", "fastapi", "httpx", "msgspec", "pydantic", "rich", "sqlalchemy", "uvicorn", "yaml"}


def commands() -> Iterator[tuple[str, Any]]:
    for noun in NOUNS:
        yield from below(noun, load_noun(noun))


def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield a command by its name, or all that a group of commands holds."""
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    for verb, further in command.commands.items():
        yield from below(f"{name} {verb}", further)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_noun_says_of_itself_what_the_overview_says_of_it(noun: str) -> None:
    loaded = load_noun(noun)
    if isinstance(loaded, TyperGroup):
        assert loaded.help == NOUNS[noun]


def test_every_command_says_what_it_does_shows_an_example_and_takes_json() -> None:
    lacking = [
        f"{name}: {what}"
        for name, command in commands()
        for what, there in {
            "help text": bool(command.help),
            "an example": f"  surefoot {name}" in (command.epilog or ""),
            "--json": any("--json" in parameter.opts for parameter in command.params),
            "help text for each option": all(
                parameter.help for parameter in command.params if parameter.param_type_name == "option"
            ),
        }.items()
        if not there
    ]
    assert not lacking


def test_every_example_is_a_command_line_that_is_understood() -> None:
    for name, command in commands():
        for line in command.epilog.splitlines():
            words = shlex.split(line)
            if words[:1] == ["surefoot"]:
                command.make_context(name, words[1 + len(name.split()) :])


def test_help_waits_for_nothing_heavy() -> None:
    script = "import sys; from surefoot.cli.main import main; main(['--help']); print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    help_text, modules = answer.rsplit("\n", 2)[:2]
    assert all(f"  {noun} " in help_text for noun in NOUNS)
    assert not HEAVY & set(modules.split())


def test_a_bare_noun_shows_its_help_and_did_nothing(surefoot: Callable[..., Any]) -> None:
    outcome = surefoot("robot")
    assert outcome.code == 2
    assert "list" in outcome.stderr and "enrol" in outcome.stderr.lower()
    assert outcome.stdout == ""


def test_the_version_is_told(surefoot: Callable[..., Any]) -> None:
    outcome = surefoot("--version")
    assert (outcome.code, outcome.stdout.split()[0]) == (0, "surefoot")


@pytest.mark.parametrize(
    ("words", "offered"),
    [("sta", ["status"]), ("rollout st", ["start", "status"]), ("rollout start --pl", ["--plan"])],
)
def test_the_shell_completes_nouns_verbs_and_options(
    surefoot: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    offered: list[str],
) -> None:
    monkeypatch.setenv("_SUREFOOT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"surefoot {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    with pytest.raises(SystemExit) as left:
        surefoot()
    assert (left.value.code, capsys.readouterr().out.split()) == (0, offered)
