"""An object store for tests: moto's S3 server in this process, with a bucket for each test."""

from functools import cache
from itertools import count

import httpx
import pytest
from moto.server import ThreadedMotoServer

FIRST_ANSWER_S = 60.0

_numbers = count()


@cache
def _server_url() -> str:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    # A daemon: it ends with this process.
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def new_bucket(patch: pytest.MonkeyPatch) -> str:
    """Make an empty bucket, put what a client needs into the environment, and return the address of a folder in it."""
    bucket = f"bucket-{next(_numbers)}"
    environment = {
        "AWS_ENDPOINT": _server_url(),
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test-key-id",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
    }
    for name, value in environment.items():
        patch.setenv(name, value)
    # The first request makes moto import all it needs, which took more than five seconds on a busy machine.
    httpx.put(f"{_server_url()}/{bucket}", timeout=FIRST_ANSWER_S).raise_for_status()
    return f"s3://{bucket}/images"
