"""Passphrases and PINs where nobody can be asked: in a file, never on a command line or in the environment itself."""

import os
from collections.abc import Callable
from pathlib import Path

from surefoot.signing.files import read_file
from surefoot.wire.errors import Refused

SECRET_FILE_VARIABLE = "SUREFOOT_SIGNER_SECRET_FILE"  # noqa: S105 - the name of a variable that holds a path


def secret_source(ask_person: Callable[[str], str] | None) -> Callable[[str], str] | None:
    """Return what a signer asks for its passphrase or PIN: the file named in the environment, or else the person."""
    path = os.environ.get(SECRET_FILE_VARIABLE)
    if not path:
        return ask_person
    return lambda _prompt: _first_line(Path(path))


def _first_line(path: Path) -> str:
    try:
        return read_file(path).partition(b"\n")[0].decode().rstrip("\r")
    except UnicodeDecodeError:
        raise Refused("refused-passphrase", f"{path} holds no text in UTF-8: write the secret into it.") from None
