"""How `surefoot image inspect` shows what it found, in colour where there is a terminal."""

from typing import Any

from surefoot.cli import output

_STYLES = {"valid": "green", "not by the given keys": "red", "no": "red"}
_INDENT = "  "
_OF_THE_FILE = ("file_bytes", "file_sha256")
_NOT_LISTED = {"format", "signatures", "signature_valid", "details", "inside", "problems", *_OF_THE_FILE}


def show_findings(findings: dict[str, Any]) -> None:
    """Print what `look_into` found, a layer at a time, then the file, then every problem."""
    from rich.console import Console
    from rich.text import Text

    page = Text()
    _add_layer(page, findings, "")
    page.append("file\n", "bold cyan")
    _add_pairs(page, [(name, findings[name]) for name in _OF_THE_FILE], _INDENT)
    for problem in findings["problems"]:
        page.append("problem: ", "bold red").append(f"{output.printable(problem)}\n")
    # Rich leaves the colours out where nobody would see them.
    Console(highlight=False, soft_wrap=True).print(page, end="")


def _add_layer(page: Any, layer: dict[str, Any], indent: str) -> None:
    page.append(f"{indent}{layer['format']} image\n", "bold cyan")
    pairs = [(name, value) for name, value in layer.items() if name not in _NOT_LISTED and value is not None]
    pairs += layer.get("details", {}).items()
    pairs += [("signature", _signature_text(signature)) for signature in layer["signatures"]]
    if not layer["signatures"]:
        pairs.append(("signature", "none"))
    _add_pairs(page, pairs, indent + _INDENT)
    if layer.get("inside"):
        _add_layer(page, layer["inside"], indent + _INDENT)


def _add_pairs(page: Any, pairs: list[tuple[str, object]], indent: str) -> None:
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else output.cell(value)
        page.append(f"{indent}{name.replace('_', ' '):<{width}}  ", "dim")
        page.append(f"{output.printable(text)}\n", _STYLES.get(text.rpartition(", ")[2], ""))


def _signature_text(signature: dict[str, Any]) -> str:
    key = f"key {signature['key_id'][:16]}" if signature["key_id"] else "no key named"
    verdict = {True: "valid", False: "not by the given keys", None: "not checked"}[signature["valid"]]
    return f"{signature['kind']}, {key}, {verdict}"
