"""The tutorial, done as written: every command in order, and everything it prints compared with the page."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs.consoles import Command, Translation, commands_of, masked

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
# Rollouts move on at the next tick of the server: what only looks may look again.
LOOKS_MAX = 20
LOOKING = ("surefoot rollout list", "surefoot rollout status")


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SUREFOOT_")}
    return inherited | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "SUREFOOT_PORT": "0"}


@contextmanager
def kept_up(command: Command, folder: Path, translation: Translation) -> Iterator[None]:
    """Start what runs on, check what it says first, and stop it with Ctrl-C in the end."""
    words = command.text.split()
    words[0] = str(shutil.which(words[0], path=environment()["PATH"]))
    with subprocess.Popen(
        words, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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


def run(command: str, folder: Path) -> list[str]:
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout.splitlines()


def do(command: Command, folder: Path, translation: Translation) -> None:
    text = translation.apply(command.text)
    printed = run(text, folder)
    for _ in range(LOOKS_MAX if text.startswith(LOOKING) else 0):
        if masked(printed) == masked(command.shown):
            break
        printed = run(text, folder)
    assert masked(printed) == masked(command.shown), f"$ {text}"
    translation.learn(command.shown, printed)


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    translation = Translation()
    first, *others = commands_of(PAGE)
    assert first.stays_up and len(others) > 10
    with kept_up(first, tmp_path, translation):
        for command in others:
            do(command, tmp_path, translation)


def test_a_page_is_read_as_commands_and_their_output(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n```console stays-up\n$ up\nready\n```\n```console\n$ a\n$ b\nx\n\ny\n```\n")
    assert commands_of(page) == [
        Command(text="up", shown=("ready",), stays_up=True),
        Command(text="a", shown=(), stays_up=False),
        Command(text="b", shown=("x", "", "y"), stays_up=False),
    ]


def test_what_a_run_printed_is_used_in_later_commands() -> None:
    shown = ("release 01M80MESQEXQG8P22F2RM5ENC0 at https://127.0.0.1:8443",)
    printed = ["release 01M80MHKZ599KJQYGD1Q5F4P7J at https://127.0.0.1:45427"]
    assert masked(shown) == masked(printed) == ["release <id> at <url>"]
    translation = Translation()
    translation.learn(shown, printed)
    assert translation.apply("start 01M80MESQEXQG8P22F2RM5ENC0") == "start 01M80MHKZ599KJQYGD1Q5F4P7J"
