from pathlib import Path

import pytest

from surefoot.shell.agent_config import CONFIG_FILE, AgentConfig, config_text, mqtt_address, read_config
from surefoot.wire.errors import Refused

LEAST = 'robot_id = "r"\nsku = "s"\nserver = "https://fleet.test"\ntoken_file = "token"\n'


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 2000], ids=["digits", "nesting"])
def test_a_number_or_a_nesting_beyond_measure_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / CONFIG_FILE).write_text(f"robot_id = {value}\n")
    with pytest.raises(Refused) as caught:
        read_config(tmp_path)
    assert caught.value.code == "refused-agent-config"


def test_a_broker_is_optional_and_kept_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(LEAST)
    assert read_config(tmp_path).mqtt is None
    config = AgentConfig(
        robot_id="r",
        sku="s",
        server="https://fleet.test",
        trusted_keys=(),
        token_file=Path("token"),
        mqtt="mqtts://broker.test",
    )
    (tmp_path / CONFIG_FILE).write_text(config_text(config))
    assert read_config(tmp_path) == config


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtts://broker.test", ("broker.test", 8883)),
        ("mqtts://broker.test:18883/", ("broker.test", 18883)),
        ("mqtts://[::1]:1", ("::1", 1)),
    ],
)
def test_a_brokers_address_is_a_host_and_perhaps_a_port(url: str, address: tuple[str, int]) -> None:
    assert mqtt_address(url, "--mqtt") == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker.test",
        "mqtt://broker.test",
        "https://broker.test",
        "mqtts://",
        "mqtts://:8883",
        "mqtts://broker.test:port",
        "mqtts://broker.test:99999",
        "mqtts://robot:secret@broker.test",
        "mqtts://broker.test/path",
        "mqtts://broker.test?x=y",
        "mqtts://[::1",
    ],
)
def test_any_other_address_is_refused_without_repeating_what_may_be_secret(tmp_path: Path, url: str) -> None:
    (tmp_path / CONFIG_FILE).write_text(f'{LEAST}mqtt = "{url}"\n')
    with pytest.raises(Refused) as caught:
        read_config(tmp_path)
    assert caught.value.code == "refused-agent-config"
    assert "mqtt" in caught.value.message and CONFIG_FILE in caught.value.message
    assert "secret" not in caught.value.message
