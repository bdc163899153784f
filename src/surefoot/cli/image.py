"""`surefoot image`: sign firmware, and look into what was signed. Needs no server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from surefoot.cli import image_delta, output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson
from surefoot.cli.signers import Key, open_key
from surefoot.shell.files import read_file
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.trust.keys import KeyRing

app = noun("Sign firmware and look into signed images.")
app.command(epilog=image_delta.EPILOG)(image_delta.delta)


@app.command(
    epilog=example(
        "surefoot image sign --input build/robot.bin --key file:key.pem --output robot.img --version 0.2.1",
        "surefoot image sign --format mcuboot --input zephyr.bin --header-bytes 512 --key file:key.pem"
        " --output arm.img --version 1.4.0",
    )
)
def sign(
    source: Annotated[Path, typer.Option("--input", help="Firmware as the build made it, such as an ESP-IDF image.")],
    key: Key,
    target: Annotated[Path, typer.Option("--output", help="Signed image to write.")],
    version: Annotated[str, typer.Option("--version", help="MAJOR.MINOR.PATCH; must be the one the build has inside.")],
    image_format: Annotated[
        Literal["robo", "esp-idf", "mcuboot"],
        typer.Option("--format", help="robo: Surefoot's header; esp-idf: Secure Boot v2, ECDSA; mcuboot: its header."),
    ] = "robo",
    header_bytes: Annotated[
        int,
        typer.Option("--header-bytes", help="mcuboot: zero bytes the build left in front; without them, 32 are added."),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Sign a firmware in the form its robots verify."""
    from surefoot.signing.image import SigningPlan, sign_file
    from surefoot.wire.version import Version

    if header_bytes and image_format != "mcuboot":
        raise Refused("refused-usage", f"--header-bytes is for --format mcuboot, not {image_format}: leave it out.")
    wanted = Version.parse(version)
    signer = open_key(key)
    plan = SigningPlan(format=image_format, header_bytes=header_bytes)
    payload = sign_file(source, target, wanted, signer, plan)
    value = {
        "output": str(target),
        "format": payload.format,
        "version": str(wanted),
        "size_bytes": payload.size_bytes,
        "digest": payload.digest,
        "key_id": signer.public_key.key_id,
    }
    output.show(
        value,
        as_json,
        f"Signed {target}.",
        output.facts(
            [
                ("format", payload.format),
                ("version", wanted),
                ("firmware", f"{payload.size_bytes} bytes"),
                ("digest", payload.digest),
                ("key", signer.public_key.short_id),
            ]
        ),
    )


@app.command(
    epilog=example("surefoot image inspect robot.img", "surefoot image inspect robot.img --public-key key.pem.pub.der")
)
def inspect(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Image of any format that Surefoot knows.")],
    public_keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--public-key",
            metavar="<path>",
            help="Also check signatures with this public key (DER or PEM); repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of an image, told by its bytes; exit code 1 if something it says is not true."""
    from surefoot.cli.inspection import look_into
    from surefoot.cli.inspection_page import show_findings

    findings = look_into(read_file(path), _ring_of(public_keys) if public_keys else None)
    if as_json:
        output.show(findings, as_json)
    else:
        show_findings(findings)
    if findings["problems"]:
        raise typer.Exit(1)


@app.command(epilog=example("surefoot image verify robot.img --public-key release.pub.der"))
def verify(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Image of any format that Surefoot knows.")],
    public_keys: Annotated[
        list[Path], typer.Option("--public-key", metavar="<path>", help="Public key to trust (DER or PEM); repeatable.")
    ],
    as_json: AsJson = False,
) -> None:
    """Refuse an image that none of these keys signed, or whose parts disagree, as the server would."""
    from surefoot.trust.payload import check_payload

    payload = check_payload(read_file(path), _ring_of(public_keys))
    if payload.key_id is None:
        detail = f"{path} ({payload.format}) has no signature that these keys could have made: sign it."
        raise Refused("refused-signature", detail)
    value = {
        "format": payload.format,
        "version": None if payload.version is None else str(payload.version),
        "digest": payload.digest,
        "size_bytes": payload.size_bytes,
        "key_id": payload.key_id,
    }
    output.show(value, as_json, f"Key {payload.key_id[:16]} signed {path}: {payload.format}, digest {payload.digest}.")


def _ring_of(paths: "list[Path]") -> "KeyRing":
    from surefoot.signing.signers import load_public_key
    from surefoot.trust.keys import KeyRing

    return KeyRing(keys=tuple(load_public_key(path) for path in paths))
