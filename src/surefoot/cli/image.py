"""`surefoot image`: sign firmware, and look into what was signed. Needs no server."""

from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.files import read_file
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson
from surefoot.cli.signers import Key, open_key

app = noun("Sign firmware and look into signed images.")


@app.command(
    epilog=example("surefoot image sign --input build/robot.bin --key file:key.pem --output robot.img --version 0.2.1")
)
def sign(
    source: Annotated[Path, typer.Option("--input", help="Firmware as the build made it, such as an ESP-IDF image.")],
    key: Key,
    target: Annotated[Path, typer.Option("--output", help="Signed image to write.")],
    version: Annotated[str, typer.Option("--version", help="MAJOR.MINOR.PATCH; must be the one the build has inside.")],
    as_json: AsJson = False,
) -> None:
    """Put the signed header that robots verify in front of a firmware."""
    from surefoot.signing.image import sign_file
    from surefoot.wire.version import Version

    wanted = Version.parse(version)
    signer = open_key(key)
    header = sign_file(source, target, wanted, signer)
    value = {
        "output": str(target),
        "version": str(header.version),
        "size_bytes": header.size_bytes,
        "digest": header.digest,
        "key_id": signer.public_key.key_id,
    }
    output.show(
        value,
        as_json,
        f"Signed {target}.",
        output.facts(
            [
                ("version", header.version),
                ("firmware", f"{header.size_bytes} bytes"),
                ("digest", header.digest),
                ("key", signer.public_key.short_id),
            ]
        ),
    )


@app.command(
    epilog=example("surefoot image inspect robot.img", "surefoot image inspect robot.img --public-key key.pem.pub.der")
)
def inspect(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Signed image.")],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Also check the signature with this public key (DER or PEM).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a signed image says about itself and whether it is true; exit code 1 if something is not."""
    from surefoot.cli.inspection import look_into
    from surefoot.signing.signers import load_public_key

    key = None if public_key is None else load_public_key(public_key)
    findings: dict[str, Any] = look_into(read_file(path), key)
    problems: list[str] = findings["problems"]
    pairs = [(name.replace("_", " "), value) for name, value in findings.items() if name != "problems"]
    output.show(findings, as_json, output.facts(pairs), *(f"problem: {problem}" for problem in problems))
    if problems:
        raise typer.Exit(1)
