"""`surefoot token`: tokens with which machines and commands prove who they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli import output
from surefoot.cli.files import write_new_secret
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.fleet.access import Permission

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("Make and revoke the tokens of accounts.")

TokenOutput = Annotated[
    Path | None,
    typer.Option("--token-output", help="New file (mode 0600) for the token.", show_default="print it once"),
]


@app.command(
    epilog=example(
        'surefoot token create --account build-server --label "build server" --scope publish --scope read '
        "--token-output build.token",
    )
)
@with_operator
def create(
    operator: "OperatorClient",
    label: Annotated[str, typer.Option("--label", help="What it is for, for people.")],
    account: Annotated[
        str | None, typer.Option("--account", help="Whose token it is.", show_default="your own account")
    ] = None,
    scope: Annotated[
        list[Permission] | None,
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help=f"What it allows, repeatable: {', '.join(Permission)}.",
            show_default="all that the account's role allows",
        ),
    ] = None,
    days: Annotated[int, typer.Option("--days", help="Days for which it is valid.")] = 90,
    token_path: TokenOutput = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, shown this once; the server keeps only its SHA-256."""
    body = {"label": label, "account": account, "scopes": scope or None, "days": days}
    answer = operator.post("/api/v1/tokens", body)
    until = output.time_text(answer["expires_at_s"])
    if token_path is None:
        output.show(answer, as_json, f"Token {answer['token_id']}, valid until {until}:", answer["token"])
        return
    write_token(operator, token_path, answer)
    value = {**{name: of for name, of in answer.items() if name != "token"}, "token_file": str(token_path)}
    output.show(value, as_json, f"Token {answer['token_id']}, valid until {until}, is in {token_path}.")


@app.command("list", epilog=example("surefoot token list", "surefoot token list --account build-server --json"))
@with_operator
def list_tokens(
    operator: "OperatorClient",
    account: Annotated[str | None, typer.Option("--account", help="Only this account's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, newest first: your own, or as an admin everyone's."""
    query: dict[str, str | int] = {} if account is None else {"account": account}
    tokens = operator.get_all("/api/v1/tokens", "tokens", **query)
    rows = [
        (
            token["token_id"],
            token["account"],
            token["label"],
            ", ".join(token["scopes"]),
            output.time_text(token["expires_at_s"]),
            "revoked" if token["revoked_at_s"] is not None else "active",
            output.time_text(token["used_at_s"]),
        )
        for token in tokens
    ]
    headings = ("TOKEN", "ACCOUNT", "LABEL", "SCOPES", "VALID UNTIL", "STATE", "LAST USED")
    empty = "There is no token yet: make one with `surefoot token create`."
    output.show({"tokens": tokens}, as_json, output.Table(headings, rows, empty=empty))


@app.command(epilog=example("surefoot token revoke 01M80MESQEXQG8P22F2RM5ENC0"))
@with_operator
def revoke(
    operator: "OperatorClient",
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `surefoot token list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """End a token for good."""
    from surefoot.cli.client import url_part

    answer = operator.delete(f"/api/v1/tokens/{url_part(token_id)}")
    output.show(answer, as_json, f"Token {token_id} is revoked.")


def write_token(operator: "OperatorClient", path: Path, answer: dict[str, str]) -> None:
    """Write a new token to its file; revoke it where that cannot be done, as nobody would have it.

    Raises:
        Refused: `refused-file-exists`, `refused-file-unwritable`.
    """
    try:
        write_new_secret(path, answer["token"].encode("ascii") + b"\n")
    except Exception:
        operator.delete(f"/api/v1/tokens/{answer['token_id']}")
        raise
