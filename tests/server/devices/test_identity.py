import base64
from dataclasses import replace

import pytest

from server.robot_keys import OtherCa
from server_bench import Bench
from surefoot.server.devices.identity import IdentityGate
from surefoot.wire.errors import Refused


def test_a_certificate_of_a_version_that_nobody_knows_is_refused(bench: Bench) -> None:
    der = base64.b64decode("".join(OtherCa().issue("robot-1").splitlines()[1:-1]))
    at = der.index(b"\xa0\x03\x02\x01\x02") + 4
    body = base64.encodebytes(der[:at] + b"\x01" + der[at + 1 :])
    pem = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
    changed = {"proxy_certificate_header": "X-Cert", "proxy_addresses": "10.0.0.5"}
    settings = bench.services.settings.model_copy(update=changed)
    gate = IdentityGate(replace(bench.services, settings=settings))
    with pytest.raises(Refused) as caught:
        gate.client_certificate({"type": "http", "client": ("10.0.0.5", 1)}, {b"x-cert": pem})
    assert caught.value.code == "refused-certificate"
