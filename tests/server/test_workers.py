"""Several worker processes, as `surefoot up` with the setting `workers` runs them."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from surefoot.server.settings import ServerSettings, load_settings, settings_to_object
from waiting import wait_until


class ServerProcess:
    """`python -m surefoot.server` with two workers on a data directory."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "surefoot.server"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"SUREFOOT_DATA_DIR": str(data_dir), "SUREFOOT_PORT": "0", "SUREFOOT_WORKERS": "2"}
            | variables,
        )

    def wait_for_url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def workers(self) -> set[int]:
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return {int(pid) for pid in listed.stdout.split()}

    def end(self) -> str:
        """Stop it if it runs; return what it logged."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path / "data")
    yield running
    if running.process.returncode is None:
        running.process.kill()
        running.process.communicate()


def trusting(data_dir: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=data_dir / "tls" / "ca.pem")


def is_alive(url: str, data_dir: Path) -> bool:
    return httpx.get(f"{url}/healthz", verify=trusting(data_dir), timeout=60).status_code == 200


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_two_workers_answer_behind_one_address_and_stop_together(server: ServerProcess) -> None:
    url = server.wait_for_url()
    workers = server.workers()
    assert len(workers) == 2
    assert json.loads((server.data_dir / "server.json").read_text())["pid"] == server.process.pid
    assert is_alive(url, server.data_dir)
    log = server.end()
    assert server.process.returncode == 0
    assert "worker-died" not in log
    assert not any(is_running(pid) for pid in workers)
    assert not (server.data_dir / "server.json").exists()


def test_a_worker_that_is_killed_is_replaced_and_the_other_goes_on_answering(server: ServerProcess) -> None:
    url = server.wait_for_url()
    before = server.workers()
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    assert is_alive(url, server.data_dir)
    wait_until(lambda: len(server.workers() - {killed}) == 2)
    assert before - {killed} < server.workers()
    assert "worker-died" in server.end()


def test_workers_do_not_outlive_the_process_that_started_them(server: ServerProcess) -> None:
    server.wait_for_url()
    workers = server.workers()
    server.process.kill()
    server.process.communicate()
    wait_until(lambda: not any(is_running(pid) for pid in workers))


def test_a_server_whose_workers_cannot_start_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "surefoot.db").write_bytes(b"not a database" * 1000)
    server = ServerProcess(tmp_path / "data")
    log = server.process.communicate(timeout=30)[1]
    assert server.process.returncode == 1
    assert "damaged-store" in log
    assert "interrupted-worker" in log
    assert "Fatal" not in log, "a worker that ends by itself ends in order"


def test_all_workers_see_one_operator_token(server: ServerProcess) -> None:
    url = server.wait_for_url()
    token = (server.data_dir / "operator.token").read_text().strip()
    # Each connection may come to either worker.
    for _ in range(8):
        answer = httpx.get(
            f"{url}/api/v1/robots",
            verify=trusting(server.data_dir),
            timeout=60,
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200


def test_a_worker_serves_by_the_same_settings_secrets_included(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, busy_check_s=7, oidc_client_secret="quiet")
    again = ServerSettings.model_validate(json.loads(json.dumps(settings_to_object(settings))))
    assert again == settings
    assert again.oidc_client_secret is not None
    assert again.oidc_client_secret.get_secret_value() == "quiet"
