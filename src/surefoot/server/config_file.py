"""The configuration file: TOML whose names are those of the settings, with errors that name the line."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.wire.errors import Refused
from surefoot.wire.limits import NAME_CHARS_MAX

_ASSIGNED = re.compile(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([A-Za-z0-9_-]+))\s*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What a file sets, and the line (from 1) on which it sets each name."""

    path: Path
    values: dict[str, Any]
    lines: dict[str, int]

    def refuse(self, name: str, why: str) -> Refused:
        """Return the refusal of what the file says about `name`; `why` must not repeat the value."""
        place = f"{self.path}, line {self.lines[name]}" if name in self.lines else str(self.path)
        return Refused("refused-settings", f"{place}: {name[:NAME_CHARS_MAX]}: {why}.")


def read_config(path: Path) -> ConfigFile:
    """Read a configuration file.

    Raises:
        Refused: `refused-file-unreadable`; `refused-settings` naming line and column when it is not TOML, or the
            name that holds a table: settings are flat.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise Refused("refused-file-unreadable", f"Cannot read {path}: {why}.") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The message tells of characters and places, never of values.
        raise Refused("refused-settings", f"{path} is not TOML: {error}.") from None
    except (ValueError, RecursionError):
        raise Refused("refused-settings", f"{path} holds a number or a nesting beyond measure: correct it.") from None
    config = ConfigFile(path=path, values=values, lines=_lines_of(text))
    for name, value in values.items():
        if isinstance(value, dict):
            raise config.refuse(name, "settings stand one to a line, and not in tables")
    return config


def _lines_of(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _ASSIGNED.match(line):
            # Inside a text of several lines something may look like a name; the first one is the setting.
            lines.setdefault(next(filter(None, found.groups())), number)
    return lines
