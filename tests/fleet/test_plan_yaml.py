import pytest

from surefoot.fleet.plan_yaml import plan_from_yaml, plan_to_yaml
from surefoot.rollout.plan import default_plan
from surefoot.wire.errors import Refused

STRATEGY = """\
phases:
  - name: internal
    robots: [robot-1, "007"]
    soak: 24 h
  - name: canary
    percent: 10
    soak: 48 h
  - name: wider
    percent: 50
    soak: 24 h
  - name: full
    percent: 100
    soak: 24 h
"""


def test_the_fleet_strategy_can_be_written_by_hand() -> None:
    assert plan_from_yaml(STRATEGY.encode(), "plan.yaml") == default_plan(("robot-1", "007"))


def test_the_printed_plan_says_the_strategy_in_the_same_words() -> None:
    printed = plan_to_yaml(default_plan(("robot-1", "007")))
    assert STRATEGY in printed
    assert all(line.lstrip().startswith("#") or len(line) <= 140 for line in printed.splitlines())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("percent: 50", "percent: 500", "plan.yaml, line 9: phases[2].percent: must be between 0 and 100"),
        ("percent: 50", "percent: 5", "plan.yaml, line 9: phases[2].percent: a percentage must not shrink"),
        ("soak: 48 h", "soak: 48", "plan.yaml, line 7: phases[1].soak: must be a duration such as 24 h"),
        ("soak: 48 h", "soack: 48 h", "plan.yaml, line 7: phases[1].soack: is not known here"),
        ("robots: [robot-1, ", "robots: [robot 1, ", "plan.yaml, line 3: phases[0].robots[0]: must be a robot id"),
        ("  - name: full\n    percent: 100\n", "  - name: full\n", "plan.yaml, line 11: phases[3].percent"),
        ("percent: 100", "percent: 90", "plan.yaml, line 1: phases: the plan must end"),
        (
            "    percent: 100\n    soak: 24 h\n",
            "    percent: 100\ngates:\n  margins:\n    battery-drain: 0.1\n    topic-rate: 95\n",
            "plan.yaml, line 16: gates.margins.topic-rate: must be a share above 0 and up to 0.9",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(before: str, after: str, said: str) -> None:
    assert before in STRATEGY
    with pytest.raises(Refused) as caught:
        plan_from_yaml(STRATEGY.replace(before, after).encode(), "plan.yaml")
    assert caught.value.code == "refused-plan-format"
    assert caught.value.message.startswith(said)
