"""Sends one message to an address that an operator named, and keeps it from reaching what it must not.

Whoever may name an address could make the server ask its own network. So a webhook's host is resolved here, every
address of it must be a public one, and the connection goes to exactly the address that was looked at. Redirects are not
followed.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from surefoot.wire.errors import Interrupted, Refused

TIMEOUT_S = 10.0
HTTPS_PORT = 443
USER_AGENT = "surefoot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent; `own_network` says whether it may go to addresses that are not public."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    own_network: bool = False


class Sender:
    """A client for messages of a few kilobytes, trusting the certificates this machine trusts."""

    def __init__(self, trust: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            verify=trust or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            # A connection kept for one host must not carry the messages of another at the same address.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def send(self, post: Post) -> None:
        """Return once it was received.

        Raises:
            Refused: `refused-address-private`.
            Interrupted: `interrupted-delivery` when it was not received with a status of 200 to 299.
        """
        parts = urlsplit(post.url)
        host = parts.hostname or ""
        try:
            async with asyncio.timeout(self._timeout_s):
                address = await _address(host, parts.port or HTTPS_PORT, own_network=post.own_network)
                request = self._http.build_request(
                    "POST",
                    httpx.URL(post.url).copy_with(host=address),
                    content=post.body,
                    headers={
                        "Content-Type": "application/json",
                        "User-Agent": USER_AGENT,
                        **post.headers,
                        "Host": parts.netloc.rpartition("@")[2],
                    },
                    # The certificate must name the host, whatever its address.
                    extensions={"sni_hostname": host},
                )
                response = await self._http.send(request, stream=True)
                # Nobody reads what a stranger answers: it may have no end.
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            what = str(error) or type(error).__name__
            raise Interrupted("interrupted-delivery", f"{host} did not take it: {what[:200]}") from error
        if not response.is_success:
            raise Interrupted("interrupted-delivery", f"{host} answered {response.status_code}, not 2xx.")

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


async def _address(host: str, port: int, *, own_network: bool) -> str:
    """Resolve a host and return its first address, if all of them may be connected to."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise OSError("it has no address")
    for address in addresses:
        if not own_network and not _is_public(address):
            raise Refused(
                "refused-address-private", f"{host} is {address}, which is not a public address: name another host."
            )
    return addresses[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # The same address in another dress: ::ffff:127.0.0.1, 64:ff9b::7f00:1 or 2002:7f00:1::.
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(str(inner))
        if address not in _GLOBAL_UNICAST:
            # Some of the rest leads into the own network, such as fec0::/10 and translators' 64:ff9b:1::/48.
            return False
    return address.is_global and not address.is_multicast


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
