"""Strict reading of JSON objects that strangers sent.

Unknown keys are ignored, so that newer senders can say more; a known key with a wrong type, range or alphabet is
refused with the code the caller names.
"""

import json

from surefoot.wire import limits
from surefoot.wire.errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEX_DIGITS = "0123456789abcdef"
ID_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
NAME_CHARS = ID_CHARS + ".:"
# What a URL may say: nothing that could end the line of a request.
PRINTABLE_CHARS = "".join(chr(code) for code in range(0x20, 0x7F))


def parse_object(data: bytes, code: str, bytes_max: int) -> "dict[str, Any]":
    """Parse UTF-8 JSON that must be an object of at most `bytes_max` bytes; raise `Refused(code)` otherwise."""
    if len(data) > bytes_max:
        raise Refused(code, f"The message has {len(data)} bytes: send at most {bytes_max}.")
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RuntimeError):  # RuntimeError: nested deeper than the parser recurses
        raise Refused(code, "The message is not valid JSON: send one UTF-8 encoded object.") from None
    if not isinstance(value, dict):
        raise Refused(code, "The message is not a JSON object: send one object.")
    return value


def encode_object(value: "dict[str, Any]") -> bytes:
    """Return the object as compact UTF-8 JSON."""
    # CPython would put spaces behind separators and MicroPython knows no option for it; spaces change no meaning.
    return json.dumps(value).encode("utf-8")


def is_surrogate(char: str) -> bool:
    """Whether this is half a character, which JSON can say and UTF-8 cannot."""
    return 0xD800 <= ord(char) <= 0xDFFF


class Fields:
    """The keys of one JSON object, each read with the type it must have."""

    def __init__(self, source: object, code: str, where: str) -> None:
        if not isinstance(source, dict):
            raise Refused(code, f"{where} is not a JSON object: send one object there.")
        self.source = source
        self.code = code
        self.where = where

    def refuse(self, key: str, needed: str) -> Refused:
        """Return the refusal that says what the key must be."""
        return Refused(self.code, f"{self.where}: {key} must be {needed}.")

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.source.get(key) is not None

    def text(self, key: str, chars_max: int, alphabet: str = "") -> str:
        """Read a non-empty string of at most `chars_max` characters, all of the alphabet if one is given."""
        value = self.source.get(key)
        if not isinstance(value, str) or not value or len(value) > chars_max:
            raise self.refuse(key, f"a string of 1 to {chars_max} characters")
        # What is left without the characters it may have at its ends begins with one that it may not.
        if alphabet and value.strip(alphabet):
            raise self.refuse(key, f"made of the characters {alphabet}")
        return value

    def optional_text(self, key: str, chars_max: int, alphabet: str = "") -> "str | None":
        """Like `text`, or None when the key is absent or null."""
        return self.text(key, chars_max, alphabet) if self.has(key) else None

    def digest(self, key: str) -> str:
        """Read a SHA-256 as 64 lower-case hex digits."""
        value = self.text(key, 64, HEX_DIGITS)
        if len(value) != 64:
            raise self.refuse(key, "64 lower-case hex digits")
        return value

    def optional_digest(self, key: str) -> "str | None":
        """Like `digest`, or None when the key is absent or null."""
        return self.digest(key) if self.has(key) else None

    def integer(self, key: str, maximum: int = limits.INTEGER_MAX) -> int:
        """Read an integer from 0 to `maximum`."""
        value = self.source.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= maximum:
            raise self.refuse(key, f"an integer from 0 to {maximum}")
        return value

    def optional_integer(self, key: str, maximum: int = limits.INTEGER_MAX) -> "int | None":
        """Like `integer`, or None when the key is absent or null."""
        return self.integer(key, maximum) if self.has(key) else None

    def number(self, key: str, maximum: float) -> float:
        """Read a number from 0 to `maximum`, whole or not; absent or null means 0."""
        value = self.source.get(key)
        if value is None:
            return 0.0
        # Not a number is not between any two.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= maximum:
            raise self.refuse(key, f"a number from 0 to {maximum}")
        return float(value)

    def optional_number(self, key: str, maximum: float) -> "float | None":
        """Like `number`, or None when the key is absent or null."""
        return self.number(key, maximum) if self.has(key) else None

    def flag(self, key: str) -> bool:
        """Read a boolean; absent means False."""
        value = self.source.get(key, False)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def choice(self, key: str, choices: "tuple[str, ...]") -> str:
        """Read one of the given words."""
        value = self.source.get(key)
        if value not in choices:
            raise self.refuse(key, "one of " + ", ".join(choices))
        return str(value)

    def array(self, key: str, items_max: int) -> "list[Any]":
        """Read an array of at most `items_max` items; absent means empty."""
        value = self.source.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > items_max:
            raise self.refuse(key, f"an array of at most {items_max} items")
        return value

    def nested(self, key: str) -> "Fields":
        """Read an object inside this one."""
        return Fields(self.source.get(key), self.code, f"{self.where}.{key}")
