"""`surefoot demo`: a demonstration fleet that updates itself before your eyes."""

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import command, example
from surefoot.cli.options import AsJson
from surefoot.wire.errors import Refused

if TYPE_CHECKING:
    from surefoot.sim.demonstration import Look, Summary
    from surefoot.sim.server_process import ServerProcess

HEADLESS_TIMEOUT_S = 300.0

app = command()


@app.command(
    epilog=example("surefoot demo --robots 20", "surefoot demo --robots 20 --headless --json", "surefoot demo --data d")
)
def demo(
    robots: Annotated[int, typer.Option("--robots", help="How many robots.", min=2, max=999)] = 20,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Directory to keep it in.", show_default="one that is removed at the end"),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Port of the server; 0 takes a free one.", min=0, max=65535)] = 0,
    headless: Annotated[bool, typer.Option("--headless", help="Stop when the rollout has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a server and a fleet of simulated robots, and bring them from 0.2.0 to 0.2.1 in compressed time.

    The robots' flash, bootloader and agent are byte for byte those of a real one, and so is the firmware. Without
    --headless the server and the robots stay up until Ctrl-C; a later start with the same --data goes on from there.
    """
    from surefoot.cli.client import connect
    from surefoot.sim.demonstration import SERVER_SETTINGS, Demonstration
    from surefoot.sim.server_process import ServerProcess, free_port

    with ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        directory = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="surefoot-demo-")))
        server = ServerProcess(directory, port or free_port(), SERVER_SETTINGS)
        server.start()
        stack.callback(server.stop)
        operator = stack.enter_context(connect(server=server.url, token_file=None, ca=None, data=directory))
        demonstration = Demonstration(directory, robots, server, operator)
        _say(as_json, f"Serving the fleet at {server.url}; {robots} robots, everything in {directory}.")
        rollout_id = demonstration.prepare()
        demonstration.pool.start()
        stack.callback(demonstration.pool.stop)
        states: set[str] = set()
        with _progress(as_json) as show:

            def show_unless_stopped(look: "Look") -> None:
                if stop.is_set():
                    raise KeyboardInterrupt
                states.add(look.rollout["state"])
                show(look)

            summary = demonstration.run(rollout_id, show_unless_stopped, HEADLESS_TIMEOUT_S if headless else None)
        output.show(asdict(summary), as_json, *_sentences(summary, watched="running" in states))
        if not headless:
            _stay(server, stop, as_json)
    if summary.divergent or summary.installed != summary.robots:
        raise Refused("demo-divergent", f"{summary.installed} of {summary.robots} installed: see the robots' records.")


def _sentences(summary: "Summary", *, watched: bool) -> list[str]:
    """Return how it ended; a rollout that an earlier start brought to its end took no time that was `watched`."""
    took = f" in {summary.seconds:g} s" if watched else ""
    ended = f"{summary.rolled_back} rolled back, {summary.silent} silent; the rollout is {summary.rollout}."
    return [
        f"{summary.installed} of {summary.robots} robots installed{took}, {ended}",
        f"Compared with what really stands in their flash, {summary.divergent} records are wrong.",
    ]


def _stay(server: "ServerProcess", stop: threading.Event, as_json: bool) -> None:
    _say(as_json, f"The server and the robots stay up at {server.url}; Ctrl-C stops them.")
    while not stop.wait(1.0):
        server.revive()
    _say(as_json, "Stopped.")


def _say(as_json: bool, sentence: str) -> None:
    if not as_json:
        output.show(None, False, sentence)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set: robots are to finish what they are about."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[["Look"], None]]:
    """Give what shows a look: a table that moves on a terminal, a line for each change otherwise, nothing for JSON."""
    import sys

    if as_json:
        yield lambda look: None
    elif sys.stdout.isatty():
        from rich.live import Live

        with Live(refresh_per_second=8) as live:
            yield lambda look: live.update(_picture(look))
    else:
        told: set[str] = set()

        def tell(look: "Look") -> None:
            line = f"{look.rollout['phase_name']}: {_counts(look)}"
            if line not in told:
                told.add(line)
                output.show(None, False, line)

        yield tell


def _counts(look: "Look") -> str:
    statuses = [robot["status"] for robot in look.robots]
    return ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(sorted(statuses)))


def _picture(look: "Look") -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    phases = [phase["name"] for phase in look.rollout["plan"]["phases"]]
    current = look.rollout["phase_name"]
    grid.add_row("phase", Text(" > ".join(f"[{name}]" if name == current else name for name in phases)))
    new = sum(robot["running_digest"] == robot["wanted_digest"] != None for robot in look.robots)  # noqa: E711
    bar = "█" * round(40 * new / max(1, len(look.robots)))
    grid.add_row("0.2.1 runs on", Text(f"{bar:<40} {new} of {len(look.robots)}"))
    grid.add_row("robots", Text(_counts(look)))
    grid.add_row("", Text(look.rollout["reason"]))
    return Group(grid)
