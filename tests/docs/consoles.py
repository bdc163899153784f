"""Reads the `console` blocks of a Markdown page: commands after `$ `, and what the page says they print."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```console(?P<flag> stays-up)?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run; each is learnt where the page shows it first, and replaced in later commands.
_VARYING = re.compile(
    r"(?P<url>https://127\.0\.0\.1:\d+)"
    r"|(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d\b)"
    r"|(?P<id>\b01[0-9A-HJKMNP-TV-Z]{24}\b)"
    r"|(?P<digest>\b[0-9a-f]{64}\b)"
    r"|(?P<short>\b[0-9a-f]{16}\b)"
    r"|(?P<span>\b\d+ (?:s|min)(?= after its update\b))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a page, the lines it shows below it, and whether it runs on while the page goes on."""

    text: str
    shown: tuple[str, ...]
    stays_up: bool


def commands_of(page: Path) -> list[Command]:
    """Return the commands of a page in order."""
    found: list[Command] = []
    for block in _FENCE.finditer(page.read_text(encoding="utf-8")):
        for chunk in re.split(r"^\$ ", block["body"], flags=re.MULTILINE)[1:]:
            text, *shown = chunk.rstrip("\n").split("\n")
            found.append(Command(text=text, shown=tuple(shown), stays_up=block["flag"] is not None))
    return found


def masked(lines: list[str] | tuple[str, ...]) -> list[str]:
    """Return the lines with what varies replaced by its kind, and without trailing spaces."""
    return [_VARYING.sub(lambda match: f"<{match.lastgroup}>", line).rstrip() for line in lines]


class Translation:
    """What the page's ids and addresses are in this run."""

    def __init__(self) -> None:
        self._actual: dict[str, str] = {}

    def learn(self, shown: tuple[str, ...], printed: list[str]) -> None:
        """Pair what varies in lines that are equal otherwise."""
        pairs = zip(_VARYING.finditer("\n".join(shown)), _VARYING.finditer("\n".join(printed)), strict=True)
        for ours, theirs in pairs:
            self._actual.setdefault(ours[0], theirs[0])

    def apply(self, command: str) -> str:
        """Return the command as it must be typed in this run."""
        return _VARYING.sub(lambda match: self._actual.get(match[0], match[0]), command)
