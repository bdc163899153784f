"""`surefoot backup`: copy a server, while it runs, to where another can be made from the copy."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from surefoot.cli import output
from surefoot.cli.noun import command, example

if TYPE_CHECKING:
    from surefoot.store.backup import Copied

ServerData = Annotated[
    Path | None,
    typer.Option("--data", help="The server's data directory.", show_default="SUREFOOT_DATA_DIR, or var/surefoot"),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="The server's configuration file.", show_default="SUREFOOT_CONFIG, or none"),
]

app = command()


@app.command(
    epilog=example(
        "surefoot backup --output /backups/monday",
        "surefoot backup --config /etc/surefoot/server.toml --data /var/lib/surefoot --output /backups/monday",
    )
)
def backup(
    target: Annotated[Path, typer.Option("--output", help="Directory to make; nothing may be there yet.")],
    data: ServerData = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Copy all rows, images and keys of a server, which may go on running meanwhile.

    The rows are those of one moment. The copy holds the fleet CA's private key, the server's metadata key and the
    operator token: whoever may read it can pose as the server. `surefoot restore` makes a server of it again.
    """
    from surefoot.server.backup import back_up_server
    from surefoot.server.settings import load_settings

    settings = load_settings(config, data_dir=data)
    with Progress(sys.stderr, shown=not as_json) as progress:
        copied = back_up_server(settings, target, progress.tell)
    show_copied(copied, as_json, f"The backup is complete: {target} (secret).", backup=str(target))


def show_copied(copied: "Copied", as_json: bool, sentence: str, **places: str) -> None:
    """Print what was copied."""
    robots = copied.rows.get("robots", 0)
    value = {**places, "rows": copied.rows, "images": copied.images}
    rows = sum(copied.rows.values())
    output.show(value, as_json, sentence, output.facts([("robots", robots), ("rows", rows), ("images", copied.images)]))


class Progress:
    """One line on a terminal that says what was copied last, and is gone in the end; nothing where nobody watches."""

    def __init__(self, stream: TextIO, *, shown: bool) -> None:
        self._stream = stream
        self._shown = shown and stream.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")

    def tell(self, what: str) -> None:
        """Replace what the line says."""
        self._write(f"Copied {output.printable(what)}")

    def _write(self, text: str) -> None:
        if self._shown:
            # Back to the line's begin, and erase to its end.
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()
