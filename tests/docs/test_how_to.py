import re
from pathlib import Path

import pytest

from docs.consoles import commands_of
from docs.doing import do_all
from docs.pages import ROOT
from surefoot.fleet.model import Status
from surefoot.server.settings import PREFIX, ServerSettings
from surefoot.wire.codes import CODES

HOW_TO = ROOT / "docs" / "how-to"
TUTORIAL = ROOT / "docs" / "tutorial.md"
# A server that is up and trusts release.pem.
FIRST_STEPS = 3


def test_every_status_is_explained() -> None:
    page = (HOW_TO / "read-a-robot-s-status.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### `(\w+)`$", page, re.MULTILINE)) == sorted(Status)


def test_every_code_that_a_page_names_exists() -> None:
    shaped = re.compile(r"`((?:refused|damaged|misuse|not-found)-[a-z0-9-]+)`")
    named = {code for page in HOW_TO.glob("*.md") for code in shaped.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 4
    assert named <= CODES.keys()


def test_every_setting_that_a_page_sets_for_a_server_exists() -> None:
    text = "".join(
        page.read_text(encoding="utf-8") for page in (HOW_TO / "run-a-server.md", HOW_TO / "manage-accounts.md")
    )
    named = set(re.findall(r"^ {4}([a-z_]+) = ", text, re.MULTILINE))
    named |= {name.lower() for name in re.findall(rf"\b{PREFIX}((?!TOKEN)[A-Z_]+)", text)}
    named |= set(re.findall(r"`([a-z_]+) = [^`]+`", text))
    assert len(named) > 8
    assert named <= ServerSettings.model_fields.keys()


@pytest.mark.parametrize("name", ["enrol-robots.md", "plan-a-rollout.md", "set-up-metadata.md"])
def test_a_page_does_what_it_says_after_the_tutorials_first_steps(name: str, tmp_path: Path) -> None:
    own = commands_of(HOW_TO / name)
    assert len(own) > 5
    do_all(commands_of(TUTORIAL)[:FIRST_STEPS] + own, tmp_path)


def test_every_page_with_commands_to_run_is_run() -> None:
    assert sorted(page.name for page in HOW_TO.glob("*.md") if commands_of(page)) == [
        "enrol-robots.md",
        "plan-a-rollout.md",
        "read-the-gates.md",
        "set-up-metadata.md",
    ]
