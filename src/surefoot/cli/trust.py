"""`surefoot trust`: metadata (TUF) that offline keys sign, so that not even the server can pass off a release.

Documents are files that are handed from key holder to key holder; only the last step needs the server.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output, trust_keys
from surefoot.cli.files import write_file
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.signers import Key, open_key
from surefoot.shell.files import read_file
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.signing.metadata import RoleKeys
    from surefoot.signing.signers import Signer

ROOT_FILE = "root.json"
TARGETS_FILE = "targets.json"

app = noun("Vouch for releases with signed metadata (TUF).")
app.command(
    "replace-key",
    epilog=example(
        "surefoot trust replace-key OLD_KEY_ID --new-key file:new.pem --root-key file:root.pem --output next"
    ),
)(trust_keys.replace_key)
app.command(
    "replace-server-key",
    epilog=example("surefoot trust replace-server-key --root-key file:root.pem --output next"),
)(trust_keys.replace_server_key)


@app.command(
    epilog=example(
        "surefoot trust init --root-key file:root.pem --targets-key file:release.pem --output metadata",
        "surefoot trust init --root-key file:a.pem --root-public b.pub.der --root-threshold 2 --targets-key file:c.pem "
        "--output metadata",
    )
)
@with_operator
def init(
    operator: "OperatorClient",
    *,
    folder: Annotated[Path, typer.Option("--output", help="Folder for root.json and targets.json; made if needed.")],
    root_keys: Annotated[
        list[str], typer.Option("--root-key", metavar="URI", help="Key that signs the root now; repeatable.")
    ],
    targets_keys: Annotated[
        list[str], typer.Option("--targets-key", metavar="URI", help="Key that signs lists of targets; repeatable.")
    ],
    root_publics: Annotated[
        list[Path] | None,
        typer.Option("--root-public", metavar="<path>", help="Public half of a root key that others hold; repeatable."),
    ] = None,
    root_threshold: Annotated[int, typer.Option("--root-threshold", help="Root keys that must sign.", min=1)] = 1,
    targets_publics: Annotated[
        list[Path] | None,
        typer.Option(
            "--targets-public", metavar="<path>", help="Public half of a targets key that others hold; repeatable."
        ),
    ] = None,
    targets_threshold: Annotated[
        int, typer.Option("--targets-threshold", help="Targets keys that must sign.", min=1)
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Make the first root and an empty list of targets, signed by the keys at hand; nothing is sent yet."""
    import base64

    from surefoot.signing import metadata
    from surefoot.trust.keys import PublicKey

    now = datetime.now(UTC)
    root_signers = [open_key(uri) for uri in root_keys]
    targets_signers = [open_key(uri) for uri in targets_keys]
    online = PublicKey.from_der(base64.b64decode(operator.get("/api/v1/metadata")["online_key_der_base64"]))
    root = metadata.make_root(
        _role_keys(root_signers, root_publics, root_threshold),
        _role_keys(targets_signers, targets_publics, targets_threshold),
        online,
        now,
    )
    targets = metadata.make_targets(now)
    for document, signers, name in ((root, root_signers, ROOT_FILE), (targets, targets_signers, TARGETS_FILE)):
        for signer in signers:
            metadata.endorse(document, signer)
        if (folder / name).exists():
            raise Refused("refused-file-exists", f"{folder / name} exists: choose another folder for a new root.")
        write_file(folder / name, document.to_bytes())
    signed = len(root_signers) >= root_threshold and len(targets_signers) >= targets_threshold
    first = "" if signed else "have others sign with `surefoot trust sign`, then "
    value = {"root": str(folder / ROOT_FILE), "targets": str(folder / TARGETS_FILE), "online_key_id": online.key_id}
    output.show(
        value,
        as_json,
        f"Made {value['root']} and {value['targets']}; the server's own key is {online.short_id}.",
        f"Next: {first}surefoot trust publish {folder}",
        f"Companions need {value['root']} as metadata_root.",
    )


@app.command(epilog=example("surefoot trust sign metadata/root.json --key file:second.pem"))
def sign(
    path: Annotated[Path, typer.Argument(metavar="DOCUMENT", help="Root or list of targets; it is signed in place.")],
    key: Key,
    as_json: AsJson = False,
) -> None:
    """Add a signature to a document, after showing what it says."""
    from surefoot.signing.metadata import endorse

    document, signer = _read(path), open_key(key)
    value = _describe(document)
    if not as_json:
        print(output.facts(list(value.items())))
    endorse(document, signer)
    write_file(path, document.to_bytes())
    value["signatures"] = sorted(document.signatures)
    output.show(value, as_json, f"Key {signer.public_key.short_id} signed {path}: {len(document.signatures)} in all.")


