"""The pages of what people set and type: settings and the command line."""

import contextlib
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

from scripts.docs_markdown import code, doc, fenced, first_sentence, page, table

from surefoot.cli.main import NOUNS, load_noun, main
from surefoot.server.settings import ServerSettings
from surefoot.shell.agent_config import CONFIG_FILE, AgentConfig

# A command with these options and no others.
SHARING = ("trust", "show")
SHARED_INTRO = (
    "Every command takes `-h`, and nearly every one `--json`. Those with SERVER OPTIONS in their usage take all of "
    "these:"
)


def settings() -> str:
    """Return the page of what can be set about a server and an agent."""
    server = [
        (code(f"SUREFOOT_{name.upper()}"), _default(field.default), field.description, _bounds(field.metadata))
        for name, field in ServerSettings.model_fields.items()
    ]
    agent = [(code(field.name), _default_of(field)) for field in dataclasses.fields(AgentConfig)]
    return page(
        "Settings",
        "## Server",
        first_sentence(ServerSettings) + " Each is an environment variable, and a line of the configuration file under "
        "its name in small letters without `SUREFOOT_`. `surefoot up` has options for some: an option goes before the "
        "environment, and the environment before the file.",
        table(("variable", "default", "meaning", "limits"), server),
        "## Agent",
        f"{doc(AgentConfig)} The file is `{CONFIG_FILE}` in the robot's directory; `surefoot agent init` writes it.",
        table(("key", "default"), agent),
    )


def command_line() -> str:
    """Return the page of every command's help, as the command prints it, but with what many share said once."""
    shared = [option for option in _options(_help(*SHARING)) if not option.lstrip().startswith("-h")]
    common = {_words(option) for option in _options(_help(*SHARING))}
    blocks = [doc(main), fenced(_help()), "## Options of many commands", SHARED_INTRO, fenced("".join(shared))]
    for noun in NOUNS:
        blocks += [f"## surefoot {noun}", fenced(_own(_help(noun), common))]
        for verb, command in getattr(load_noun(noun), "commands", {}).items():
            blocks += [f"### surefoot {noun} {verb}", fenced(_own(_help(noun, verb), common))]
            for further in getattr(command, "commands", {}):
                blocks += [f"#### surefoot {noun} {verb} {further}", fenced(_own(_help(noun, verb, further), common))]
    return page("Command line", *blocks)


def _options(text: str) -> list[str]:
    """Return the options that a help names, each with all its lines."""
    _, _, listed = text.partition("\nOptions:\n")
    return re.findall(r"^  -.*\n(?:^ {4,}.*\n)*", listed.partition("\n\n")[0] + "\n", re.MULTILINE)


def _own(text: str, common: set[str]) -> str:
    """Return a help without the options that many commands share."""
    talks_to_server = False
    for option in _options(text):
        if _words(option) in common:
            text = text.replace(option, "", 1)
            talks_to_server |= option.startswith("  --token-file")
    if talks_to_server:
        text = re.sub(r"^(Usage: .*?)\[OPTIONS\]", r"\1[OPTIONS] [SERVER OPTIONS]", text)
    return re.sub(r"\nOptions:\n(?=\n|$)", "", text)


def _words(option: str) -> str:
    return " ".join(option.split())


def _help(*words: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([*words, "--help"])
    return printed.getvalue()


def _bounds(metadata: list[Any]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most"}
    return ", ".join(
        f"{word} {getattr(bound, sign)}" for bound in metadata for sign, word in words.items() if hasattr(bound, sign)
    )


def _default_of(field: "dataclasses.Field[Any]") -> str:
    return "required" if field.default is dataclasses.MISSING else _default(field.default)


def _default(value: Any) -> str:
    match value:
        case None | () | "":
            return "none"
        case bool():
            return "true" if value else "false"
        case Path():
            return code(value.as_posix())
        case float():
            return code(f"{value:g}")
        case _:
            return code(value)
