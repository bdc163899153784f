"""Every `surefoot` command that a page shows can be typed: noun, verb and options are there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from docs.pages import ROOT
from surefoot.cli.main import NOUNS, app, load_noun

# The reference is made of what the commands say themselves.
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference"),
]
# A line of a block, or words between backticks; a line that ends with a backslash goes on.
_SHOWN = re.compile(
    r"^(?: {4,}|\$ |)(?:\.venv/bin/|sudo )*(surefoot [^\n]*(?:(?<=\\)\n[^\n]*)*)|`(surefoot [^`]+)`", re.MULTILINE
)
_ENDS = ("|", ">", "<", "&&", ";", "#", "&")


def shown_in(page: Path) -> Iterator[list[str]]:
    """Yield the words of the commands on a page, without what a shell does with them."""
    for found in _SHOWN.finditer(page.read_text(encoding="utf-8")):
        text = (found[1] or found[2]).replace("\\\n", " ")
        words = shlex.split(text.replace("…", "...")) if text.count('"') % 2 == 0 and "'" not in text else text.split()
        yield next((words[1:end] for end, word in enumerate(words) if word.startswith(_ENDS)), words[1:])


def fault_of(words: list[str]) -> str | None:
    """Return what is wrong with a command, None when nothing is."""
    command: Any = get_command(app)
    path = "surefoot"
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        name, *words = words
        # The nouns are stand-ins until their turn comes.
        command = load_noun(name) if path == "surefoot" and name in command.commands else command.commands.get(name)
        path += f" {name}"
        if command is None:
            return f"there is no `{path}`"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]
    return f"`{path}` takes no {', '.join(wrong)}" if wrong else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    assert not [f"{' '.join(words)}: {fault}" for words in shown_in(page) if (fault := fault_of(words))]


def test_every_example_of_a_help_exists_with_its_options() -> None:
    examples = [line for noun in NOUNS for command in all_of(load_noun(noun)) for line in examples_of(command)]
    assert len(examples) > 50
    faults = [(line, fault_of(shlex.split(line)[1:])) for line in examples]
    assert not [(line, fault) for line, fault in faults if fault is not None]


def all_of(command: Any) -> Iterator[Any]:
    """Yield a command and all below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from all_of(below)


def examples_of(command: Any) -> list[str]:
    """Return the commands that a help ends with."""
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if line.startswith("  surefoot ")]


def test_commands_are_found_and_their_faults_too(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Type `surefoot robot lst`.\n\n    surefoot up --porf 1\n    surefoot trust show --json | head\n\n"
        "```console\n$ surefoot key rotation list\n```\n"
    )
    assert [fault_of(words) for words in shown_in(page)] == [
        "there is no `surefoot robot lst`",
        "`surefoot up` takes no --porf",
        None,
        None,
    ]