@app.command(epilog=example("surefoot trust publish metadata", "surefoot trust publish metadata/targets.json"))
@with_operator
def publish(
    operator: "OperatorClient",
    paths: Annotated[
        list[Path], typer.Argument(metavar="DOCUMENT", help="Signed documents, or the folder with root and targets.")
    ],
    as_json: AsJson = False,
) -> None:
    """Send signed documents to the server, which takes them only when enough keys signed."""
    files = [path / name for path in paths if path.is_dir() for name in (ROOT_FILE, TARGETS_FILE)]
    body = {}
    for path in files + [path for path in paths if not path.is_dir()]:
        document = _read(path)
        body[document.signed.type] = document.to_bytes().decode()
    answer = operator.post("/api/v1/metadata", body)
    output.show(answer, as_json, "The server took the metadata.", _table(answer))


@app.command(epilog=example("surefoot trust renew targets --key file:release.pem --output metadata/targets.json"))
@with_operator
def renew(
    operator: "OperatorClient",
    role: Annotated[str, typer.Argument(metavar="ROLE", help="root or targets.")],
    key: Key,
    path: Annotated[Path, typer.Option("--output", help="File for the document; publish it when enough signed.")],
    as_json: AsJson = False,
) -> None:
    """Sign the newest root or list of targets again, with its whole lifetime before it."""
    import json

    from surefoot.signing import metadata

    signer = open_key(key)
    found = [shown for shown in operator.get("/api/v1/metadata")["documents"] if shown["role"] == role]
    if not found or role not in ("root", "targets"):
        raise Refused("refused-metadata-missing", f"There is no {role} to renew: see `surefoot trust show`.")
    document = _parse(json.dumps(operator.get(f"/v1/metadata/{found[0]['name']}")).encode())
    if not metadata.is_endorsed_by(document, signer.public_key):
        detail = f"This key never signed the server's {role}, which may be anybody's: renew with the key that did."
        raise Refused("refused-metadata-signature", detail)
    following = metadata.renewed(document, datetime.now(UTC))
    metadata.endorse(following, signer)
    write_file(path, following.to_bytes())
    value = _describe(following)
    output.show(value, as_json, output.facts(list(value.items())), f"Next: surefoot trust publish {path}")


@app.command(epilog=example("surefoot trust show --json"))
@with_operator
def show(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """Show the newest metadata, when it expires, and whose keys sign it."""
    answer = operator.get("/api/v1/metadata")
    state = "set up" if answer["set_up"] else "not set up: companions go by the manifest's key alone"
    listed = [("metadata", state), ("server's own key", answer["online_key_id"]), ("targets", answer["targets"])]
    unnamed = [shown for shown in answer["documents"] if shown["role"] == "timestamp"]
    # Until a root names it, the server can sign nothing new, and companions take the news for stale within a day.
    remedy = [
        "The root does not name the server's own key. Next: surefoot trust replace-server-key"
        for shown in unnamed
        if answer["online_key_id"] not in shown["key_ids"]
    ]
    output.show(answer, as_json, output.facts(listed), _table(answer), *remedy)


def _table(answer: Any) -> output.Table:
    rows = [
        (
            shown["role"],
            shown["version"],
            output.time_text(shown["expires_at_s"]),
            f"{shown['threshold']} of {len(shown['key_ids'])}",
            ", ".join(key_id[:16] for key_id in shown["key_ids"]),
        )
        for shown in answer["documents"]
    ]
    remedy = "Set it up with `surefoot trust init`."
    return output.Table(("ROLE", "VERSION", "EXPIRES", "SIGNATURES", "KEYS"), rows, empty=remedy)


def _role_keys(signers: "list[Signer]", publics: list[Path] | None, threshold: int) -> "RoleKeys":
    from surefoot.signing.metadata import RoleKeys
    from surefoot.signing.signers import load_public_key

    held = [signer.public_key for signer in signers]
    return RoleKeys(keys=(*held, *(load_public_key(path) for path in publics or ())), threshold=threshold)


def _read(path: Path) -> Any:
    return _parse(read_file(path))


def _parse(data: bytes) -> Any:
    from tuf.api.metadata import Root, Targets

    from surefoot.signing.metadata import read_metadata

    try:
        return read_metadata(Root, data)
    except Refused:
        return read_metadata(Targets, data)


def _describe(document: Any) -> dict[str, Any]:
    """Return what a key holder must know of a document before signing it."""
    signed = document.signed
    value: dict[str, Any] = {"role": signed.type, "version": signed.version, "expires": f"{signed.expires:%Y-%m-%d}"}
    if signed.type == "root":
        for name, role in signed.roles.items():
            value[name] = f"{role.threshold} of {', '.join(key_id[:16] for key_id in role.keyids)}"
    else:
        value["targets"] = ", ".join(sorted(signed.targets))
    return value
