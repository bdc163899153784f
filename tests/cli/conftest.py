"""Runs the `surefoot` command in this process, as a person's shell would: words in; exit code, stdout, stderr out."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from surefoot.cli.main import main


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
