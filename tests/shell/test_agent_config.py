from pathlib import Path

import pytest

from surefoot.shell.agent_config import CONFIG_FILE, read_config
from surefoot.wire.errors import Refused


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 2000], ids=["digits", "nesting"])
def test_a_number_or_a_nesting_beyond_measure_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / CONFIG_FILE).write_text(f"robot_id = {value}\n")
    with pytest.raises(Refused) as caught:
        read_config(tmp_path)
    assert caught.value.code == "refused-agent-config"
