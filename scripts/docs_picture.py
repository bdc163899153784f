"""The picture of the architecture: packages in their layers, arrows from the imports that are really there."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

Imports = dict[str, set[str]]

COLUMN, ROW, BOX_HEIGHT, GAP, LEFT, TOP = 190, 84, 50, 24, 130, 64
ROWS = ("do", "do", "keep", "use cases", "decide", "believe or refuse", "bytes ⇄ values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a package stands: its row, its first column, how many columns and rows it spans, and what it is."""

    row: int
    column: int
    columns: int = 1
    rows: int = 1
    kind: str = "host"
    says: str

    @property
    def left(self) -> int:
        """The x of its left edge."""
        return LEFT + self.column * COLUMN

    @property
    def right(self) -> int:
        """The x of its right edge."""
        return self.left + self.columns * COLUMN - GAP

    @property
    def top(self) -> int:
        """The y of its upper edge."""
        return TOP + self.row * ROW

    @property
    def bottom(self) -> int:
        """The y of its lower edge."""
        return self.top + (self.rows - 1) * ROW + BOX_HEIGHT


BOXES = {
    "cli": Box(row=0, column=0, columns=3, says="one module per noun"),
    "server": Box(row=1, column=0, says="HTTPS, composition"),
    "shell": Box(row=1, column=2, says="runs the agent's effects"),
    "store": Box(row=2, column=0, says="rows and images"),
    "signing": Box(row=2, column=1, says="signers by URI"),
    "fleet": Box(row=3, column=0, says="use cases, reconcile"),
    "rollout": Box(row=4, column=0, says="plan, phases, decide"),
    "agent": Box(row=4, column=2, kind="kernel", says="the robot's state table"),
    "trust": Box(row=5, column=1, columns=2, kind="kernel", says="signatures, versions, keys"),
    "wire": Box(row=6, column=0, columns=3, kind="kernel", says="every format, code and limit, once"),
    "sim": Box(row=1, column=3, rows=6, kind="sim", says="plays the world"),
}

STYLE = """
  .page { fill: #ffffff } text { fill: #1f2328; font: 15px system-ui, sans-serif; text-anchor: middle }
  .says, .row { font-size: 12px; fill: #59636e } .row { text-anchor: end }
  rect.host { fill: #f3f5f7; stroke: #818b98 } rect.kernel { fill: #dcefe3; stroke: #2f7d4f }
  rect.sim { fill: none; stroke: #818b98; stroke-dasharray: 6 4 }
  path { stroke: #59636e; stroke-width: 1.5; fill: none; marker-end: url(#tip) } .tip { fill: #59636e }
  .dashed { stroke-dasharray: 6 4 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #15191f } text { fill: #e6edf3 } .says, .row { fill: #9aa4af }
    rect.host { fill: #232a32; stroke: #6e7781 } rect.kernel { fill: #1b3a29; stroke: #4fa874 }
    rect.sim { stroke: #6e7781 } path { stroke: #9aa4af } .tip { fill: #9aa4af }
  }
"""

TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z" '
    'style="stroke: none; marker-end: none"/></marker></defs>'
)


def imports(source: Path) -> Imports:
    """Return which package of `source` imports which others when it runs; what only type checkers read is left out."""
    found: Imports = {path.name: set() for path in sorted(source.iterdir()) if (path / "__init__.py").exists()}
    for package, others in found.items():
        for path in sorted((source / package).rglob("*.py")):
            others |= set(_imported(ast.parse(path.read_text(encoding="utf-8")), source.name))
        others.discard(package)
    return found


def _imported(tree: ast.AST, root: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name}" for name in names]
        for parts in (name.split(".") for name in names):
            if parts[0] == root and parts[1] in BOXES:
                yield parts[1]
        yield from _imported(node, root)


def architecture(found: Imports) -> str:
    """Return the picture as SVG. An arrow that others imply is left out; `sim` gets one, as it imports everything.

    Raises:
        ValueError: when a package has no place, or an import points upwards.
    """
    if found.keys() != BOXES.keys():
        raise ValueError(f"These packages have no place in the picture or are gone: {found.keys() ^ BOXES.keys()}.")
    ours = {name: others - {"sim"} for name, others in found.items() if name != "sim"}
    arrows = [(name, other) for name in ours for other in sorted(_direct(ours, name))]
    for name, other in arrows:
        if BOXES[name].row >= BOXES[other].row:
            raise ValueError(f"{name} imports {other}, which is not below it.")
    width, height = BOXES["sim"].right + GAP, BOXES["wire"].bottom + 54
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>The packages of Surefoot and what imports what</title>",
        f"<style>{STYLE}</style>",
        TIP,
        f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
        _text((BOXES["server"].left + BOXES["server"].right) / 2, 34, "operators ⇄"),
        _text((BOXES["shell"].left + BOXES["shell"].right) / 2, 34, "⇄ robots"),
        *(_text(LEFT - 14, TOP + row * ROW + 30, word, "row") for row, word in enumerate(ROWS)),
        *(_arrow(BOXES[name], BOXES[other]) for name, other in arrows),
        *(_box(name, box) for name, box in BOXES.items()),
        *_sim(found),
        _text(
            width / 2,
            height - 20,
            "Arrows are imports, found in the code; one that others imply is left out. "
            "Green is the kernel, which runs on MicroPython too.",
            "says",
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _direct(found: Imports, name: str) -> set[str]:
    """Return what `name` imports and reaches by no other way."""
    return {
        other for other in found[name] if not any(other in _reached(found, via) for via in found[name] if via != other)
    }


def _reached(found: Imports, name: str) -> set[str]:
    return found[name].union(*(_reached(found, other) for other in found[name]))


def _sim(found: Imports) -> Iterator[str]:
    box = BOXES["sim"]
    middle = (box.left + box.right) / 2
    yield _text(middle, box.top + 72, "imports", "says")
    for line, other in enumerate(sorted(found["sim"])):
        yield _text(middle, box.top + 92 + 18 * line, other, "says")
    if "sim" in found["cli"]:
        start, end = BOXES["cli"], box.top
        across = (start.top + start.bottom) // 2
        yield f'<path class="dashed" d="M{start.right} {across} H{middle:g} V{end}"/>'


def _arrow(start: Box, end: Box) -> str:
    left, right = max(start.left, end.left), min(start.right, end.right)
    if left < right:
        return f'<path d="M{(left + right) // 2} {start.bottom} V{end.top}"/>'
    inwards = 1 if end.left > start.left else -1
    corner = start.right if inwards == 1 else start.left
    target = end.left if inwards == 1 else end.right
    return f'<path d="M{corner} {start.bottom - 12} L{target + inwards * 30} {end.top}"/>'


def _box(name: str, box: Box) -> str:
    middle = (box.left + box.right) / 2
    corner, size = f'x="{box.left}" y="{box.top}"', f'width="{box.right - box.left}" height="{box.bottom - box.top}"'
    words = _text(middle, box.top + 22, name) + _text(middle, box.top + 40, box.says, "says")
    return f'<rect class="{box.kind}" {corner} {size} rx="6"/>{words}'


def _text(x: float, y: float, text: str, kind: str = "name") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'
