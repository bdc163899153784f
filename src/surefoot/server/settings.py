"""What can be set about a server: by argument, or by environment variable `SUREFOOT_` and the name in capitals."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from surefoot.wire import limits
from surefoot.wire.errors import Refused


class ServerSettings(BaseSettings):
    """Where a server keeps things, where it listens, and what it lets in."""

    model_config = SettingsConfigDict(env_prefix="SUREFOOT_", frozen=True, extra="forbid")

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


def load_settings(**given: Any) -> ServerSettings:
    """Return the settings from arguments, then environment, then defaults; arguments that are None count as absent.

    Raises:
        Refused: `refused-settings` naming the first setting that is wrong, never its value.
    """
    try:
        return ServerSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise Refused("refused-settings", f"The setting {name} is wrong: {first['msg']}.") from None
