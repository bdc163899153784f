"""Signed metadata, for operators: what there is, and the sending of what offline keys signed."""

import base64
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import Field
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from surefoot.fleet import audit
from surefoot.fleet.documents import OnlineKey, file_name, is_over, newest
from surefoot.fleet.metadata import store_metadata
from surefoot.fleet.ports import Rows
from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.models import Model
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.services import Services
from surefoot.wire.errors import Refused
from surefoot.wire.metadata import ROOT, ROOT_BYTES_MAX, TARGETS, TARGETS_BYTES_MAX

# The roles whose keys are not here.
OFFLINE = (ROOT, TARGETS)
RENEW_BEFORE_S = 30 * 86400.0

router = APIRouter(tags=["metadata"])


class MetadataIn(Model):
    """A new root, a new list of targets, or both, each the whole signed document as text."""

    root: str | None = Field(default=None, max_length=ROOT_BYTES_MAX)
    targets: str | None = Field(default=None, max_length=TARGETS_BYTES_MAX)


class DocumentOut(Model):
    """The newest document of a role, and the keys that may sign that role.

    `renew_soon` tells that people must sign it anew within a month; the server looks after snapshot and timestamp.
    """

    role: str
    name: str
    version: int
    expires_at_s: float
    expired: bool
    renew_soon: bool
    key_ids: list[str]
    threshold: int

    @classmethod
    def of(cls, document: Metadata[Any], root: Root, now_s: float) -> Self:
        """Show a document."""
        signed = document.signed
        return cls(
            role=signed.type,
            name=file_name(signed),
            version=signed.version,
            expires_at_s=signed.expires.timestamp(),
            expired=is_over(signed, now_s),
            renew_soon=signed.type in OFFLINE and is_over(signed, now_s + RENEW_BEFORE_S),
            key_ids=list(root.roles[signed.type].keyids),
            threshold=root.roles[signed.type].threshold,
        )


class MetadataOut(Model):
    """Whether metadata is set up, the server's own key, and the newest document of each role."""

    set_up: bool
    online_key_id: str
    online_key_der_base64: str
    targets: int
    documents: list[DocumentOut]


@router.get("/metadata", dependencies=[needs(Permission.READ)])
async def get_metadata(services: ServicesDependency) -> MetadataOut:
    """Show the newest metadata; companions read the documents themselves under /v1/metadata/."""
    online = online_key_of(services)
    return await services.read(lambda rows: _status(rows, online, services.now_s()))


@router.post("/metadata", status_code=201)
async def post_metadata(
    services: ServicesDependency, actor: Annotated[Actor, needs(Permission.PUBLISH)], body: MetadataIn
) -> MetadataOut:
    """Take what offline keys signed; the first time root and targets together."""
    online, now_s = online_key_of(services), services.now_s()

    def work(rows: Rows) -> MetadataOut:
        store_metadata(rows, encoded(body.root), encoded(body.targets), online, now_s)
        after = _status(rows, online, now_s)
        versions = {document.name: document.version for document in after.documents}
        audit.record(rows, actor.name, "metadata.store", "metadata", None, versions, None, now_s)
        return after

    return await services.write(work)


def online_key_of(services: Services) -> OnlineKey:
    """Return the server's own key; `Refused` (`refused-metadata-key`) where a server has none."""
    if services.metadata_key is None:
        raise Refused("refused-metadata-key", "This server has no key of its own: give it a data directory.")
    return services.metadata_key


def encoded(text: str | None) -> bytes | None:
    """Return a document's bytes; half a character makes bytes that are no document."""
    return None if text is None else text.encode("utf-8", "replace")


def _status(rows: Rows, online: OnlineKey, now_s: float) -> MetadataOut:
    root, targets = newest(rows, Root), newest(rows, Targets)
    documents = []
    if root is not None:
        found = (root, targets, newest(rows, Snapshot), newest(rows, Timestamp))
        documents = [DocumentOut.of(document, root.signed, now_s) for document in found if document is not None]
    return MetadataOut(
        set_up=root is not None,
        online_key_id=online.public_key.key_id,
        online_key_der_base64=base64.b64encode(online.public_key.der).decode("ascii"),
        targets=0 if targets is None else len(targets.signed.targets),
        documents=documents,
    )
