"""Rows about what is published: signing keys and releases."""

# ruff: noqa: D102 - the port says what each method does

from sqlalchemy import bindparam, select

from surefoot.fleet.model import Key, Release
from surefoot.store.statements import Statements, values_of
from surefoot.store.tables import keys, releases

KEY = select(keys).where(keys.c.key_id == bindparam("key_id"))
KEYS = select(keys).order_by(keys.c.nth)
RELEASE = select(releases).where(releases.c.release_id == bindparam("release_id"))
RELEASES = select(releases).order_by(releases.c.nth.desc())
RELEASE_BY_SHA256 = RELEASES.where(releases.c.sha256 == bindparam("sha256")).limit(1)


class ReleaseRows(Statements):
    """The part of `Rows` about keys and releases."""

    def key(self, key_id: str) -> Key | None:
        return self._one(Key, KEY, key_id=key_id)

    def keys(self) -> list[Key]:
        return self._all(Key, KEYS)

    def put_key(self, key: Key) -> None:
        self._put(keys, "key_id", values_of(key))

    def release(self, release_id: str) -> Release | None:
        return self._one(Release, RELEASE, release_id=release_id)

    def releases(self) -> list[Release]:
        return self._all(Release, RELEASES)

    def release_by_sha256(self, sha256: str) -> Release | None:
        return self._one(Release, RELEASE_BY_SHA256, sha256=sha256)

    def put_release(self, release: Release) -> None:
        self._put(releases, "release_id", values_of(release))
