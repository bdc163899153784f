"""What `surefoot key rotate` does on the operator's machine, where the private keys are."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from surefoot.cli import output
from surefoot.cli.key_rotation import key_named, path_of
from surefoot.cli.signers import ask_new_passphrase, open_key
from surefoot.shell.files import read_file
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.trust.keys import PublicKey


class Asker:
    """Asks before what cannot be undone, unless everything was agreed to before."""

    def __init__(self, yes: bool) -> None:
        self._yes = yes

    def ask(self, what: str) -> None:
        """Say what will happen and wait for a yes; raise `Refused` (`refused-usage`) where nobody can answer."""
        if self._yes:
            return
        if not sys.stdin.isatty():
            raise Refused("refused-usage", f"{what} There is nobody to ask: give --yes if this is meant.")
        output.warn(what)
        typer.confirm("Go on?", abort=True, err=True)


def begin(operator: "OperatorClient", key: str | None, reason: str, asker: Asker) -> Any:
    """Revoke the old key."""
    if key is None:
        raise Refused("not-found-rotation", "No key is being rotated: name the one to begin with, and a --reason.")
    old = key_named(operator, key)
    if not reason.strip():
        raise Refused("refused-reason-missing", "This change needs a reason: say why with --reason.")
    asker.ask(
        f"Key {old['name']} {old['short_id']} will be revoked for ever: it signs nothing new, and every rollout of "
        "what it signed halts."
    )
    return operator.post("/api/v1/rotations", {"key_id": old["key_id"], "reason": reason})


def name_key(operator: "OperatorClient", rotation: Any, uri: str, name: str | None, ask_passphrase: bool) -> Any:
    """Make the new key, or open the one that is there, and have the server trust it."""
    import base64

    public_key = _new_public_key(uri, ask_passphrase)
    default_name = f"in place of {rotation['old_key']['name']}"
    body = {"name": name or default_name, "der_base64": base64.b64encode(public_key.der).decode("ascii")}
    return operator.post(f"{path_of(rotation)}/new-key", body)


def publish(
    operator: "OperatorClient",
    rotation: Any,
    path: Path,
    sku: str,
    version: str | None,
    keys: list[str],
    says: dict[str, Any],
) -> None:
    """Sign a transition release by the old key, the first of `keys`, and publish it; its manifest `says` that too."""
    import base64

    from surefoot.cli.publishing import sign_release, sign_targets
    from surefoot.trust.keys import PublicKey
    from surefoot.wire.version import Version

    data, signers = read_file(path), [open_key(uri) for uri in keys]
    if signers[0].public_key.key_id != rotation["old_key"]["key_id"]:
        detail = f"--old-key is key {signers[0].public_key.short_id}, not the one that is rotated: name that one."
        raise Refused("refused-transition", detail)
    new = PublicKey.from_der(base64.b64decode(rotation["new_key"]["der_base64"]))
    if says["version_floor"] is not None:
        says = {**says, "version_floor": Version.parse(says["version_floor"])}
    publication = sign_release(data, signers[0], sku, version, trusted_keys=(new.xy,), **says)
    targets = sign_targets(operator, publication, signers, None)
    operator.put_bytes(f"/api/v1/images/{publication.sha256}", data)
    release = operator.post(f"{path_of(rotation)}/transitions", publication.body(targets))
    output.warn(f"Published transition release {release['release_id']}: surefoot rollout start {release['release_id']}")


def destroy(operator: "OperatorClient", rotation: Any, asker: Asker) -> Any:
    """Mark the old key destroyed."""
    counts = rotation["counts"]
    asker.ask(
        f"Key {rotation['old_key']['short_id']} will be marked destroyed, and nothing that it signed is offered "
        f"any more. {counts['adopted']} robots trust the new key, and {counts['excluded']} are excluded."
    )
    return operator.post(f"{path_of(rotation)}/destroy", {})


def erase(rotation: Any, uri: str | None, asker: Asker) -> None:
    """Overwrite and remove the file of the old private key; `Refused` (`refused-usage`, `refused-file-unwritable`)."""
    scheme, colon, rest = (uri or "").partition(":")
    path = Path(rest if colon and scheme == "file" else uri or "")
    if uri is None or not path.is_file():
        raise Refused("refused-usage", "Only a file can be erased here: name the old key's by --old-key file:OLD.pem.")
    if open_key(uri).public_key.key_id != rotation["old_key"]["key_id"]:
        raise Refused("refused-usage", f"{path} holds another key than the one that was rotated: it is kept.")
    asker.ask(f"{path} will be overwritten and removed. Copies, backups and worn flash may still hold it.")
    try:
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        raise Refused("refused-file-unwritable", f"Cannot erase {path}: {error.strerror}.") from error
    output.warn(f"Erased {path}.")


def _new_public_key(uri: str, ask_passphrase: bool) -> "PublicKey":
    from surefoot.signing.signers import load_public_key, new_key

    path = Path(uri.removeprefix("file:"))
    if not uri.startswith("file:"):
        return open_key(uri).public_key
    if not path.exists():
        return new_key(path, ask_new_passphrase() if ask_passphrase else None)
    public_path = path.with_name(f"{path.name}.pub.der")
    return load_public_key(public_path) if public_path.exists() else open_key(uri).public_key
