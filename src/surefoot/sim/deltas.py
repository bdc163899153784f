"""Deltas in a simulated fleet: made at once and by the real maker, which has no process of its own here."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from surefoot.fleet.deltas import Wanted
from surefoot.signing.delta import make_delta

# Every world of a process makes the same few.
_made = lru_cache(maxsize=16)(make_delta)


def build(want: Wanted, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return the SHA-256 and the bytes of a wanted delta, made of the files of its two releases."""
    file = _made(files[want.source.sha256], files[want.target.sha256])
    return hashlib.sha256(file).hexdigest(), file
