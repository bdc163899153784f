"""The kernel's tests, once more, on the interpreter that a microcontroller runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"
KERNEL = ("wire", "trust", "agent")

# Property tests stay behind: hypothesis does not run there.
KERNEL_TESTS = sorted(
    path for package in KERNEL for path in (TESTS / package).glob("test_*.py") if not path.stem.endswith("_properties")
)


def micropython_command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command line and environment that run the interpreter on the project's own source."""
    search_path = os.pathsep.join([".frozen", str(SOURCE), str(TESTS)])
    interpreter = shutil.which("micropython", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert interpreter
    return [interpreter, *arguments], {**os.environ, "MICROPYPATH": search_path}


def micropython_run(path: Path) -> subprocess.CompletedProcess[str]:
    command, environment = micropython_command(str(TESTS / "micropython_runner.py"), str(path))
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)


@pytest.mark.micropython
@pytest.mark.parametrize("path", KERNEL_TESTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_kernel_tests_pass_on_micropython(path: Path) -> None:
    result = micropython_run(path)
    if result.returncode != 0:
        pytest.fail(result.stdout + result.stderr, pytrace=False)


@pytest.mark.micropython
def test_a_file_that_fails_or_tests_nothing_is_not_taken_for_passed(tmp_path: Path) -> None:
    empty = tmp_path / "test_empty.py"
    empty.write_text("def helper(): pass\n")
    failing = tmp_path / "test_failing.py"
    failing.write_text("def test_sum():\n    assert 1 + 1 == 3\n")
    assert micropython_run(empty).returncode == 1
    result = micropython_run(failing)
    assert result.returncode == 1
    assert "FAILED test_sum" in result.stdout
