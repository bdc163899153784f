"""Signed metadata as the server keeps it, and the reading of a document that someone sent."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError, SerializationError

from surefoot.fleet.ports import Rows
from surefoot.trust.keys import PublicKey
from surefoot.wire import metadata as wire
from surefoot.wire.errors import Refused

S = TypeVar("S", Root, Targets, Snapshot, Timestamp)

BYTES_MAX = {
    wire.ROOT: wire.ROOT_BYTES_MAX,
    wire.TARGETS: wire.TARGETS_BYTES_MAX,
    wire.SNAPSHOT: wire.SNAPSHOT_BYTES_MAX,
    wire.TIMESTAMP: wire.TIMESTAMP_BYTES_MAX,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFile:
    """One signed document, byte for byte as it is served; `name` is its file's, such as `3.targets.json`."""

    name: str
    role: str
    version: int
    data: bytes
    stored_at_s: float


class OnlineKey(Protocol):
    """The server's own key: it says how fresh the news is, and nothing else."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""

    def endorse(self, document: Metadata[Any]) -> None:
        """Add this key's signature to a document."""


def read_document(kind: type[S], data: bytes) -> Metadata[S]:
    """Read a document of this role; `Refused` (`refused-metadata-format`). Nothing is believed of it yet."""
    role = kind.type
    if len(data) > BYTES_MAX[role]:
        detail = f"The {role} metadata has {len(data)} bytes: at most {BYTES_MAX[role]} are read."
        raise Refused("refused-metadata-format", detail)
    try:
        found: Metadata[S] = Metadata.from_bytes(data)
        # What has no canonical form, such as a fraction in a field nobody knows, nobody can have signed.
        found.signed_bytes  # noqa: B018 - raises
    except (DeserializationError, SerializationError, RecursionError) as error:
        raise Refused("refused-metadata-format", f"This is no signed {role} metadata: make it anew.") from error
    if not isinstance(found.signed, kind):
        raise Refused("refused-metadata-format", f"This is {found.signed.type} metadata where {role} was expected.")
    return found


def newest(rows: Rows, kind: type[S]) -> Metadata[S] | None:
    """Return the newest stored document of a role, which was believed when it came."""
    found = rows.find(MetadataFile, role=kind.type, newest_first=True, limit=1)
    return read_document(kind, found[0].data) if found else None


def expiries(rows: Rows) -> dict[str, float]:
    """Return when the newest document of each role expires (Unix seconds); nothing where metadata is not set up."""
    found = (newest(rows, Root), newest(rows, Targets), newest(rows, Snapshot), newest(rows, Timestamp))
    return {one.signed.type: one.signed.expires.timestamp() for one in found if one is not None}


def file_name(signed: Signed) -> str:
    """Return the name a document is served under: only the timestamp has the same one for ever."""
    return "timestamp.json" if isinstance(signed, Timestamp) else f"{signed.version}.{signed.type}.json"


def is_over(signed: Signed, now_s: float) -> bool:
    """Whether a document's time is over."""
    return bool(signed.is_expired(moment(now_s)))


def moment(unix_s: float) -> datetime:
    """Return Unix seconds as TUF says them: UTC, whole seconds."""
    return datetime.fromtimestamp(int(unix_s), UTC)
