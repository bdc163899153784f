"""Tables about signed metadata, the ceremony of a key rotation, and patches between images."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, LargeBinary, Table, Text

from surefoot.fleet.deltas import BuiltDelta
from surefoot.fleet.documents import MetadataFile
from surefoot.fleet.rotation import Exclusion, Rotation, RotationStep, TransitionRelease
from surefoot.store.columns import ID, Encoded, as_json, metadata, nth
from surefoot.store.tables import keys


def _many(kind: Any) -> Encoded:
    """Return the kind of a tuple of plain values."""
    return as_json(lambda values: [asdict(value) for value in values], lambda items: tuple(kind(**it) for it in items))


metadata_files = Table(
    "metadata_files",
    metadata,
    nth(),
    Column("name", ID, nullable=False),
    Column("role", ID, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("stored_at_s", Double, nullable=False),
    Index("metadata_files_by_name", "name", unique=True),
    Index("metadata_files_by_role", "role", "nth"),
)

deltas = Table(
    "deltas",
    metadata,
    nth(),
    Column("delta_id", ID, nullable=False),
    Column("release_id", ID, nullable=False),
    Column("source_digest", ID, nullable=False),
    Column("sha256", ID),
    Column("size_bytes", BigInteger, nullable=False),
    Column("built_at_s", Double, nullable=False),
    Index("deltas_by_id", "delta_id", unique=True),
    Index("deltas_by_sha256", "sha256"),
)

rotations = Table(
    "rotations",
    metadata,
    nth(),
    Column("rotation_id", ID, nullable=False),
    Column("old_key_id", ID, ForeignKey(keys.c.key_id), nullable=False),
    Column("new_key_id", ID, ForeignKey(keys.c.key_id)),
    Column("step", Encoded(str, RotationStep), nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("started_at_s", Double, nullable=False),
    Column("transitions", _many(TransitionRelease), nullable=False),
    Column("exclusions", _many(Exclusion), nullable=False),
    Column("ended_by", Text),
    Column("ended_at_s", Double),
    Column("ended_from", Text),
    Column("ended_reason", Text),
    Index("rotations_by_id", "rotation_id", unique=True),
    Index("rotations_by_old_key", "old_key_id", unique=True),
)

TABLE_OF: dict[type, Table] = {BuiltDelta: deltas, MetadataFile: metadata_files, Rotation: rotations}
