"""`surefoot up`: start the update server and stay until it is stopped."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import command, example
from surefoot.cli.options import DEFAULT_DATA, AsJson

app = command()


@app.command(
    epilog=example(
        "surefoot up",
        "surefoot up --config /etc/surefoot/server.toml",
        "surefoot up --data /var/lib/surefoot --host 0.0.0.0 --public-url https://updates.example.org:8443",
    )
)
def up(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data directory.", show_default=f"SUREFOOT_DATA_DIR, or {DEFAULT_DATA}"),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="Address to listen on.", show_default="SUREFOOT_HOST, or 127.0.0.1"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="Port; 0 takes a free one.", show_default="SUREFOOT_PORT, or 8443"),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            "--public-url",
            help="https://HOST:PORT under which robots reach the server.",
            show_default="SUREFOOT_PUBLIC_URL, or where it listens",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Processes that answer.", show_default="SUREFOOT_WORKERS, or 1"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration file (TOML).", show_default="SUREFOOT_CONFIG, or none"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the update server; Ctrl-C stops it cleanly, and a later start goes on where it stopped.

    The first start makes what is missing in the data directory: database, image store, fleet CA and operator token.
    More can be set in a configuration file and by environment variables, see the reference of settings. What is given
    here goes before the environment, and the environment before the file.
    """
    from surefoot.server.logs import configure_logging
    from surefoot.server.serve import serve
    from surefoot.server.settings import load_settings

    # What is not given here comes from the file and the environment, which the settings read themselves.
    settings = load_settings(config, data_dir=data, host=host, port=port, public_url=public_url, workers=workers)
    configure_logging(settings.log_level, settings.log_format)
    serve(settings, on_ready=lambda url: _say_ready(url, settings.data_dir, as_json))


def _say_ready(url: str, data: Path, as_json: bool) -> None:
    from surefoot.cli.client import CA_FILE, SERVER_FILE, TOKEN_FILE

    # Written before anybody is told that the server listens.
    server = json.loads((data / SERVER_FILE).read_text(encoding="utf-8"))
    value = {
        "url": url,
        "data": str(data),
        "ca": str(data / CA_FILE),
        "operator_token": str(data / TOKEN_FILE),
        "broker_url": server["broker_url"],
        "broker_password_url": server["broker_password_url"],
    }
    output.show(
        value,
        as_json,
        f"Serving the fleet at {url}; Ctrl-C stops.",
        output.facts(
            [
                ("CA for robots and operators", value["ca"]),
                ("operator token", f"{value['operator_token']} (secret)"),
                *_broker(value),
            ]
        ),
    )


def _broker(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who may use which address of the broker."""
    if value["broker_url"] is None:
        return [("MQTT broker", "none: robots hear of updates when they ask over HTTPS")]
    by_certificate = f"{value['broker_url']} (robots and AWS IoT devices with a certificate of the fleet CA)"
    if value["broker_password_url"] is None:
        return [("MQTT broker", by_certificate)]
    by_token = f"{value['broker_password_url']} (robots with a token: the robot id is the user name)"
    return [("MQTT by certificate", by_certificate), ("MQTT by token", by_token)]
