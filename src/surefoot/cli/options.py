"""Options that many commands share, and the open client that those talking to the server get."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="SUREFOOT_DATA_DIR", help="The server's data directory, where the rest is found."),
]
Server = Annotated[
    str | None,
    typer.Option("--server", envvar="SUREFOOT_SERVER", help="Address of the server, https://…", show_default=False),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="SUREFOOT_TOKEN_FILE",
        help="File with your operator token; the token itself may also be in SUREFOOT_TOKEN.",
    ),
]
Ca = Annotated[
    Path | None,
    typer.Option("--ca", envvar="SUREFOOT_CA", help="Certificate (PEM) that vouches for the server."),
]

# The same name and value as the server's own setting.
DEFAULT_DATA = Path("var/surefoot")

_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_CONNECTION = (
    inspect.Parameter("server", _KEYWORD, default=None, annotation=Server),
    inspect.Parameter("token_file", _KEYWORD, default=None, annotation=TokenFile),
    inspect.Parameter("ca", _KEYWORD, default=None, annotation=Ca),
    inspect.Parameter("data", _KEYWORD, default=DEFAULT_DATA, annotation=Data),
)


def with_operator(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an open `OperatorClient` first, and the options that say which server it is for.

    The command's other parameters become options as usual; they need defaults or come as arguments.
    """

    @functools.wraps(command)
    def run(*, server: str | None, token_file: Path | None, ca: Path | None, data: Path, **rest: Any) -> None:
        from surefoot.cli.client import connect

        with connect(server=server, token_file=token_file, ca=ca, data=data) as operator:
            command(operator, **rest)

    _, *own = inspect.signature(command).parameters.values()
    parameters = [*(parameter.replace(kind=_KEYWORD) for parameter in own), *_CONNECTION]
    # What Typer reads in place of the wrapper's own.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
