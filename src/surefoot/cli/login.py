"""`surefoot login`: turn an account's password into a token for the commands."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli import output
from surefoot.cli.account_passwords import FromStdin, current_password
from surefoot.cli.noun import command, example
from surefoot.cli.options import DEFAULT_DATA, AsJson, Ca, Data, Server

app = command()


@app.command(
    epilog=example("surefoot login anna --token-output my.token", "export SUREFOOT_TOKEN_FILE=my.token"),
)
def login(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name of your account.")],
    token_path: Annotated[Path, typer.Option("--token-output", help="New file (mode 0600) for the token.")],
    days: Annotated[int, typer.Option("--days", help="Days for which the token is valid.")] = 1,
    password_stdin: FromStdin = False,
    server: Server = None,
    ca: Ca = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Sign in with your password and keep a token that the other commands use; the password is asked for."""
    from surefoot.cli.client import connect_with_password
    from surefoot.cli.token import write_token

    password = current_password(password_stdin)
    with connect_with_password(account, password, server=server, ca=ca, data=data) as operator:
        body = {"label": f"surefoot login on {socket.gethostname()}"[:64], "days": days}
        answer = operator.post("/api/v1/tokens", body)
        write_token(operator, token_path, answer)
    value = {**{name: of for name, of in answer.items() if name != "token"}, "token_file": str(token_path)}
    until = output.time_text(answer["expires_at_s"])
    output.show(
        value,
        as_json,
        f"Signed in as {account}; a token valid until {until} is in {token_path}.",
        f"Next: export SUREFOOT_TOKEN_FILE={token_path}",
    )
