from pathlib import Path

import pytest

from surefoot.cli.rollout import read_plan
from surefoot.wire.errors import Refused


def test_a_plan_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("phases:\n  - {name: full, percent: 100, soak_s: 60}\n")
    assert read_plan(path).phases[0].soak_s == 60


@pytest.mark.parametrize("value", ["!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "[" * 1000, "9" * 5000])
def test_what_the_yaml_reader_stumbles_over_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(f"capacity: {value}\n")
    with pytest.raises(Refused) as caught:
        read_plan(path)
    assert caught.value.code == "refused-plan-format"
