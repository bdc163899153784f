"""What can be set about a server.

By argument, by environment variable `SUREFOOT_` and the name in capitals, or in a configuration file.
"""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from surefoot.fleet.aws_delivery import parse_delivery
from surefoot.server.config_file import read_config
from surefoot.wire import limits
from surefoot.wire.errors import Refused

PREFIX = "SUREFOOT_"
CONFIG_VARIABLE = "SUREFOOT_CONFIG"
# What commands read, which are no settings of a server.
COMMAND_VARIABLES = frozenset(
    {CONFIG_VARIABLE} | {f"{PREFIX}{name}" for name in ("SERVER", "TOKEN", "TOKEN_FILE", "CA", "SIGNER_SECRET_FILE")}
)


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
    database_url: str | None = Field(
        default=None,
        description="Database, such as postgresql://USER@HOST/NAME; by default SQLite in the data directory.",
    )
    blobs_url: str | None = Field(
        default=None,
        description="Object store for images, such as s3://BUCKET/PREFIX, with its provider's own environment "
        "variables for credentials; by default a folder in the data directory.",
    )
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
    header_timeout_s: float = Field(default=10, gt=0, description="Seconds a request's headers may take to arrive.")
    idle_timeout_s: int = Field(default=75, ge=1, description="Seconds a connection may stay open between requests.")
    connections_max: int = Field(default=20_000, ge=1, description="Connections open at once in one process.")
    downloads_per_day: int = Field(default=100, ge=1, description="Downloads a robot may take in a day (UTC).")
    poll_cache_robots: int = Field(
        default=100_000, ge=1, description="Robots at rest to remember in one process; 1 KB each."
    )
    deltas_per_release: int = Field(
        default=4, ge=0, le=64, description="Versions in the field that deltas to a release are made from; 0 for none."
    )
    enrolment_code_s: int = Field(default=86400, ge=60, description="Seconds for which an enrolment code is good.")
    factory_ca: Path | None = Field(
        default=None, description="Certificates (PEM) of factories whose robots may enrol without a code."
    )
    proxy_certificate_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9-]*$",
        description="Header in which a proxy passes a robot's certificate: URL-encoded PEM.",
    )
    proxy_addresses: str = Field(
        default="", description="Addresses or networks that header is believed from: 10.0.0.5,fd00::/8."
    )
    stop_timeout_s: int = Field(default=5, ge=1, description="Seconds open requests get when the server stops.")
    session_idle_s: int = Field(default=3600, ge=60, description="Seconds without a request that end a session.")
    session_s: int = Field(default=43200, ge=60, description="Seconds after which a session ends in any case.")
    login_window_s: int = Field(default=900, ge=1, description="Seconds over which failed logins are counted.")
    login_account_max: int = Field(default=10, ge=1, description="Failed logins an account may have in that time.")
    login_address_max: int = Field(default=50, ge=1, description="Failed logins an address may have in that time.")
    token_days_max: int = Field(default=366, ge=1, description="Days an API token may be valid at most.")
    oidc_issuer: str | None = Field(
        default=None, pattern=r"^https://\S+$", description="Identity provider people sign in at; by default none."
    )
    oidc_client_id: str | None = Field(default=None, description="What the identity provider calls this server.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="The secret the identity provider gave this server; better in a file."
    )
    oidc_client_secret_file: Path | None = Field(default=None, description="File with that secret.")
    oidc_scope: str = Field(default="openid email profile", description="Scopes to ask the identity provider for.")
    oidc_name_claim: str = Field(default="email", description="Claim of the id token that names the account.")
    oidc_groups_claim: str = Field(default="groups", description="Claim of the id token that lists groups.")
    oidc_roles: str = Field(
        default="", description="Role by group, strongest first: fleet-admins=admin,engineers=publisher,*=viewer."
    )
    oidc_ca: Path | None = Field(default=None, description="Certificate (PEM) that vouches for the provider.")
    cdn_purge_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="Where to POST {sha256, urls} when a release is recalled."
    )
    webhook_private_addresses: bool = Field(
        default=False, description="Whether webhooks may go to addresses that are not public."
    )
    metrics_need_token: bool = Field(default=True, description="Whether GET /metrics needs a token that may read.")
    broker: str = Field(
        default="auto",
        pattern=r"^(auto|none|mqtts://[A-Za-z0-9.:\[\]_-]+:[0-9]{1,5})$",
        description="MQTT broker: auto runs Mosquitto if it is on the machine, none goes without, and "
        "mqtts://HOST:PORT is one that runs elsewhere.",
    )
    broker_path: Path | None = Field(default=None, description="The program mosquitto; by default where it usually is.")
    broker_plugin: Path | None = Field(
        default=None,
        description="The built contrib/mosquitto-direct-replies: devices made for AWS IoT then hear answers that they "
        "did not subscribe to.",
    )
    aws_delivery: str = Field(
        default="",
        description="How devices made for AWS IoT get images, by sku: standard=HTTP,arm=MQTT+HTTP,*=MQTT; by default "
        "all by MQTT.",
    )
    broker_port: int = Field(
        default=8883, ge=0, le=65535, description="Port for robots with a certificate at the broker; 0 picks one."
    )
    broker_password_port: int = Field(
        default=8884, ge=0, le=65535, description="Port for robots with a token at the broker; 0 picks one."
    )
    broker_connections_max: int = Field(
        default=20_000, ge=1, description="Connections open at once on each of these two ports."
    )
    broker_ca: Path | None = Field(
        default=None, description="Certificate (PEM) that vouches for a broker elsewhere; by default the fleet CA's."
    )
    broker_certificate: Path | None = Field(
        default=None,
        description="The server's key and certificate chain (PEM, one file) at a broker elsewhere; by default of the "
        "fleet CA.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer; more than one use more cores.")
    access_log: bool = Field(default=False, description="Whether to log every request.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level to log.")
    log_format: Literal["text", "json"] = Field(default="text", description="One line per event: text, or JSON.")

    @field_validator("proxy_addresses")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        try:
            for network in networks_of(text):
                ip_network(network)
        except ValueError:
            # The library's own words repeat what was written.
            raise ValueError("one of them is no address and no network") from None
        return text

    @field_validator("aws_delivery")
    @classmethod
    def _is_delivery(cls, text: str) -> str:
        parse_delivery(text)
        return text


