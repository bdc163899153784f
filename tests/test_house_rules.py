"""House rules that no linter knows, checked on the source as data."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.wire.codes import CODES

SOURCE = Path(__file__).parent.parent / "src" / "surefoot"
MODULES = sorted(SOURCE.rglob("*.py"))
CODES_FILE = SOURCE / "wire" / "codes.py"
KERNEL_MODULES = [path for path in MODULES if path.relative_to(SOURCE).parts[0] in {"wire", "trust", "agent"}] + sorted(
    SOURCE / "shell" / name
    for name in (
        "attention.py",
        "mqtt.py",
        "mqtt_packets.py",
        "runner.py",
        "fetching.py",
        "patching.py",
        "spare_digest.py",
        "esp32.py",
        "esp32_inflate.py",
        "esp32_mqtt.py",
        "esp32_partition.py",
        "esp32_stream.py",
        "nvs.py",
    )
)

MODULE_LINES_MAX = 250
FUNCTION_LINES_MAX = 70

# Found by trying each on the interpreter of requirements.lock.
ABSENT_ATTRIBUTES = {
    "bit_count", "bit_length", "casefold", "hexdigest", "isalnum", "isascii", "isidentifier", "isprintable", "isqrt",
    "ljust", "removeprefix", "removesuffix", "rjust", "title", "tobytes", "translate", "zfill",
}  # fmt: skip
ABSENT_NAMES = {"ConnectionError", "TimeoutError", "UnicodeDecodeError", "ascii", "format", "slice", "vars"}
# Written in C there, and refusing keywords.
POSITIONAL_ONLY_CALLS = {
    "bytes", "decode", "encode", "int", "pack", "pack_into", "rsplit", "sha256", "split", "sum", "unpack",
    "unpack_from", "zip",
}  # fmt: skip

ERROR_CLASSES = {"Refused", "Interrupted", "Damaged", "Misuse"}
CODE_SHAPE = re.compile(r"(refused|interrupted|damaged|misuse)(-[a-z0-9]+)+")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', '?')}"


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: neither annotations nor what stands under `if TYPE_CHECKING`."""
    for field, value in ast.iter_fields(tree):
        if field in {"annotation", "returns"}:
            continue
        if isinstance(tree, ast.If) and field == "body" and ast.unparse(tree.test) == "TYPE_CHECKING":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child
                yield from run_time_nodes(child)


def what_micropython_lacks(node: ast.AST) -> str | None:
    """Name the construct, or return None where MicroPython runs it. Imports are the import contract's concern."""
    match node:
        case (
            ast.ImportFrom(module="__future__" | "collections.abc" as module)
            | ast.Import(names=[ast.alias(name="collections.abc" as module)])
        ):
            return f"import of {module}"
        case ast.Match():
            return "match"
        case ast.TryStar():
            return "except*"
        case ast.List(ctx=ast.Load()) | ast.Tuple(ctx=ast.Load()) | ast.Set() if any(
            isinstance(element, ast.Starred) for element in node.elts
        ):
            return "a star in a list, tuple or set"
        case ast.Dict() if None in node.keys:
            return "** in a dict"
        case ast.arguments() if node.posonlyargs:
            return "positional-only parameters"
        case ast.Raise(cause=ast.expr()) if not (isinstance(node.cause, ast.Constant) and node.cause.value is None):
            return "raise ... from"
        case ast.Attribute() if node.attr in ABSENT_ATTRIBUTES:
            return f".{node.attr}"
        case ast.Name(ctx=ast.Load()) if node.id in ABSENT_NAMES:
            return node.id
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if (
            name in POSITIONAL_ONLY_CALLS and node.keywords
        ):
            return f"keywords for {name}()"
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, ast.BinOp()]):
            return "a union in isinstance()"
        case _:
            return None


@pytest.mark.parametrize(
    ("source", "lacking"),
    [
        ("from __future__ import annotations", "import of __future__"),
        ("from collections.abc import Callable", "import of collections.abc"),
        ("import collections.abc", "import of collections.abc"),
        ("match x:\n    case 1: pass", "match"),
        ("x = [*a]", "a star in a list, tuple or set"),
        ("x = {**a}", "** in a dict"),
        ("def f(a, /): pass", "positional-only parameters"),
        ("raise A() from e", "raise ... from"),
        ("x = digest.hexdigest()", ".hexdigest"),
        ("x = y.encode(encoding='ascii')", "keywords for encode()"),
        ("isinstance(x, int | str)", "a union in isinstance()"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    x = [*a]", "a star in a list, tuple or set"),
    ],
)
def test_the_kernel_lint_sees(source: str, lacking: str) -> None:
    assert lacking in map(what_micropython_lacks, run_time_nodes(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    from collections.abc import Callable",
        "raise A() from None",
        "first, *rest = x",
        "f(*a, **b)",
        "x: 'int | None' = None",
        "def f(a: format) -> slice: pass",
        "class A:\n    format: str",
        "x = (2).to_bytes(length=2, byteorder='big')",
        "x = {'a': 1}",
    ],
)
def test_the_kernel_lint_allows(source: str) -> None:
    assert {what_micropython_lacks(node) for node in run_time_nodes(ast.parse(source))} == {None}


def test_the_kernel_uses_nothing_that_micropython_lacks() -> None:
    found = [
        f"{where(path, node)}: {lacking}"
        for path in KERNEL_MODULES
        for node in run_time_nodes(parsed(path))
        if (lacking := what_micropython_lacks(node))
    ]
    assert not found, "\n".join(found)


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in MODULES}
    long = [f"{path.relative_to(SOURCE)}: {lines} lines" for path, lines in lengths.items() if lines > MODULE_LINES_MAX]
    assert not long, "\n".join(long)


def test_functions_are_short() -> None:
    long = [
        f"{where(path, node)}: {node.name} has {lines} lines"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, "\n".join(long)


def literals() -> Iterator[tuple[Path, ast.Constant]]:
    for path in MODULES:
        if path != CODES_FILE:
            for node in ast.walk(parsed(path)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path, node


def raised_codes() -> Iterator[tuple[Path, ast.Constant]]:
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant() as code, *_]) if (
                    name in ERROR_CLASSES
                ):
                    yield path, code


def test_every_code_in_the_source_is_listed() -> None:
    shaped_like_codes = ((path, node) for path, node in literals() if CODE_SHAPE.fullmatch(str(node.value)))
    unlisted = {
        f"{where(path, node)}: {node.value!r}"
        for path, node in [*raised_codes(), *shaped_like_codes]
        if node.value not in CODES
    }
    assert not unlisted, "missing in surefoot.wire.codes.CODES:\n" + "\n".join(sorted(unlisted))


def test_every_listed_code_is_used() -> None:
    unused = CODES.keys() - {node.value for _, node in literals()}
    assert not unused, f"listed in surefoot.wire.codes.CODES, used nowhere: {sorted(unused)}"
