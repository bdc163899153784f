"""`surefoot trust replace-key` and `replace-server-key`: the next root, in which a new key has an old one's place."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.files import write_file
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.signers import open_key
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root

    from surefoot.cli.client import OperatorClient
    from surefoot.signing.signers import Signer

RootKeys = Annotated[
    list[str], typer.Option("--root-key", metavar="URI", help="Key that signs the root now; repeatable.")
]


@with_operator
def replace_key(
    operator: "OperatorClient",
    old_key_id: Annotated[
        str, typer.Argument(metavar="OLD_KEY_ID", help="Whole id; see `surefoot trust show --json`.")
    ],
    *,
    new_key: Annotated[str, typer.Option("--new-key", metavar="URI", help="Key that takes the old one's place.")],
    root_keys: RootKeys,
    folder: Annotated[Path, typer.Option("--output", help="Folder for root.json and targets.json; made if needed.")],
    as_json: AsJson = False,
) -> None:
    """Make the next root with a new key in an old one's place, and the list of targets signed by it; send nothing."""
    from tuf.api.metadata import Targets

    from surefoot.signing import metadata

    now, signer = datetime.now(UTC), open_key(new_key)
    root_signers = [open_key(uri) for uri in root_keys]
    newest = _newest(operator)
    root = _root(operator, newest, root_signers)
    roles = [role for role in ("root", "targets") if old_key_id in newest[role]["key_ids"]]
    following = root
    for role in roles or ("targets",):
        change = metadata.rotate_root_key if role == "root" else metadata.rotate_targets_key
        following = change(following, old_key_id, signer.public_key, now)
    following.signed.version = root.signed.version + 1
    for holder in [*root_signers, *([signer] if "root" in roles else [])]:
        metadata.endorse(following, holder)
    documents: dict[str, Any] = {"root.json": following}
    if "targets" in roles:
        targets = metadata.read_metadata(Targets, _document(operator, newest["targets"]["name"]))
        _require_signed(root, targets)
        documents["targets.json"] = metadata.renewed(targets, now)
        metadata.endorse(documents["targets.json"], signer)
    paths = [str(write_file(folder / name, document.to_bytes())) for name, document in documents.items()]
    value = {"documents": paths, "roles": roles, "new_key_id": signer.public_key.key_id}
    output.show(
        value,
        as_json,
        f"Made {' and '.join(paths)}.",
        f"Next: have others sign with `surefoot trust sign`, then surefoot trust publish {' '.join(paths)}",
    )


@with_operator
def replace_server_key(
    operator: "OperatorClient",
    *,
    root_keys: RootKeys,
    folder: Annotated[Path, typer.Option("--output", help="Folder for root.json; made if needed.")],
    as_json: AsJson = False,
) -> None:
    """Make the next root, in which the key that the server has now signs snapshot and timestamp; send nothing."""
    from surefoot.signing import metadata
    from surefoot.trust.keys import PublicKey

    root_signers = [open_key(uri) for uri in root_keys]
    newest = _newest(operator)
    root = _root(operator, newest, root_signers)
    own = PublicKey.from_der(base64.b64decode(operator.get("/api/v1/metadata")["online_key_der_base64"]))
    if own.key_id in newest["timestamp"]["key_ids"]:
        detail = f"The root names the server's key {own.short_id} already: give the server a new one first."
        raise Refused("refused-metadata-key", detail)
    if any(own.key_id in newest[role]["key_ids"] for role in ("root", "targets")):
        detail = f"Key {own.short_id} signs root or targets, and an offline key never goes on a server: make another."
        raise Refused("refused-metadata-key", detail)
    following = metadata.rotate_online_key(root, own, datetime.now(UTC))
    for holder in root_signers:
        metadata.endorse(following, holder)
    path = str(write_file(folder / "root.json", following.to_bytes()))
    output.show(
        {"documents": [path], "new_key_id": own.key_id},
        as_json,
        f"Made {path}; the server's own key is {own.short_id}.",
        f"Next: have others sign with `surefoot trust sign`, then surefoot trust publish {path}",
    )


def _newest(operator: "OperatorClient") -> dict[str, Any]:
    """Return the newest document of each role as the server shows it."""
    newest = {shown["role"]: shown for shown in operator.get("/api/v1/metadata")["documents"]}
    if not newest:
        raise Refused("refused-metadata-missing", "Metadata is not set up: there is no root to replace a key in.")
    return newest


def _root(operator: "OperatorClient", newest: dict[str, Any], holders: "list[Signer]") -> "Metadata[Root]":
    """Return the newest root, once one of these keys has signed it."""
    from tuf.api.metadata import Root

    from surefoot.signing import metadata

    root = metadata.read_metadata(Root, _document(operator, newest["root"]["name"]))
    # Whoever has the server could show a root of his own and have it signed here.
    if not any(metadata.is_endorsed_by(root, holder.public_key) for holder in holders):
        raise Refused("refused-metadata-signature", "None of these keys signed the server's root: name one that did.")
    return root


def _require_signed(root: Any, targets: Any) -> None:
    result = root.signed.get_verification_result("targets", targets.signed_bytes, targets.signatures)
    if not result.verified:
        raise Refused(
            "refused-metadata-signature", "The server's targets are not signed as its root asks: do not go on."
        )


def _document(operator: "OperatorClient", name: str) -> bytes:
    return json.dumps(operator.get(f"/v1/metadata/{name}")).encode()
