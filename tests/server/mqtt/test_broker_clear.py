"""What the broker answers who clears up; that it is cleared, `test_broker_acl` tells of a real broker."""

import io

import pytest

from surefoot.server.mqtt.broker_clear import retained_topics

RETAINED, LIVE, PONG = b"\x31\x06\x00\x03a/bx", b"\x30\x06\x00\x03a/cx", b"\xd0\x00"


def test_only_what_is_retained_is_cleared() -> None:
    assert retained_topics(io.BytesIO(RETAINED + LIVE + PONG)) == [b"a/b"]


@pytest.mark.parametrize("count", range(len(RETAINED + PONG)))
def test_a_broker_that_hangs_up_anywhere_is_one_that_is_away(count: int) -> None:
    with pytest.raises(OSError, match="hung up"):
        retained_topics(io.BytesIO((RETAINED + PONG)[:count]))
