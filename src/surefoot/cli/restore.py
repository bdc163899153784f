"""`surefoot restore`: make a server of a backup, also on another machine, and on another kind of database."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.backup import Config, Progress, ServerData, show_copied
from surefoot.cli.noun import command, example

app = command()


@app.command(
    epilog=example(
        "surefoot restore /backups/monday --data /var/lib/surefoot",
        "surefoot restore /backups/monday --config /etc/surefoot/server.toml --data /var/lib/surefoot",
    )
)
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `surefoot backup` made.", show_default=False)],
    data: ServerData = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Bring a backup into an empty data directory and an empty database, and change nothing that holds anything.

    The settings say where: the database may be of another kind than the one that the backup is of, and so may the
    storage of images. Robots trust the restored server as they did the old one, whose address it must have.
    """
    from surefoot.server.backup import restore_server
    from surefoot.server.settings import load_settings

    settings = load_settings(config, data_dir=data)
    with Progress(sys.stderr, shown=not as_json) as progress:
        copied = restore_server(source, settings, progress.tell)
    sentence = f"The backup is restored: start the server with `surefoot up --data {settings.data_dir}`."
    show_copied(copied, as_json, sentence, data=str(settings.data_dir))
