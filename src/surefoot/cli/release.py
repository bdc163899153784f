"""`surefoot release`: publish signed images. The private key signs here and never leaves this process."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.files import read_file
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.signers import Key, open_key

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("Publish signed images for robots to install.")


@app.command(
    epilog=example(
        "surefoot release publish --image robot.img --sku standard --key file:key.pem",
        "surefoot release publish --image robot.img --sku standard --key file:key.pem --version-floor 0.2.0 --json",
    )
)
@with_operator
def publish(
    operator: "OperatorClient",
    *,
    path: Annotated[Path, typer.Option("--image", help="Signed image, as `surefoot image sign` writes it.")],
    sku: Annotated[str, typer.Option("--sku", help="Hardware type the image is made for.")],
    key: Key,
    name: Annotated[str | None, typer.Option("--name", help="Name of the release.", show_default="SKU-VERSION")] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="What changed, in a sentence or two.")] = None,
    version_floor: Annotated[
        str | None,
        typer.Option("--version-floor", help="Lowest version a robot accepts once it has confirmed this one."),
    ] = None,
    protocol: Annotated[
        int | None, typer.Option("--protocol", help="Protocol the firmware speaks with its companion.", min=0)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the image's manifest, upload the image and publish it; no robot installs it before a rollout starts."""
    from surefoot.cli.publishing import sign_manifest
    from surefoot.wire.manifest import signed_manifest_to_object

    image = read_file(path)
    sha256, manifest = sign_manifest(
        image, open_key(key), sku=sku, name=name, notes=notes, version_floor=version_floor, protocol=protocol
    )
    operator.put_bytes(f"/api/v1/images/{sha256}", image)
    release = operator.post(
        "/api/v1/releases", {"sku": sku, "sha256": sha256, "manifest": signed_manifest_to_object(manifest)}
    )
    output.show(
        release,
        as_json,
        f"Published {release['version']} for {sku} as release {release['release_id']}.",
        f"Next: surefoot rollout start {release['release_id']}",
    )


@app.command("list", epilog=example("surefoot release list"))
@with_operator
def list_releases(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the published releases, newest first."""
    answer = operator.get("/api/v1/releases")
    rows = [
        (
            release["release_id"],
            release["sku"],
            release["version"],
            release["digest"][:16],
            release["stable"],
            output.time_text(release["published_at_s"]),
        )
        for release in answer["releases"]
    ]
    table = output.Table(
        ("RELEASE", "SKU", "VERSION", "DIGEST", "STABLE", "PUBLISHED"),
        rows,
        empty="Nothing is published yet: publish an image with `surefoot release publish`.",
    )
    output.show(answer, as_json, table)
