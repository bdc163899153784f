"""Changes that a stranger would make: lengths that lie, cut files, doubled keys, numbers and depths without measure.

Everything follows from the random numbers that are handed in.
"""

import json
from enum import StrEnum
from random import Random
from typing import Any

DEEP = 1200
# More digits than Python turns into a number.
DIGITS = "9" * 5000


class Kind(StrEnum):
    """What an input is made of."""

    BYTES = "bytes"
    JSON = "json"
    TEXT = "text"


NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 33, 64, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536)
LARGE = (2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8, 2**32 - 136, 2**63, 2**64 - 1)

# JSON as it is written, since some of it cannot be written by `json.dumps`.
ODD_JSON = (
    "null", "true", "0", "-1", "-0", "1.5", "1e400", "-1e400", "NaN", "-Infinity", "9007199254740992", "9" * 400,
    DIGITS, '""', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\U0001f916"', '"' + "x" * 3000 + '"', '"0.0.0"',
    '"99999.1.1"', '"0.' + "9" * 60 + '.1"', '"' + "f" * 64 + '"', "[]", "{}", "[[]]", '{"":[]}', "[null]", '[{"a":1}]',
    "[" * DEEP, "[" * 900 + "]" * 900, '{"a":' * DEEP, "[" + "0," * 1000 + "0]",
)  # fmt: skip

ODD_TEXT = (
    "\0", "\ufeff", "\u2028", "\U0001f916", "[" * DEEP, "{a: " * 400, "- " * DEEP, "{a=" * DEEP, "a.b." * 300,
    "[[" * 300, "&a [*a]", "*a", "<<: *a", "? ", "!!int ''", "!!int _", "!!float ''", "!!bool x", "!!timestamp x",
    "!!binary x", "!!set {a}", "!!omap [a]", "!!python/object:os.system {}", "2001-99-99", "1979-05-27T07:32:00+99:99",
    "0x", "0o9", "-", DIGITS, "1e" + "9" * 300, "nan", ".inf", "'", '"', "'''", '"""', "\\", "\\ud800", "%00", "%",
    "=", ",", "-" * 50, "\r\n", "\t", ":", ": ", "#", "bytes=", "Bearer ", "-----BEGIN ", "-----END ",
)  # fmt: skip
ODD_BYTES = (b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xff" * 40, bytes(40))


def mutate(chance: Random, data: bytes, kind: Kind, bytes_max: int) -> bytes:
    """Return the input with one to three changes, of at most so many bytes."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        match kind:
            case Kind.JSON if chance.random() < 0.75:
                data = _mutate_json(chance, data)
            case Kind.TEXT if chance.random() < 0.6:
                data = _mutate_text(chance, data)
            case _:
                data = _mutate_bytes(chance, data)
    return data[:bytes_max]


def _place(chance: Random, data: bytes) -> int:
    """Return an offset; most that can go wrong stands at either end."""
    near = min(300, len(data))
    match chance.randrange(4):
        case 0 | 1:
            return chance.randint(0, near)
        case 2:
            return len(data) - chance.randint(0, near)
        case _:
            return chance.randint(0, len(data))


def _mutate_bytes(chance: Random, data: bytes) -> bytes:
    at = _place(chance, data)
    match chance.randrange(8):
        case 0:
            return data[:at]
        case 1:
            return data[at:]
        case 2 if at < len(data):
            return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]
        case 3 | 4:
            # A length field that lies.
            width = chance.choice((1, 2, 4, 4, 8))
            number = chance.choice(NUMBERS + LARGE + (len(data), len(data) - at, len(data) + 1)) % (1 << 8 * width)
            return data[:at] + number.to_bytes(width, chance.choice(("little", "big"))) + data[at + width :]
        case 5:
            length = chance.randint(1, 64)
            return data[: at + length] + data[at : at + length] * chance.choice((1, 2, 20)) + data[at + length :]
        case 6:
            return data[:at] + data[at + chance.randint(1, 64) :]
        case _:
            put = chance.choice(ODD_BYTES) if chance.random() < 0.3 else chance.randbytes(chance.randint(1, 16))
            return data[:at] + put + data[at + chance.choice((0, len(put))) :]


def _mutate_text(chance: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    match chance.randrange(6):
        case 0 if lines:
            lines.insert(chance.randint(0, len(lines)), chance.choice(lines))
            return b"".join(lines)
        case 1 if lines:
            del lines[chance.randrange(len(lines))]
            return b"".join(lines)
        case 2 if lines:
            # The value of one line.
            number = chance.randrange(len(lines))
            for mark in (b": ", b"=", b"- ", b" "):
                name, found, _ = lines[number].partition(mark)
                if found:
                    lines[number] = name + mark + chance.choice(ODD_TEXT).encode() + b"\n"
                    break
            return b"".join(lines)
        case _:
            at = _place(chance, data)
            return data[:at] + chance.choice(ODD_TEXT).encode() + data[at + chance.choice((0, 0, 1, 8)) :]


def _mutate_json(chance: Random, data: bytes) -> bytes:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _mutate_bytes(chance, data)
    inside = _containers(value)
    if not inside:
        return chance.choice(ODD_JSON).encode()
    # What takes a value's place is marked first and put in as it is written, valid or not.
    mark = "\0mark\0"
    container = chance.choice(inside)
    key = chance.choice(sorted(container) if isinstance(container, dict) else range(len(container)))
    odd = chance.choice(ODD_JSON)
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1 if isinstance(container, dict):
            # The same key twice: the later one counts.
            held = json.dumps(container[key])
            container[key] = mark
            odd = f"{held},{json.dumps(key)}:{odd}"
        case 2:
            odd = "[" + ",".join([json.dumps(container[key])] * chance.choice((2, 17, 300))) + "]"
            container[key] = mark
        case 3 if isinstance(container[key], str):
            text = container[key]
            at = chance.randint(0, len(text))
            put = chance.choice(("\0", "\ud800", "é", "\U0001f916", " ", "\n", "/", "0", "A", "x" * 600))
            container[key] = text[:at] + put + text[at + chance.choice((0, 1)) :]
        case 4 if isinstance(container[key], int):
            container[key] = chance.choice(NUMBERS + LARGE + (-1, 10**400))
        case _:
            container[key] = mark
    return json.dumps(value).replace(json.dumps(mark), odd).encode()


def _containers(value: Any) -> list[Any]:
    """Return every object and array in here that is not empty."""
    found, waiting = [], [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict | list) and held:
            found.append(held)
            waiting += held.values() if isinstance(held, dict) else held
    return found
