"""Does what a page says, in a folder of its own, and compares all it prints with what the page shows."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.consoles import Command, Translation, masked

# Rollouts move on at the next tick of the server: what only looks may look again.
LOOKS_MAX = 20
LOOKING = ("surefoot rollout list", "surefoot rollout status")


def do_all(commands: list[Command], folder: Path) -> None:
    """Do the commands in order; the first one runs on until the last is done."""
    translation = Translation()
    first, *others = commands
    assert first.stays_up
    with _kept_up(first, folder, translation):
        for command in others:
            _do(command, folder, translation)


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUREFOOT_")}
    own = {"SUREFOOT_PORT": "0", "SUREFOOT_BROKER": "none"}
    return inherited | own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@contextmanager
def _kept_up(command: Command, folder: Path, translation: Translation) -> Iterator[None]:
    """Start what runs on, check what it says first, and stop it with Ctrl-C in the end."""
    words = command.text.split()
    words[0] = str(shutil.which(words[0], path=_environment()["PATH"]))
    with subprocess.Popen(
        words, cwd=folder, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            printed = [running.stdout.readline().rstrip("\n") for _ in command.shown]
            assert masked(printed) == masked(command.shown)
            translation.learn(command.shown, printed)
            yield
        finally:
            running.send_signal(signal.SIGINT)
            _, log = running.communicate(timeout=30)
    assert running.returncode == 0, log


def _run(command: str, folder: Path) -> list[str]:
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    # A page may show how a command fails; nothing else may fail.
    assert done.returncode == 0 or done.stdout.startswith("error: "), f"{command}\n{done.stdout}"
    return done.stdout.splitlines()


def _do(command: Command, folder: Path, translation: Translation) -> None:
    text = translation.apply(command.text)
    printed = _run(text, folder)
    for _ in range(LOOKS_MAX if text.startswith(LOOKING) else 0):
        if masked(printed) == masked(command.shown):
            break
        printed = _run(text, folder)
    assert masked(printed) == masked(command.shown), "\n".join([f"$ {text}", *printed])
    translation.learn(command.shown, printed)
