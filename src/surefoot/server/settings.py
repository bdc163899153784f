"""What can be set about a server.

By argument, by environment variable `SUREFOOT_` and the name in capitals, or in a configuration file.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from surefoot.server.config_file import read_config
from surefoot.wire import limits
from surefoot.wire.errors import Refused

PREFIX = "SUREFOOT_"
CONFIG_VARIABLE = "SUREFOOT_CONFIG"


class ServerSettings(BaseSettings):
    """Where a server keeps things, where it listens, and what it lets in."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_dir: Path = Field(default=Path("var/surefoot"), description="Directory for everything the server keeps.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=8443, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https://[^/\s]+$",
        description="https://HOST:PORT under which robots reach the server; by default where it listens.",
    )
    database_url: str | None = Field(default=None, description="Database; by default SQLite in the data directory.")
    next_check_s: int = Field(default=21600, ge=1, description="Seconds after which an idle robot asks again.")
    next_check_jitter_s: int = Field(default=1800, ge=0, description="Seconds over which those questions are spread.")
    busy_check_s: int = Field(default=60, ge=1, description="Seconds after which a robot amid an update asks again.")
    tick_s: float = Field(default=1.0, gt=0, description="Seconds between two looks at the rollouts.")
    image_bytes_max: int = Field(
        default=limits.IMAGE_BYTES_MAX, ge=1, description="Largest image to take in, in bytes."
    )
    request_bytes_max: int = Field(
        default=1024 * 1024, ge=1024, description="Largest request of an operator, images excepted, in bytes."
    )
    body_timeout_s: float = Field(default=30, gt=0, description="Seconds a request's body may take to arrive.")
    image_timeout_s: float = Field(default=600, gt=0, description="Seconds an image may take to arrive.")
    stop_timeout_s: int = Field(default=5, ge=1, description="Seconds open requests get when the server stops.")
    access_log: bool = Field(default=False, description="Whether to log every request.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level to log.")
    log_format: Literal["text", "json"] = Field(default="text", description="One line per event: text, or JSON.")


def load_settings(config_path: Path | None = None, **given: Any) -> ServerSettings:
    """Return the settings: arguments first, then environment, then the configuration file, then defaults.

    Args:
        config_path: The configuration file; when None, the one that `SUREFOOT_CONFIG` names, if it names any.
        given: Settings by name; those that are None count as absent.

    Raises:
        Refused: `refused-settings` naming the first setting that is wrong, and its line, but never its value;
            `refused-file-unreadable`.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    path = config_path or (Path(named) if named else None)
    config = None if path is None else read_config(path)
    values = (
        {} if config is None else {name: config.values[name] for name in config.values if not _in_environment(name)}
    )
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return ServerSettings(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "together"
        if config is not None and name in config.values and values.get(name) is config.values[name]:
            raise config.refuse(name, first["msg"]) from None
        raise Refused("refused-settings", f"The setting {name} is wrong: {first['msg']}.") from None


def _in_environment(name: str) -> bool:
    # As pydantic-settings reads them: without regard to case.
    return any(variable.upper() == f"{PREFIX}{name}".upper() for variable in os.environ)
