import pytest

from surefoot.server.client_address import client_address
from surefoot.server.settings import ServerSettings

SETTINGS = ServerSettings(proxy_addresses="10.0.0.0/8, fd00::1")


@pytest.mark.parametrize(
    ("connected", "forwarded", "counts"),
    [
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "claimed by the client, 203.0.113.9", "203.0.113.9"),
        ("::ffff:10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("", "203.0.113.9", ""),
    ],
)
def test_only_a_believed_proxy_says_who_is_behind_it(connected: str, forwarded: str, counts: str) -> None:
    headers = {b"x-forwarded-for": forwarded.encode()}
    assert client_address(connected, headers, SETTINGS) == counts


def test_without_proxies_the_connection_counts() -> None:
    assert client_address("10.1.2.3", {b"x-forwarded-for": b"203.0.113.9"}, ServerSettings()) == "10.1.2.3"
