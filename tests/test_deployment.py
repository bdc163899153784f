"""The container, the compose file and the systemd units name things that exist: no engine runs them here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from surefoot.server.health import router as health
from surefoot.server.settings import CONFIG_VARIABLE, PREFIX, ServerSettings

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
UNITS = sorted((ROOT / "contrib").glob("*.service"))
SETTINGS = {f"{PREFIX}{name.upper()}" for name in ServerSettings.model_fields} | {CONFIG_VARIABLE}


@pytest.mark.parametrize("path", [ROOT / "Dockerfile", ROOT / "compose.yaml", *UNITS], ids=lambda path: path.name)
def test_every_setting_that_is_set_exists(path: Path) -> None:
    assert set(re.findall(r"\bSUREFOOT_[A-Z_]+", path.read_text())) <= SETTINGS


def test_the_container_copies_what_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_container_is_asked_for_its_health_where_the_server_answers() -> None:
    port = ServerSettings.model_fields["port"].default
    assert "/healthz" in {getattr(route, "path", None) for route in health.routes}
    assert f"https://localhost:{port}/healthz" in DOCKERFILE
    ports = [port, *(ServerSettings.model_fields[name].default for name in ("broker_port", "broker_password_port"))]
    assert f"EXPOSE {' '.join(map(str, ports))}\n" in DOCKERFILE
    assert COMPOSE["services"]["server"]["ports"] == [f"{each}:{each}" for each in ports]


def test_the_container_brings_the_broker_that_the_server_looks_for() -> None:
    assert re.search(r"apt-get install [^&]*\bmosquitto\b", DOCKERFILE)
    assert ServerSettings.model_fields["broker"].default == "auto"
    assert "SUREFOOT_BROKER" not in DOCKERFILE + str(COMPOSE["services"]["server"])


def test_the_container_does_not_run_as_root() -> None:
    assert DOCKERFILE.rindex("USER surefoot") > DOCKERFILE.rindex("FROM ")


def test_no_service_of_the_compose_file_holds_a_secret_itself() -> None:
    for service in COMPOSE["services"].values():
        for name, value in dict(service.get("environment", {})).items():
            assert not re.search("password|secret|token", name, re.IGNORECASE) or name.endswith("_FILE"), name
            assert not re.search(r"://[^/@]+:[^/@]+@", str(value)), name


def test_every_volume_and_secret_of_the_compose_file_is_declared_and_used() -> None:
    services = COMPOSE["services"].values()
    mounted = {volume.split(":")[0] for service in services for volume in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])
    assert {secret for service in services for secret in service.get("secrets", [])} == set(COMPOSE["secrets"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_unit(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze comes with Debian's package systemd: run `make setup` as root"
    # The program it starts is installed elsewhere; that it is missing here says nothing about the unit.
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/surefoot/bin/surefoot", "/bin/true"))
    found = subprocess.run([analyze, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
