"""The audit log: who changed what, from what to what, and why; each entry seals the one before it.

An entry's `sha256` covers its own fields and the `sha256` of the entry before. Who edits or removes an entry must
therefore rewrite all that follow, and then the newest `sha256` is not the one that somebody noted earlier.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from surefoot.fleet.ports import Rows
from surefoot.wire.errors import Misuse
from surefoot.wire.record import Record
from surefoot.wire.version import Version

FIRST_PREVIOUS = "0" * 64
KEPT_BACK = "(kept back)"
# A field with one of these in its name holds a secret, or what gives one away.
SECRET_NAMES = ("token", "password", "secret", "passphrase", "private", "code_sha256", "salt", "cookie", "state_sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change: `before` and `after` are plain JSON values, null where there was or is nothing.

    Entries are numbered from 1 without a gap; `at_s` is in Unix seconds.
    """

    number: int
    at_s: float
    actor: str
    action: str
    target: str
    before: Any
    after: Any
    reason: str | None
    previous_sha256: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first entry at which the chain does not hold, and what is wrong there."""

    number: int
    why: str


def record(
    rows: Rows, actor: str, action: str, target: str, before: object, after: object, reason: str | None, now_s: float
) -> Entry:
    """Append an entry in the transaction of the change that it tells of.

    Args:
        rows: The rows of the transaction that makes the change.
        actor: Who did it: `Actor.name`.
        action: Noun and verb with a dot between: `rollout.halt`, `account.create`.
        target: The id of what was changed.
        before: What it was: None, or any value of ours; secrets in it are left out.
        after: What it is now.
        reason: Why, in the words of who did it, or None.
        now_s: Unix seconds.
    """
    newest = rows.find(Entry, newest_first=True, limit=1)
    number, previous = (newest[0].number + 1, newest[0].sha256) if newest else (1, FIRST_PREVIOUS)
    said: dict[str, Any] = {
        "number": number,
        "at_s": float(now_s),
        "actor": actor,
        "action": action,
        "target": target,
        "before": plain(before),
        "after": plain(after),
        "reason": reason,
        "previous_sha256": previous,
    }
    entry = Entry(**said, sha256=_seal(said))
    rows.put(entry)
    return entry


def verify(entries: Iterable[Entry]) -> Break | None:
    """Walk the whole log from its first entry on; return where it breaks first, or None."""
    number, previous = 1, FIRST_PREVIOUS
    for entry in entries:
        if entry.number != number:
            return Break(number=number, why=f"The entry is missing: entry {entry.number} comes in its place.")
        if entry.previous_sha256 != previous:
            return Break(number=number, why="It does not follow from the entry before it.")
        if _seal(_said_by(entry)) != entry.sha256:
            return Break(number=number, why="It was edited: it does not have the SHA-256 it was sealed with.")
        number, previous = number + 1, entry.sha256
    return None


def plain(value: object) -> Any:
    """Return a value of ours as plain JSON, without what is secret in it."""
    match value:
        case None | bool() | int() | float() | str():
            # A word of ours, told by its value.
            return value.value if isinstance(value, Enum) else value
        case bytes():
            return value.hex()
        case Mapping():
            return {str(name): _field(str(name), held) for name, held in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(held) for held in (sorted(value) if isinstance(value, set | frozenset) else value)]
        case Version():
            return str(value)
        case Record():
            return {name: _field(name, getattr(value, name)) for name in value.__slots__}
        case _ if is_dataclass(value):
            return {one.name: _field(one.name, getattr(value, one.name)) for one in fields(value)}
        case _:
            raise Misuse("misuse-audit", f"{type(value).__name__} has no plain form: name what to record of it.")


def _field(name: str, value: object) -> Any:
    secret = any(word in name for word in SECRET_NAMES)
    return KEPT_BACK if secret and value is not None else plain(value)


def _said_by(entry: Entry) -> dict[str, Any]:
    return {one.name: getattr(entry, one.name) for one in fields(entry) if one.name != "sha256"}


def _seal(said: dict[str, Any]) -> str:
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(canonical.encode()).hexdigest()
