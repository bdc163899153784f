"""Helpers for tests that run on CPython and on MicroPython."""

from surefoot.wire.errors import SurefootError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def code_of(function: "Callable[..., object]", *args: "Any", **kwargs: "Any") -> str:
    """Call the function, which must raise a `SurefootError`, and return its code."""
    try:
        function(*args, **kwargs)
    except SurefootError as error:
        return error.code
    raise AssertionError("no error was raised")


def reader_of(data: bytes) -> "Callable[[int, int], bytes]":
    """Return a bounded reader over bytes, as files and flash offer one."""

    def read(offset_bytes: int, length_bytes: int) -> bytes:
        return data[offset_bytes : offset_bytes + length_bytes]

    return read
