"""Firmware versions: `MAJOR.MINOR.PATCH`, packed into the 32 bits the image header has for them.

Only versions that fit those bits can be built, so nothing published can turn out later to be unsignable or to compare
differently on a robot.
"""

from surefoot.wire.errors import Refused
from surefoot.wire.record import Record

MAJOR_MAX = 0xFFFF
MINOR_MAX = 0xFF
PATCH_MAX = 0xFF


class Version(Record):
    """A firmware version, ordered by major, then minor, then patch.

    Raises:
        Refused: `refused-version-format` when a part is too large for its bits.
    """

    __slots__ = ("major", "minor", "patch")
    major: int
    minor: int
    patch: int

    def check(self) -> None:
        if not (0 <= self.major <= MAJOR_MAX and 0 <= self.minor <= MINOR_MAX and 0 <= self.patch <= PATCH_MAX):
            raise _does_not_fit(str(self))

    @staticmethod
    def parse(text: str) -> "Version":
        """Read `MAJOR.MINOR.PATCH`: decimal digits without leading zeros, signs, spaces or pre-release tags.

        Raises:
            Refused: `refused-version-format`.
        """
        parts = _parts(text)
        if parts is None:
            raise Refused(
                "refused-version-format",
                f"{text[:40]!r} is not a version: write MAJOR.MINOR.PATCH, without tags or leading zeros.",
            )
        if any(len(part) > 5 for part in parts):  # int() itself fails on thousands of digits
            raise _does_not_fit(text[:40])
        return Version(major=int(parts[0]), minor=int(parts[1]), patch=int(parts[2]))

    @staticmethod
    def parse_descriptor(text: str) -> "Version | None":
        """Read the version a build put into its image, such as `v1.4.2`; None when it put something else there.

        Builds often leave this text empty or put a commit id or `git describe` output there: that claims no version,
        so there is nothing to compare.

        Raises:
            Refused: `refused-version-format` when it is a version, but too large for the header.
        """
        text = text[1:] if text[:1] == "v" else text
        return None if _parts(text) is None else Version.parse(text)

    @staticmethod
    def from_packed(packed: int) -> "Version":
        """Unpack `major << 16 | minor << 8 | patch`.

        Raises:
            Refused: `refused-version-format` unless it is an unsigned 32-bit number.
        """
        return Version(major=packed >> 16, minor=packed >> 8 & MINOR_MAX, patch=packed & PATCH_MAX)

    @property
    def packed(self) -> int:
        """`major << 16 | minor << 8 | patch`, which orders like the version itself."""
        return self.major << 16 | self.minor << 8 | self.patch

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def __lt__(self, other: "Version") -> bool:
        return self.packed < other.packed

    def __le__(self, other: "Version") -> bool:
        return self.packed <= other.packed

    def __gt__(self, other: "Version") -> bool:
        return self.packed > other.packed

    def __ge__(self, other: "Version") -> bool:
        return self.packed >= other.packed


def _parts(text: str) -> "list[str] | None":
    """Return the three numbers as text, or None when it is not three numbers."""
    parts = text.split(".")
    return parts if len(parts) == 3 and all(_is_number(part) for part in parts) else None


def _is_number(part: str) -> bool:
    # Not str.isdigit(), which takes digits of every script on CPython and only ASCII ones on MicroPython.
    return part != "" and all(char in "0123456789" for char in part) and (part == "0" or part[0] != "0")


def _does_not_fit(shown: str) -> Refused:
    return Refused(
        "refused-version-format",
        f"The version {shown} does not fit the image header: use at most {MAJOR_MAX}.{MINOR_MAX}.{PATCH_MAX}.",
    )
