"""One term, one meaning: the glossary's words are the code's words, and their rivals are nowhere."""

import re
from pathlib import Path

import pytest

from docs.pages import ROOT, WRITTEN_BY_HAND, name_of, prose

GLOSSARY = ROOT / "docs" / "glossary.md"
TERMS = re.findall(r"^- \*\*([^*]+)\*\*: ", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
NOT_YET = re.findall(r"\*\*([^*]+)\*\*", GLOSSARY.read_text(encoding="utf-8").partition("## Not yet in use")[2])
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")).lower()
NAMES = re.compile(r"\b(?:def|class) (\w+)|^\s+(\w+): ", re.MULTILINE)

# Word in place of which the glossary has one, and that one.
RIVALS_IN_PROSE = {
    "checksum": "digest",
    "fingerprint": "digest",
    "hash": "digest",
    "campaign": "rollout",
    "deployment": "rollout",
    "artifact": "image",
    "downgrade limit": "version floor",
}
RIVALS_IN_NAMES = {
    "device_id": "robot_id",
    "checksum": "digest",
    "fingerprint": "digest",
    "campaign": "rollout",
    "deployment": "rollout",
    "artifact": "image",
}
# The vendor's own word for a field of its format, which is no digest.
VENDORS_NAMES = ("wire/esp_image.py", "sim/images.py")


def test_the_glossary_has_words() -> None:
    assert len(TERMS) > 30
    assert len(set(TERMS)) == len(TERMS)


@pytest.mark.parametrize("term", sorted(set(TERMS) - set(NOT_YET)))
def test_a_term_is_the_codes_word(term: str) -> None:
    written = term.lower().replace(" ", "[ _-]")
    assert re.search(rf"(?<![a-z]){written}", SOURCE)


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=name_of)
def test_no_page_uses_a_rival_word(page: Path) -> None:
    text = prose(page).lower()
    found = {word: instead for word, instead in RIVALS_IN_PROSE.items() if re.search(rf"\b{word}(?:s|es)?\b", text)}
    assert not found


def test_no_name_in_the_code_is_a_rival_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        if not path.as_posix().endswith(VENDORS_NAMES)
        for name in {first or second for first, second in NAMES.findall(path.read_text(encoding="utf-8"))}
        if any(rival in name.lower() for rival in RIVALS_IN_NAMES)
    ]
    assert not found
