"""`surefoot key`: signing keys, and which of them the server trusts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import key_rotation, output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.signers import ask_new_passphrase, open_key

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient
    from surefoot.trust.keys import PublicKey

app = noun("Make signing keys and tell the server which to trust.")
app.add_typer(key_rotation.app, name="rotation")
app.command(
    epilog=example(
        'surefoot key rotate release-2026 --reason "laptop stolen"',
        "surefoot key rotate --new-key file:release-2027.pem --name release-2027",
        "surefoot key rotate --image robot.img --sku standard --old-key file:release-2026.pem",
    )
)(key_rotation.rotate)


@app.command(
    epilog=example("surefoot key new --output release.pem --passphrase", "surefoot key new --output build.pem --json")
)
def new(
    path: Annotated[Path, typer.Option("--output", help="Private key to write (PEM, mode 0600); nothing is replaced.")],
    ask_passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase and encrypt the private key with it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key pair: the private key for the signer, the public one (.pub.der beside it) for server and robots."""
    from surefoot.signing.signers import new_key

    key = new_key(path, ask_new_passphrase() if ask_passphrase else None)
    public_path = path.with_name(path.name + ".pub.der")
    value = {
        "key_id": key.key_id,
        "private_key": str(path),
        "public_key": str(public_path),
        "encrypted": ask_passphrase,
    }
    output.show(
        value,
        as_json,
        f"Made key {key.short_id}.",
        output.facts([("private key", f"{path} (keep it off the server)"), ("public key", public_path)]),
        f"Next: surefoot key trust {public_path} --name {path.stem}",
    )


@app.command(
    epilog=example(
        "surefoot key show release.pem.pub.der",
        "surefoot key show 'hsm:7?label=release' --output release.pub.der",
    )
)
def show(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Public key file, or signer URI such as hsm:7?label=TOKEN.")
    ],
    target: Annotated[
        Path | None, typer.Option("--output", help="Also write the public key there (DER); nothing is replaced.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a public key: the one in a file, or the one that belongs to a signer."""
    public_key = _public_key_of(key)
    if target is not None:
        from surefoot.signing.files import write_new_file

        write_new_file(target, public_key.der, 0o644)
    value = {
        "key_id": public_key.key_id,
        "xy": public_key.xy.hex(),
        "public_key": None if target is None else str(target),
    }
    pairs = [("key id", public_key.key_id), ("X and Y", public_key.xy.hex()), ("written to", target)]
    output.show(value, as_json, output.facts(pairs if target else pairs[:2]))


@app.command(epilog=example("surefoot key trust release.pem.pub.der --name release-2026"))
@with_operator
def trust(
    operator: "OperatorClient",
    path: Annotated[Path, typer.Argument(metavar="PUBLIC_KEY", help="Public key file, DER or PEM (ECDSA P-256).")],
    name: Annotated[str, typer.Option("--name", help="What people call this key.")],
    as_json: AsJson = False,
) -> None:
    """Have the server accept releases that this key signs; robots trust the keys they were provisioned with."""
    import base64

    from surefoot.signing.signers import load_public_key

    key = load_public_key(path)
    answer = operator.post("/api/v1/keys", {"name": name, "der_base64": base64.b64encode(key.der).decode("ascii")})
    output.show(answer, as_json, f"The server trusts key {key.short_id} as {name}.")


@app.command("list", epilog=example("surefoot key list --json"))
@with_operator
def list_keys(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the keys the server knows, oldest first."""
    answer = operator.get("/api/v1/keys")
    rows = [
        (key["name"], key["state"], key["key_id"][:16], output.time_text(key["added_at_s"])) for key in answer["keys"]
    ]
    table = output.Table(
        ("NAME", "STATE", "KEY ID", "ADDED"), rows, empty="No key is trusted yet: add one with `surefoot key trust`."
    )
    output.show(answer, as_json, table)


def _public_key_of(key: str) -> "PublicKey":
    from surefoot.signing.signers import load_public_key
    from surefoot.wire.errors import Refused

    if ":" in key:
        return open_key(key).public_key
    try:
        return load_public_key(Path(key))
    except Refused as error:
        if error.code != "refused-key-format":
            raise
        return open_key(key).public_key
