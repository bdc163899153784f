"""The tutorial, done as written: every command in order, and everything it prints compared with the page."""

from pathlib import Path

from docs.consoles import Command, Translation, commands_of, masked
from docs.doing import do_all
from docs.pages import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
GOES_ON = ROOT / "docs" / "how-to" / "read-the-gates.md"


def test_the_tutorial_does_what_it_says_and_so_does_the_page_that_goes_on_from_it(tmp_path: Path) -> None:
    commands, more = commands_of(PAGE), commands_of(GOES_ON)
    assert len(commands) > 10 and len(more) > 10
    do_all(commands + more, tmp_path)


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
