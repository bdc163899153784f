"""The `surefoot` command: finds the noun, runs the verb, and turns every failure into one sentence and an exit code."""

import errno
import shlex
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from surefoot import __version__
from surefoot.cli import output
from surefoot.cli.noun import NounGroup, example, noun
from surefoot.wire.errors import SurefootError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNEXPECTED = 70
EXIT_STOPPED = 130

# What a file system says of a place that a person named.
NO_BUGS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
}

# Said here, so that `surefoot --help` needs no import of what the nouns need.
NOUNS = {
    "up": "Start the update server.",
    "status": "See the fleet at a glance.",
    "demo": "Run a demonstration fleet through one staged rollout.",
    "key": "Make signing keys and tell the server which to trust.",
    "image": "Sign firmware and look into signed images.",
    "trust": "Vouch for releases with signed metadata (TUF).",
    "release": "Publish signed images for robots to install.",
    "rollout": "Bring a release to the fleet, phase by phase.",
    "incident": "See what went wrong with rollouts, and close it.",
    "robot": "Enrol robots and see what they run.",
    "account": "Say who may operate the fleet.",
    "token": "Make and revoke the tokens of accounts.",
    "webhook": "Tell other programs of rollouts and incidents.",
    "login": "Sign in and keep a token for the other commands.",
    "audit": "See who changed what, and check that the record is whole.",
    "backup": "Copy a server while it runs.",
    "restore": "Make a server of a backup.",
    "agent": "Run the agent that updates one robot.",
    "simulate": "Let a simulated world try to break the promise.",
}


def load_noun(name: str) -> Any:
    """Return the command behind a noun: the `app` of the module of that name."""
    return get_command(import_module(f"surefoot.cli.{name}").app)


class Nouns(NounGroup):
    """The nouns by name and one line each; a noun's module is imported when its turn comes."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, help_text in NOUNS.items():
            self.add_command(TyperCommand(name, help=help_text, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the noun that comes first, and load it."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        return name, stand_in if name is None else load_noun(name), rest


app = noun("Firmware updates for robot fleets whose record equals what the robots run.", Nouns, completes=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"surefoot {__version__}")
        raise typer.Exit


@app.callback(
    epilog=example("surefoot up", "surefoot status", "surefoot robot list --status silent", "surefoot demo --robots 20")
)
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected failure.")] = False,
) -> None:
    """Both options have done their work before this is called."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 is success, 1 a failure with a code, 2 a command line that makes no sense, 70 a bug, 130 a stop by Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Looked up by hand: the answer must have this shape even where the command line cannot be read.
    as_json = "--json" in words
    try:
        result = get_command(app).main(args=words, prog_name="surefoot", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SurefootError as error:
        output.show_error(error.code, error.message, as_json)
        return EXIT_FAILED
    except typer.TyperException as error:
        output.show_error("refused-usage", _usage_sentence(error), as_json)
        return EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        output.warn("Stopped.")
        return EXIT_STOPPED
    except OSError as error:
        if error.errno not in NO_BUGS or error.filename is None:
            return _unexpected(error, words, as_json)
        output.show_error("refused-file-unwritable", f"Cannot use {error.filename}: {error.strerror}.", as_json)
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001  # the last line of defence: nobody above this would say what happened
        return _unexpected(error, words, as_json)


def _unexpected(error: Exception, words: list[str], as_json: bool) -> int:
    if "--debug" in words:
        traceback.print_exception(error)
    remedy = f"this is a bug in Surefoot: run `{shlex.join(['surefoot', '--debug', *words])}` for the traceback"
    output.show_error("unexpected", f"{type(error).__name__}: {error}; {remedy}.", as_json)
    return EXIT_UNEXPECTED


def _usage_sentence(error: typer.TyperException) -> str:
    # Typer says these two words before what a person can use.
    fact = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    # Only usage errors know the context they happened in.
    context: Any = getattr(error, "ctx", None)
    if not context:
        return f"{fact}."
    # "Did you mean …?" ends its sentence by itself.
    link = " See" if fact.endswith("?") else ": see"
    return f"{fact}{link} `{context.command_path} --help`."
