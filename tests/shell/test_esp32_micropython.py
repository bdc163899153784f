"""The chip's drivers on the interpreter that runs there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.micropython
def test_whole_updates_run_on_micropython() -> None:
    interpreter = shutil.which("micropython", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert interpreter
    result = subprocess.run(
        [interpreter, str(TESTS / "micropython_runner.py"), str(TESTS / "shell" / "test_esp32_both.py")],
        env={**os.environ, "MICROPYPATH": os.pathsep.join([".frozen", str(TESTS.parent / "src"), str(TESTS)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed, 0 failed" in result.stdout
