"""Ids for what the server creates."""

import secrets
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_CHARS = 26


def new_id() -> str:
    """Return a ULID: 48 bits of milliseconds and 80 of chance in 26 characters, which sort by time of birth."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARS)))
