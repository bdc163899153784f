"""The `--key` option, and the opening of the signer behind it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.signing.signers import Signer

Key = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="URI",
        help="Private key to sign with: file:key.pem, or hsm:, awskms:, gcpkms:, azurekms:, vault: and its name there.",
    ),
]


def open_key(uri: str) -> "Signer":
    """Open the signer; its passphrase or PIN comes from SUREFOOT_SIGNER_SECRET_FILE, or from the person at hand."""
    from surefoot.signing.secret_file import secret_source
    from surefoot.signing.signers import open_signer

    return open_signer(uri, secret_source(_ask if sys.stdin.isatty() else None))


def ask_new_passphrase() -> str:
    """Ask twice for the passphrase of a new key; raise `Refused` (`refused-passphrase`) where nobody can answer."""
    if not sys.stdin.isatty():
        raise Refused("refused-passphrase", "There is nobody to ask for a passphrase: run this in a terminal.")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))


def _ask(prompt: str) -> str:
    return str(typer.prompt(prompt, hide_input=True, prompt_suffix="", err=True))
