"""Schemathesis looks for server errors and undocumented answers, against a real server, the same way every time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from live_server import LiveServer

SEED = "7"
TIMEOUT_S = 110
# Rules that no schema can tell, such as that a plan ends with 100 percent, refuse what the schema allows.
NOT_CHECKED = "positive_data_acceptance"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own: what is asked of it here would be in other tests' way."""
    with LiveServer(tmp_path_factory.mktemp("schemathesis") / "data").start() as started:
        yield started


def run(server: LiveServer, folder: Path, document: object, token: str, examples: int) -> None:
    (folder / "openapi.json").write_text(json.dumps(document))
    # In a file, as a command line is for everybody to read.
    (folder / "schemathesis.toml").write_text(f'[headers]\nAuthorization = "Bearer {token}"\n')
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis", "--config-file", "schemathesis.toml", "run", "openapi.json",
            "--url", server.url, "--tls-verify", server.ca_path, "--seed", SEED, "--max-examples", str(examples),
            "--phases", "coverage,fuzzing", "--exclude-checks", NOT_CHECKED, "--workers", "1", "--no-color",
            "--warnings", "off",
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert "Tested: " in done.stdout


def test_the_operator_plane_answers_as_its_description_says(server: LiveServer, tmp_path: Path) -> None:
    with server.operator() as operator:
        document = operator.get("/api/v1/openapi.json").json()
    run(server, tmp_path, document, (server.data_dir / "operator.token").read_text().strip(), 3)


def test_the_device_plane_answers_as_its_description_says(server: LiveServer, tmp_path: Path) -> None:
    with server.operator() as operator:
        robot = operator.post("/api/v1/robots", json={"robot_id": "robot-1", "sku": "standard"}).json()
        document = operator.get("/api/v1/device-openapi.json").json()
    run(server, tmp_path, document, robot["token"], 10)
