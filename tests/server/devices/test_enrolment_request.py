import base64

import pytest

from server.robot_keys import csr
from surefoot.server.devices.enrolment_request import parse_request
from surefoot.wire.errors import Refused


def test_a_request_of_a_version_that_nobody_knows_is_refused() -> None:
    der = base64.b64decode("".join(csr("robot-1").splitlines()[1:-1]))
    at = der.index(b"\x02\x01\x00") + 2
    body = base64.encodebytes(der[:at] + b"\x01" + der[at + 1 :]).decode()
    with pytest.raises(Refused) as caught:
        parse_request(f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n")
    assert caught.value.code == "refused-csr-format"
