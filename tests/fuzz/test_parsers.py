"""Whatever strangers send, every parser takes it or refuses it with a code, in memory bounded by the input's size.

`bench/fuzz.py` does the same with a million inputs; here are a few for each parser, the same every time, and those that
once failed.
"""

import ast
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutations import mutate
from fuzz.targets import BY_NAME, TARGETS, Target
from surefoot.wire.errors import Damaged, Refused

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "surefoot"
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.json"))
INPUTS = 100
MEASURED = 12
EACH = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)

# By these names a function that reads strangers' bytes is known.
PARSER_NAMES = (
    "parse",
    "recognise",
    "measure",
    "verify",
    "decode",
    "load",
    "from_",
    "read_",
    "check_payload",
    "patched",
)
NOT_FUZZED = {
    "trust.p256.verify": "takes bytes of fixed lengths, has property tests of its own, and is called by check_payload",
    "trust.keys.KeyRing.verify": "only hands its bytes to p256.verify, key by key",
}

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def inputs_of(target: Target, count: int) -> Iterator[bytes]:
    """Yield changed inputs, the same ones every time; every other one with its digests true again."""
    chance = Random(target.name)
    seeds = target.corpus()
    for number in range(count):
        data = mutate(chance, chance.choice(seeds), target.kind, target.bytes_max)
        yield target.seal(data) if target.seal is not None and number % 2 else data


@EACH
def test_what_fuzzing_starts_from_is_taken(target: Target) -> None:
    seeds = target.corpus()
    assert any(target.check(data) for data in seeds)
    assert all(isinstance(target.check(data), bool) for data in seeds)


@EACH
def test_changed_inputs_are_taken_or_refused(target: Target) -> None:
    for data in inputs_of(target, max(20, int(INPUTS * target.share))):
        target.check(data)


@EACH
@settings(max_examples=12, derandomize=True, database=None)
@given(data=st.data())
def test_any_bytes_are_taken_or_refused(target: Target, data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([seed for seed in target.corpus() if len(seed) <= target.bytes_max]))
    begin = data.draw(st.integers(0, len(base)))
    end = data.draw(st.integers(begin, min(len(base), begin + 16)))
    target.check(base[:begin] + data.draw(st.binary(max_size=16)) + base[end:])
    target.check(data.draw(st.binary(max_size=200)))


@EACH
def test_memory_is_bounded_by_the_size_of_the_input(target: Target) -> None:
    seeds = target.corpus()
    # What is imported or made once belongs to no input.
    for data in seeds:
        target.check(data)
    for data in (*seeds, *inputs_of(target, MEASURED)):
        tracemalloc.start()
        try:
            target.check(data)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak_bytes <= target.memory_bytes + target.memory_per_byte * len(data), (len(data), peak_bytes)


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_an_input_that_once_failed_is_refused(path: Path) -> None:
    case = json.loads(path.read_text())
    data = b"".join(text.encode("latin-1") * count for text, count in case["parts"]) + bytes.fromhex(case["hex"])
    assert BY_NAME[case["target"]].check(data) is case["taken"], case["what"]


def test_a_parser_that_lets_something_else_out_is_found() -> None:
    for error in (KeyError("x"), Damaged("damaged-row", "x"), Refused("refused-nothing-listed", "x")):

        def call(_data: bytes, error: Exception = error) -> None:
            raise error

        with pytest.raises((KeyError, Damaged, AssertionError)):
            Target(names=("x",), call=call, corpus=lambda: (b"",)).check(b"")


def test_a_sentence_that_cannot_be_printed_is_found() -> None:
    def call(_data: bytes) -> None:
        raise Refused("refused-range", "\ud800")

    with pytest.raises(UnicodeEncodeError):
        Target(names=("x",), call=call, corpus=lambda: (b"",)).check(b"")


def public_parsers() -> Iterator[str]:
    """Yield the functions of wire and trust that read bytes or parsed objects, by their names."""
    for path in sorted((*(SOURCE / "wire").glob("*.py"), *(SOURCE / "trust").glob("*.py"))):
        module = f"{path.parent.name}.{path.stem}"
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and is_parser(node.name):
                yield f"{module}.{node.name}"
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and is_parser(method.name):
                        yield f"{module}.{node.name}.{method.name}"


def is_parser(name: str) -> bool:
    return not name.startswith("_") and (name.startswith(PARSER_NAMES) or name.endswith("_from_object"))


def test_every_parser_of_wire_and_trust_is_fuzzed_or_says_why_not() -> None:
    fuzzed = {name for target in TARGETS for name in target.names}
    found = set(public_parsers())
    assert found - fuzzed - NOT_FUZZED.keys() == set()
    assert NOT_FUZZED.keys() <= found


def test_every_target_stands_in_the_table_once() -> None:
    names = [name for target in TARGETS for name in target.names]
    assert len(names) == len(set(names))
    for name in names:
        module = name.replace(".", "/")
        assert any((SOURCE / folder).with_suffix(".py").exists() for folder in map(str, Path(module).parents)), name


def test_the_coverage_guided_fuzzer_runs_and_finds_nothing(tmp_path: Path) -> None:
    said = ["wire.report.parse_report=3000", "wire.formats.recognise=2000"]
    command = [sys.executable, "-m", "fuzz.worker", "1", "2", str(tmp_path), *said]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=110)
    rows = sorted(map(json.loads, ended.stdout.splitlines()), key=lambda row: row["inputs"])
    assert [(row["inputs"], row["findings"]) for row in rows] == [(2000, []), (3000, [])]
    # Where nothing is taken any more, the fuzzer no longer gets past the first check.
    assert all(row["taken"] for row in rows)
