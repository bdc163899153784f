"""The few pieces of Markdown that generated pages are made of."""

import inspect
from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by scripts/make_docs.py from the code: change the code, then run `make docs`. -->"


def page(title: str, *blocks: str) -> str:
    """Return a page: title, a note that it is generated, and its blocks."""
    return "\n\n".join([f"# {title}", GENERATED, *blocks]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; a bar in a cell is escaped."""
    lines = [_line(headings), _line(["---"] * len(headings)), *(_line(row) for row in rows)]
    return "\n".join(lines)


def code(text: object) -> str:
    """Return the text as inline code; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def listed(names: Iterable[object]) -> str:
    """Return names as inline code, separated by commas."""
    return ", ".join(map(code, names))


def any_or_listed(values: "tuple[object, ...] | None") -> str:
    """Return a table's column: its values, or that it matches everything."""
    return "any" if values is None else listed(values)


def fenced(text: str, language: str = "text") -> str:
    """Return a block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def doc(thing: object) -> str:
    """Return a docstring without its sections: what comes before `Args:` and `Raises:`."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")
    kept = [paragraph for paragraph in paragraphs if not paragraph.startswith(("Args:", "Raises:", "Returns:"))]
    # A list keeps its items apart.
    joined = (" ".join(paragraph.split()).replace(" - `", "\n- `") for paragraph in kept)
    return "\n\n".join(joined)


def first_sentence(thing: object) -> str:
    """Return the first paragraph of a docstring as one line."""
    return doc(thing).split("\n\n")[0]


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
