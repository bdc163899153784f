"""`surefoot release`: publish signed images. The private key signs here and never leaves this process."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.cli.signers import Key, open_key
from surefoot.shell.files import read_file

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
    path: Annotated[Path, typer.Option("--image", help="Signed image, or another format that `image inspect` knows.")],
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
    version: Annotated[str | None, typer.Option("--version", help="For a file that names no version itself.")] = None,
    companion_versions: Annotated[
        list[str] | None,
        typer.Option(
            "--companion", metavar="VERSION", help="Companion it works with, a line (0.1) or one (0.1.4); repeatable."
        ),
    ] = None,
    from_version_min: Annotated[
        str | None, typer.Option("--from-version-min", help="Lowest running version it can be installed over.")
    ] = None,
    delta_sources: Annotated[
        list[str] | None,
        typer.Option(
            "--delta-source", metavar="DIGEST", help="Digest of an image that deltas are made from; repeatable."
        ),
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option("--expires", formats=["%Y-%m-%d"], help="Day (UTC) from which nobody begins it.")
    ] = None,
    targets_keys: Annotated[
        list[str] | None,
        typer.Option("--targets-key", metavar="URI", help="Further key that signs the metadata; repeatable."),
    ] = None,
    draft: Annotated[
        Path | None, typer.Option("--metadata", help="File for metadata that others must sign before it is published.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign manifest and metadata, upload the image and publish it; no robot installs it before a rollout starts."""
    from surefoot.cli.publishing import sign_release, sign_targets
    from surefoot.wire.version import Version

    image = read_file(path)
    signers = [open_key(uri) for uri in (key, *(targets_keys or ()))]
    says: dict[str, object] = {
        "notes": notes,
        "version_floor": None if version_floor is None else Version.parse(version_floor),
        "protocol": protocol,
        "companion_versions": tuple(companion_versions or ()),
        "from_version_min": None if from_version_min is None else Version.parse(from_version_min),
        "delta_sources": tuple(delta_sources or ()),
        "expires_at_s": None if expires is None else int(expires.replace(tzinfo=UTC).timestamp()),
    }
    if name is not None:
        says["name"] = name
    publication = sign_release(image, signers[0], sku, version, **says)
    targets = sign_targets(operator, publication, signers, draft)
    operator.put_bytes(f"/api/v1/images/{publication.sha256}", image)
    release = operator.post("/api/v1/releases", publication.body(targets))
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
    releases = operator.get_all("/api/v1/releases", "releases")
    rows = [
        (
            release["release_id"],
            release["sku"],
            release["version"],
            release["digest"][:16],
            "recalled" if release["recalled_at_s"] else release["stable"],
            release["deltas"],
            output.time_text(release["published_at_s"]),
        )
        for release in releases
    ]
    table = output.Table(
        ("RELEASE", "SKU", "VERSION", "DIGEST", "STABLE", "DELTAS", "PUBLISHED"),
        rows,
        empty="Nothing is published yet: publish an image with `surefoot release publish`.",
    )
    output.show({"releases": releases}, as_json, table)


@app.command(
    epilog=example(
        'surefoot release recall RELEASE_ID --reason "arms lose their calibration"',
        'surefoot release recall RELEASE_ID --reason "arms lose their calibration" --roll-back',
    )
)
@with_operator
def recall(
    operator: "OperatorClient",
    release_id: Annotated[str, typer.Argument(metavar="RELEASE_ID", help="See `surefoot release list`.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays with the incidents and in the audit log.")],
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Lead robots that run it back to what they ran before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a release back for good: its rollouts halt, its image cannot be downloaded, nobody is offered it again."""
    from surefoot.cli.client import url_part

    answer = operator.post(
        f"/api/v1/releases/{url_part(release_id)}/recall", {"reason": reason, "roll_back": roll_back}
    )
    release, way_back = answer["release"], answer["way_back_rollout_id"]
    halted = len(answer["halted_rollout_ids"])
    following = [f"Robots go back by rollout {way_back}."] if way_back else []
    output.show(
        answer,
        as_json,
        f"Recalled {release['version']} for {release['sku']}; {halted} of its rollouts halted now.",
        *following,
        "Next: surefoot incident list",
    )
