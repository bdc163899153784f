"""The answer to `/ota/trigger`: whether the robot looks for an update now."""

from pathlib import Path

from surefoot.agent.preflight import Conditions, held_by
from surefoot.shell.agent_process import ask_agent
from surefoot.shell.https import https_parts
from surefoot.wire.codes import CODES
from surefoot.wire.errors import Refused


def answer_trigger(url: str, server: str, directory: Path, conditions: Conditions) -> tuple[bool, str]:
    """Let the agent check now, if the url is its own server's; return whether it does, and a sentence.

    Whoever can call a service of the robot must not be able to choose where it gets its firmware, so a url is compared
    and never followed. An empty one stands for the server that the agent has.
    """
    if url and not _same_server(url, server):
        return False, f"Refused: the url is not at this robot's fleet server {server}. Leave it empty, or correct it."
    unasked = ask_agent(directory)
    if unasked is not None:
        return False, f"Not accepted: {unasked}."
    held = held_by(conditions)
    if held is not None:
        return True, f"The agent asks its server now; an update would wait with {held}: {CODES[held]}"
    return True, "The agent asks its server now."


def _same_server(url: str, server: str) -> bool:
    try:
        return https_parts(url)[:2] == https_parts(server)[:2]
    except (Refused, ValueError):
        return False
