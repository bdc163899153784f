"""Whose network address counts: the connection's, or what a believed proxy says is behind it."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from surefoot.server.settings import ServerSettings, networks_of


def client_address(connected: str, headers: Mapping[bytes, bytes], settings: ServerSettings) -> str:
    """Return the address of who asks.

    Of X-Forwarded-For the last entry counts, as the proxy wrote it; those before it are what the client claims. From
    anywhere but `proxy_addresses` the header means nothing.

    Args:
        connected: The address at the other end of the connection.
        headers: The request's headers.
        settings: Which proxies are believed.
    """
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
    return forwarded if forwarded and _is_proxy(connected, settings) else connected


def _is_proxy(connected: str, settings: ServerSettings) -> bool:
    try:
        address = ip_address(connected)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in ip_network(network) for network in networks_of(settings.proxy_addresses))
