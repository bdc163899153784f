"""Strict reading of one object of a plan, key by key: whatever is wrong is refused with its path."""

from collections.abc import Mapping
from typing import Any

from surefoot.rollout.durations import parse_duration
from surefoot.rollout.maintenance import DAY_MIN
from surefoot.rollout.plan import Path, PlanRefused
from surefoot.wire import limits
from surefoot.wire.fields import NAME_CHARS

NAMED_ROBOTS_MAX = 1000


class Part:
    """One object of a plan at its path, which may have these keys; each reading raises `PlanRefused`."""

    def __init__(self, source: object, path: Path, keys: tuple[str, ...]) -> None:
        if not isinstance(source, Mapping):
            raise PlanRefused(path, f"must be an object with keys such as {keys[0]}.")
        self.source = source
        self.path = path
        for key in source:
            if key not in keys:
                where = (*path, key) if isinstance(key, str) else path
                raise PlanRefused(where, f"is not known here: use {', '.join(keys)}.")

    def refuse(self, key: str, sentence: str) -> PlanRefused:
        """Return the refusal of what stands under the key."""
        return PlanRefused((*self.path, key), sentence)

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.source.get(key) is not None

    def part(self, key: str, keys: tuple[str, ...]) -> "Part":
        """Return the object under the key, which may have these keys."""
        return Part(self.source.get(key), (*self.path, key), keys)

    def array(self, key: str, items_max: int) -> list[Any]:
        """Read an array; absent means empty."""
        value = self.source.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > items_max:
            raise self.refuse(key, f"must be an array of at most {items_max} items.")
        return value

    def parts(self, key: str, items_max: int, keys: tuple[str, ...]) -> "list[Part]":
        """Read an array of objects that may have these keys."""
        entries = enumerate(self.array(key, items_max))
        return [Part(entry, (*self.path, key, index), keys) for index, entry in entries]

    def words(self, key: str, known: tuple[str, ...]) -> list[str]:
        """Read an array of known words."""
        words = self.array(key, len(known))
        for index, word in enumerate(words):
            if not isinstance(word, str) or word not in known:
                raise PlanRefused((*self.path, key, index), f"must be one of {', '.join(known)}.")
        return words

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """Read a known word."""
        value = self.source.get(key)
        if not isinstance(value, str) or value not in known:
            raise self.refuse(key, f"must be one of {', '.join(known)}.")
        return value

    def name(self, key: str) -> str:
        """Read a name."""
        value = self.source.get(key)
        if not _is_name(value, limits.NAME_CHARS_MAX):
            raise self.refuse(key, f"must be 1 to {limits.NAME_CHARS_MAX} of A-Z a-z 0-9 . : _ -.")
        return str(value)

    def robot_ids(self, key: str) -> tuple[str, ...]:
        """Read an array of robot ids."""
        for index, robot_id in enumerate(robot_ids := self.array(key, NAMED_ROBOTS_MAX)):
            if not _is_name(robot_id, limits.ROBOT_ID_CHARS_MAX):
                raise PlanRefused((*self.path, key, index), "must be a robot id.")
        return tuple(robot_ids)

    def integer(self, key: str, default: int) -> int:
        """Read an integer that is not negative."""
        value = self.source.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limits.INTEGER_MAX:
            raise self.refuse(key, f"must be an integer from 0 to {limits.INTEGER_MAX}.")
        return value

    def number(self, key: str, default: float) -> float:
        """Read a number that is not negative."""
        value = self.source.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= limits.INTEGER_MAX:
            raise self.refuse(key, "must be a number that is not negative.")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Read a boolean."""
        value = self.source.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "must be true or false.")
        return value

    def duration_s(self, key: str, default: float) -> float:
        """Read `key` with a unit, or `key_s` in seconds."""
        if key not in self.source:
            return self.number(f"{key}_s", default)
        if f"{key}_s" in self.source:
            raise self.refuse(key, f"is said twice: leave out {key}_s.")
        value = self.source[key]
        seconds = parse_duration(value) if isinstance(value, str) else None
        if seconds is None or seconds > limits.INTEGER_MAX:
            raise self.refuse(key, f"must be a duration such as 24 h, 30 min or 90 s; {key}_s takes bare seconds.")
        return seconds

    def clock_min(self, key: str) -> int:
        """Read a time of the day, `00:00` to `24:00`."""
        value = self.source.get(key)
        text = value if isinstance(value, str) and len(value) == len("00:00") and value[2] == ":" else "99:99"
        digits = text[:2] + text[3:]
        minutes = int(text[:2]) * 60 + int(text[3:]) if not digits.strip("0123456789") else DAY_MIN + 1
        if minutes > DAY_MIN or int(digits[2:]) > 59:
            raise self.refuse(key, "must be a time of the day from 00:00 to 24:00.")
        return minutes


def _is_name(value: object, chars_max: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= chars_max and not value.strip(NAME_CHARS)
