"""What every noun of the command line is made with, so that all of them look and fail alike."""

from typing import Any

import typer
from typer.core import TyperGroup


class NounGroup(TyperGroup):
    """A group that answers a bare call with its help, on stderr and with exit code 2, as nothing was done."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the verb; show the help when there is nothing at all."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)


def noun(help_text: str, group: type[NounGroup] = NounGroup, *, completes: bool = False) -> typer.Typer:
    """Return the app that a noun's verbs are registered in; one that `completes` sets up the shell's completion."""
    # Plain help: the same words piped and on a terminal, and no time spent on drawing boxes.
    app = typer.Typer(
        cls=group,
        help=help_text,
        rich_markup_mode=None,
        add_completion=completes,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    # A noun with one verb so far is a group all the same.
    app.callback()(_no_options)
    return app


def command(help_text: str = "") -> typer.Typer:
    """Return the app of a noun that is a command itself, such as `surefoot up`: register one function in it."""
    return typer.Typer(
        help=help_text or None,
        rich_markup_mode=None,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )


def example(*commands: str) -> str:
    """Return the epilog that shows these commands, each on a line of its own."""
    title = "Example:" if len(commands) == 1 else "Examples:"
    # A lone backspace keeps the help from joining the lines below it into a paragraph.
    return "\b\n" + "\n".join([title, *(f"  {line}" for line in commands)])


def _no_options() -> None:
    pass
