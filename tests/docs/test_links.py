import re
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, anchors, name_of

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Paths of one machine, and hosts of package registries and mirrors.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.])/(?:work|tmp|root|home|Users)/|pypi\.org|pythonhosted|npmjs|registry\.|localhost:\d"
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or not to.is_relative_to(ROOT) or (anchor and anchor not in anchors(to)):
            lost.append(target)
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_speaks_of_one_machine(page: Path) -> None:
    assert OF_ONE_MACHINE.findall(page.read_text(encoding="utf-8")) == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, to_read = set(), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = (target.partition("#")[0] for target in LINK.findall(page.read_text(encoding="utf-8")))
        to_read += [(page.parent / path).resolve() for path in links if path and not path.startswith("https://")]
    assert {name_of(page) for page in PAGES} <= {name_of(page) for page in reached if page.is_relative_to(ROOT)}
