"""By which protocols devices made for AWS IoT get their images: file streams over MQTT, HTTPS, or either.

What the fleet is set to is said per sku, because a firmware is built for one of them, or prefers one of both.
"""

from collections.abc import Mapping

from surefoot.wire import limits
from surefoot.wire.fields import NAME_CHARS

MQTT, HTTP = "MQTT", "HTTP"
# As AWS writes them where a job allows both; the firmware has room for 20 characters of compact JSON.
BOTH = (MQTT, HTTP)
OTHERS = "*"

Protocols = tuple[str, ...]


def parse_delivery(text: str) -> dict[str, Protocols]:
    """Return protocols by sku from `SKU=MQTT,SKU=HTTP,SKU=MQTT+HTTP`; `*` stands for all other skus.

    Raises:
        ValueError: naming the part that is wrong by its number.
    """
    found: dict[str, Protocols] = {}
    parts = text.split(",") if text.strip() else []
    for number, part in enumerate(parts, start=1):
        sku, _, words = (word.strip() for word in part.partition("="))
        named = [word.strip() for word in words.split("+")]
        protocols = tuple(protocol for protocol in BOTH if protocol in named)
        if sku in found:
            raise ValueError(f"part {number} names a sku for the second time")
        if not sku or len(sku) > limits.NAME_CHARS_MAX or (sku != OTHERS and sku.strip(NAME_CHARS)):
            raise ValueError(f"part {number} names no sku: write SKU=HTTP, or *=HTTP for all other skus")
        if len(protocols) != len(named):
            raise ValueError(f"part {number} must end in MQTT, HTTP or MQTT+HTTP")
        found[sku] = protocols
    return found


def protocols_for(delivery: Mapping[str, Protocols], sku: str) -> Protocols:
    """Return the protocols that a job for this sku allows."""
    return delivery.get(sku, delivery.get(OTHERS, (MQTT,)))
