import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import ROOT

SCRIPT = ROOT / "scripts" / "make_docs.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated docs, made anew; neither the caller's terminal nor their settings must show in them."""
    folder = tmp_path_factory.mktemp("docs")
    environment = {"COLUMNS": "40", "SUREFOOT_PORT": "1", "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--output", str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for name in ("reference", "pictures")
        for path in sorted((folder / name).iterdir())
    }


def test_the_reference_is_what_the_code_says(made: Path) -> None:
    expected, committed = files_in(made), files_in(ROOT / "docs")
    assert committed.keys() == expected.keys()
    stale = [name for name, content in expected.items() if committed[name] != content]
    assert not stale, f"Run `make docs`: {', '.join(stale)} no longer match the code."
