"""`surefoot account`: who may operate the fleet."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.account_passwords import FromStdin, current_password, new_password
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson, with_operator
from surefoot.fleet.access import Role

if TYPE_CHECKING:
    from surefoot.cli.client import OperatorClient

app = noun("Say who may operate the fleet.")

Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name of the account.")]
RoleOption = Annotated[Role, typer.Option("--role", metavar="ROLE", help=f"What it is for: {', '.join(Role)}.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the audit log.")]


@app.command(
    epilog=example(
        "surefoot account add anna --role operator",
        "surefoot account add build-server --role publisher --no-password",
    )
)
@with_operator
def add(
    operator: "OperatorClient",
    name: Name,
    role: RoleOption = Role.VIEWER,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For a machine: it gets tokens with `surefoot token create`.")
    ] = False,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Make an account; its password is asked for."""
    body: dict[str, Any] = {"name": name, "role": role}
    if not no_password:
        body["password"] = new_password(password_stdin)
    answer = operator.post("/api/v1/accounts", body)
    output.show(answer, as_json, f"Made the account {name} with the role {role}.")


@app.command("list", epilog=example("surefoot account list --json"))
@with_operator
def list_accounts(operator: "OperatorClient", as_json: AsJson = False) -> None:
    """List the accounts, oldest first."""
    accounts = operator.get_all("/api/v1/accounts", "accounts")
    rows = [
        (
            account["name"],
            account["role"],
            "disabled" if account["disabled"] else "active",
            _way(account),
            output.time_text(account["created_at_s"]),
        )
        for account in accounts
    ]
    table = output.Table(
        ("ACCOUNT", "ROLE", "STATE", "SIGNS IN", "MADE"),
        rows,
        empty="There is no account yet: make one with `surefoot account add`.",
    )
    output.show({"accounts": accounts}, as_json, table)


@app.command("set-role", epilog=example('surefoot account set-role anna --role approver --reason "new duty"'))
@with_operator
def set_role(
    operator: "OperatorClient", name: Name, role: RoleOption, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Give an account another role, at once for its sessions and tokens too."""
    answer = operator.post(_path(name, "role"), {"role": role, "reason": reason})
    output.show(answer, as_json, f"{name} has the role {role}.")


@app.command(epilog=example('surefoot account disable anna --reason "left the company"'))
@with_operator
def disable(operator: "OperatorClient", name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """Shut an account out, with its sessions and tokens."""
    answer = operator.post(_path(name, "disable"), {"reason": reason})
    output.show(answer, as_json, f"{name} is disabled: its sessions have ended and its tokens open nothing.")


@app.command(epilog=example("surefoot account enable anna"))
@with_operator
def enable(operator: "OperatorClient", name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let an account in again, with the tokens it had."""
    answer = operator.post(_path(name, "enable"), {"reason": reason})
    output.show(answer, as_json, f"{name} is enabled.")


@app.command(
    epilog=example(
        "surefoot account passwd anna",
        "surefoot account passwd anna --revoke-tokens",
        "surefoot account passwd anna --own --token-file my.token",
    )
)
@with_operator
def passwd(
    operator: "OperatorClient",
    name: Name,
    own: Annotated[
        bool, typer.Option("--own", help="It is your own and you are no admin: ask for the one you have first.")
    ] = False,
    revoke_tokens: Annotated[
        bool, typer.Option("--revoke-tokens", help="End the account's tokens as well, for good.")
    ] = False,
    password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:
    """Change an account's password; all its sessions end, and its tokens if that is asked for."""
    body: dict[str, Any] = {"current_password": current_password(password_stdin)} if own else {}
    body |= {"password": new_password(password_stdin), "revoke_tokens": revoke_tokens}
    answer = operator.post(_path(name, "password"), body)
    count = answer["active_tokens"]
    kept = [f"Its tokens stay valid, {count} of them: see `surefoot token list`, or --revoke-tokens."] if count else []
    ended = "its sessions and tokens have ended" if revoke_tokens else "its sessions have ended"
    output.show(answer, as_json, f"{name} has another password; {ended}.", *kept)


def _path(name: str, change: str) -> str:
    from surefoot.cli.client import url_part

    return f"/api/v1/accounts/{url_part(name)}/{change}"


def _way(account: dict[str, Any]) -> str:
    if account["at_identity_provider"]:
        return "at the identity provider"
    return "with a password" if account["has_password"] else "with tokens only"
