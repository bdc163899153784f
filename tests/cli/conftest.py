"""Runs the `surefoot` command in this process, as a person's shell would: words in; exit code, stdout, stderr out."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from live_server import LiveServer
from surefoot.cli.main import main

Run = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one line of JSON that `--json` promises."""
        assert self.stdout.count("\n") == 1, self.stdout
        return json.loads(self.stdout)

    @property
    def error_code(self) -> str:
        """The code that ends the one sentence of a failure."""
        line = self.stderr.strip()
        assert "\n" not in line and line.startswith("error: ") and line.endswith("]"), self.stderr
        return line[line.rindex("[") + 1 : -1]


@pytest.fixture
def surefoot(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    for name in [name for name in os.environ if name.startswith("SUREFOOT_")]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code=code, stdout=captured.out, stderr=captured.err)

    return run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server that the test starts by a call to its `start`, and that ends with the test."""
    with LiveServer(tmp_path / "server" / "data") as server:
        yield server


@pytest.fixture
def operate(surefoot: Run, server: LiveServer) -> Run:
    """Run a command against the server, as whoever may read its data directory."""
    return lambda *words: surefoot(*words, "--data", server.data_dir)


@pytest.fixture
def ask(operate: Run) -> Run:
    """Run a command that must succeed, and return its JSON."""

    def run(*words: object) -> Any:
        outcome = operate(*words, "--json")
        assert outcome.code == 0, outcome.stdout
        return outcome.json

    return run