def networks_of(text: str) -> list[str]:
    """Return the addresses and networks of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def settings_to_object(settings: ServerSettings) -> dict[str, Any]:
    """Return all settings as plain JSON, secrets included: for a process that is to serve by the same ones."""
    secrets = {name: value for name, value in settings if isinstance(value, SecretStr)}
    return settings.model_dump(mode="json") | {name: value.get_secret_value() for name, value in secrets.items()}


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
            raise config.refuse(name, _why(first)) from None
        raise Refused("refused-settings", f"The setting {name} is wrong: {_why(first)}.") from None


def unknown_variables() -> list[str]:
    """Return the variables of the environment that look like settings and are none: somebody mistyped them."""
    known = COMMAND_VARIABLES | {f"{PREFIX}{name}".upper() for name in ServerSettings.model_fields}
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def _why(error: Any) -> str:
    """Return what is wrong with a setting in words that a person understands, without its value."""
    match error["type"]:
        case "extra_forbidden":
            return "there is no such setting"
        case "string_pattern_mismatch":
            description = ServerSettings.model_fields[error["loc"][0]].description or ""
            return f"it takes another form ({description.rstrip('.')})"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")


def _in_environment(name: str) -> bool:
    # As pydantic-settings reads them: without regard to case.
    return any(variable.upper() == f"{PREFIX}{name}".upper() for variable in os.environ)
