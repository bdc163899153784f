import re

from docs.pages import ROOT
from surefoot.fleet.model import Status
from surefoot.wire.codes import CODES

HOW_TO = ROOT / "docs" / "how-to"


def test_every_status_is_explained() -> None:
    page = (HOW_TO / "read-a-robot-s-status.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^### `(\w+)`$", page, re.MULTILINE)) == sorted(Status)


def test_every_code_that_a_page_names_exists() -> None:
    shaped = re.compile(r"`((?:refused|damaged|misuse|not-found)-[a-z0-9-]+)`")
    named = {code for page in HOW_TO.glob("*.md") for code in shaped.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 4
    assert named <= CODES.keys()
