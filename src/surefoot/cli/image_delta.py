"""`surefoot image delta`: make what leads robots from one image to the next, without most of its bytes."""

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli import output
from surefoot.cli.noun import example
from surefoot.cli.options import AsJson
from surefoot.shell.files import read_file

EPILOG = example("surefoot image delta --from robot-0.2.0.img --to robot-0.2.1.img --output 0.2.0-to-0.2.1.delta")


def delta(
    source: Annotated[Path, typer.Option("--from", help="Signed image whose firmware robots run.")],
    target: Annotated[Path, typer.Option("--to", help="Signed image they shall get.")],
    result: Annotated[Path, typer.Option("--output", help="Delta to write.")],
    as_json: AsJson = False,
) -> None:
    """Make a delta, which a robot applies to the image it runs instead of downloading the new one whole.

    The delta needs no key: a robot judges what comes out of it by the new image's own signature.
    """
    from surefoot.signing.delta import make_delta
    from surefoot.signing.files import replace_file
    from surefoot.wire.delta import HEAD_BYTES, DeltaHead
    from surefoot.wire.image_header import ImageHeader

    target_file = read_file(target)
    data = make_delta(read_file(source), target_file)
    replace_file(result, data)
    head = DeltaHead.parse(data[:HEAD_BYTES])
    share_percent = round(100 * len(data) / len(target_file), 1)
    value = {
        "output": str(result),
        "size_bytes": len(data),
        "share_percent": share_percent,
        "source_digest": head.source_digest,
        "target_digest": ImageHeader.parse(head.header).digest,
    }
    output.show(
        value,
        as_json,
        f"Made {result}.",
        output.facts(
            [
                ("size", f"{len(data)} bytes, {share_percent} % of the image"),
                ("from digest", value["source_digest"]),
                ("to digest", value["target_digest"]),
            ]
        ),
    )
