"""Plans on the command line, without a server; `--explain` with one is tried in `test_against_a_server`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import code_of
from surefoot.cli.client import OperatorClient
from surefoot.cli.rollout_plan import _size, read_plan
from surefoot.rollout.plan import default_plan
from surefoot.rollout.plan_format import plan_from_object, plan_to_object
from surefoot.wire.errors import Refused

Run = Callable[..., Any]


def test_the_printed_plan_is_the_fleet_strategy_and_can_be_checked(surefoot: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(surefoot("rollout", "plan", "--internal", "robot-1").stdout)
    assert read_plan(path) == default_plan(("robot-1",))
    checked = surefoot("rollout", "plan", "--check", path)
    assert checked.code == 0
    assert checked.stdout.startswith(f"{path} is a plan.")
    assert [line.split() for line in checked.stdout.splitlines()[3:]] == [
        ["internal", "robot-1", "24", "h", "-"],
        ["canary", "10", "%", "48", "h", "-"],
        ["wider", "50", "%", "24", "h", "-"],
        ["full", "100", "%", "24", "h", "-"],
    ]


def test_programs_get_plans_as_json(surefoot: Run, tmp_path: Path) -> None:
    printed = surefoot("rollout", "plan", "--json").json
    assert plan_from_object(printed) == default_plan()
    path = tmp_path / "plan.json"
    path.write_text(surefoot("rollout", "plan", "--json").stdout)
    assert surefoot("rollout", "plan", "--check", path, "--json").json == {"plan": printed}


def test_a_mistake_is_told_with_its_file_and_line(surefoot: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("phases:\n  - name: all\n    percent: 100\n    soak: 2 weeks\n")
    outcome = surefoot("rollout", "plan", "--check", path)
    assert (outcome.code, outcome.error_code) == (1, "refused-plan-format")
    assert f"{path}, line 4: phases[0].soak: must be a duration" in outcome.stderr


def test_a_plan_is_checked_before_a_server_is_looked_for(surefoot: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("phases: []")
    assert surefoot("rollout", "plan", "--explain", path, "--data", tmp_path).error_code == "refused-plan-format"
    path.write_text("phases: [{name: all, percent: 100}]")
    assert surefoot("rollout", "plan", "--explain", path, "--data", tmp_path).error_code == "server-unreachable"
    both = surefoot("rollout", "plan", "--explain", path, "--check", path)
    assert both.error_code == "refused-usage"


@pytest.mark.parametrize("value", ["!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "[" * 1000, "9" * 5000])
def test_what_the_yaml_reader_stumbles_over_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(f"phases: [{{name: full, percent: 100}}]\ncapacity: {value}\n")
    with pytest.raises(Refused) as caught:
        read_plan(path)
    assert caught.value.code == "refused-plan-format"
    assert plan_to_object(default_plan())["capacity"] == 1000


def test_a_plan_is_explained_for_any_release_however_many_came_since() -> None:
    """Where its sku is meant, a release on the last page is found like one on the first."""
    releases = [{"release_id": f"r-{number}", "sku": "knee" if number else "hip"} for number in reversed(range(1200))]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/fleet-metrics"):
            return httpx.Response(200, json={"versions": {"hip": {"0.2.0": 3}, "knee": {"0.2.0": 5}}})
        ids, limit = [release["release_id"] for release in releases], int(request.url.params.get("limit", 100))
        first = ids.index(request.url.params["after"]) + 1 if "after" in request.url.params else 0
        page = releases[first : first + limit]
        following = page[-1]["release_id"] if len(page) == limit else None
        return httpx.Response(200, json={"releases": page, "next_after": following})

    operator = OperatorClient(httpx.Client(base_url="https://fleet.test", transport=httpx.MockTransport(answer)))
    assert _size(operator, "r-0", None) == ("hip", 3)
    assert code_of(lambda: _size(operator, "none", None)) == "not-found-release"
