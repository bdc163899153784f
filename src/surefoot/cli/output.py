"""The one way a command prints: a line of JSON for programs, or tables and sentences for people."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from surefoot.rollout.durations import duration_text, span_text

__all__ = [
    "STYLES",
    "Table",
    "cell",
    "duration_text",
    "facts",
    "printable",
    "show",
    "show_error",
    "span_text",
    "time_text",
    "warn",
]

# Statuses and states that ask for a person, that are good, and that are on their way.
STYLES = {
    **dict.fromkeys(("rolled_back", "refused", "drifted", "halted", "revoked", "missed"), "red"),
    **dict.fromkeys(("silent", "unknown", "paused", "retiring"), "yellow"),
    **dict.fromkeys(("installed", "finished", "active", "met"), "green"),
}
_PIPED_WIDTH = 10_000


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; `empty` is the sentence to print when there are none."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    empty: str = "Nothing to list."


def show(value: object, as_json: bool, *blocks: str | Table) -> None:
    """Print the result of a command: `value` as one line of JSON, or the blocks, made to fit the terminal."""
    if as_json:
        print(json.dumps(value), flush=True)
        return
    for block in blocks:
        if isinstance(block, str):
            print(printable(block))
        elif block.rows:
            _show_table(block)
        else:
            print(block.empty)
    # A server that stays up must have said where before it goes on.
    sys.stdout.flush()


def show_error(code: str, message: str, as_json: bool) -> None:
    """Print one failure: one JSON object on stdout, or one sentence on stderr."""
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}))
    else:
        print(f"error: {printable(' '.join(message.split()))} [{printable(code)}]", file=sys.stderr)


def warn(message: str) -> None:
    """Print a sentence on stderr that is no failure."""
    print(printable(message), file=sys.stderr)


def facts(pairs: Sequence[tuple[str, object]]) -> str:
    """Return name and value pairs as aligned lines."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {cell(value)}" for name, value in pairs)


def cell(value: object) -> str:
    """Return a value as a person reads it: a dash for nothing, yes or no for a truth."""
    match value:
        case None | "":
            return "-"
        case True | False:
            return "yes" if value else "no"
        case _:
            return str(value)


def time_text(unix_s: Any) -> str:
    """Return a moment, in Unix seconds, in UTC to the second; a dash for none."""
    if unix_s is None:
        return "-"
    return datetime.fromtimestamp(float(unix_s), UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def printable(text: str) -> str:
    """Return the text without control characters: a terminal would obey what a stranger put into a name."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _show_table(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    # Piped lines stay whole, so that `grep` and `awk` see each row on one line.
    console = Console(width=None if on_terminal else _PIPED_WIDTH, highlight=False)
    grid = RichTable(box=box.SIMPLE_HEAD if on_terminal else None, pad_edge=False, show_edge=False)
    rows = [[printable(cell(value)) for value in row] for row in table.rows]
    for index, heading in enumerate(table.headings):
        # An id that is broken in two cannot be copied; only one that leaves no room for the rest is.
        is_whole = index == 0 and max(len(row[0]) for row in rows) <= console.width // 2
        grid.add_column(Text(heading), overflow="fold", no_wrap=is_whole)
    for row in rows:
        grid.add_row(*(Text(text, style=STYLES.get(text, "")) for text in row))
    if on_terminal:
        console.print(grid)
        return
    with console.capture() as captured:
        console.print(grid)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
