#!/usr/bin/env python3
"""Write the docs that repeat what the code says: docs/reference and the picture of the architecture.

The output is the same bytes for the same code; a test compares it with what is committed.
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
# Help texts are wrapped to the terminal's width; here it must not matter who runs this, or where.
os.environ["COLUMNS"] = "100"

from scripts import docs_http, docs_picture, docs_plan, docs_tables, docs_usage, docs_wire  # noqa: E402


def documents() -> dict[str, str]:
    """Return every generated file's text by its path below docs/."""
    pages = {
        "codes": docs_wire.codes(),
        "settings": docs_usage.settings(),
        "cli": docs_usage.command_line(),
        "agent": docs_tables.agent(),
        "reconcile": docs_tables.reconcile(),
        "wire": docs_wire.wire(),
        "http": docs_http.http(),
        "plan": docs_plan.plan(),
    }
    picture = docs_picture.architecture(docs_picture.imports(ROOT / "src" / "surefoot"))
    return {f"reference/{name}.md": text for name, text in pages.items()} | {
        "pictures/architecture.svg": picture,
        "reference/plan.schema.json": docs_plan.schema(),
    }


def main() -> None:
    """Write all of it below --output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "docs", help="the folder to write into")
    output: Path = parser.parse_args().output
    for name, text in documents().items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"Wrote {len(documents())} files below {output}.")


if __name__ == "__main__":
    main()
