"""Passwords as commands take them: typed by a person, or from standard input; never on a command line."""

import sys
from typing import Annotated

import typer

from surefoot.wire.errors import Refused

FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Take the password from standard input, a line, instead of asking.")
]


def new_password(from_stdin: bool) -> str:
    """Return a new password, asked for twice; raise `Refused` (`refused-password-missing`) where nobody can answer."""
    return _line() if from_stdin else _ask("New password", twice=True)


def current_password(from_stdin: bool) -> str:
    """Return a password that is known already; raise as `new_password`."""
    return _line() if from_stdin else _ask("Password", twice=False)


def _line() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Refused("refused-password-missing", "There is no line on standard input: write the password there.")
    return line


def _ask(prompt: str, *, twice: bool) -> str:
    if not sys.stdin.isatty():
        detail = "There is nobody to ask for a password: run this in a terminal, or give --password-stdin."
        raise Refused("refused-password-missing", detail)
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
