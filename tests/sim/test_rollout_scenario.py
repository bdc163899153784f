import pytest

from surefoot.sim.rollout_scenario import Effect, Kind, Outage, Scenario, scenario_from_yaml
from surefoot.wire.errors import Refused

WRONG = [
    ("seed: one\n", "bad.yaml, line 1: seed: must be an integer"),
    ("plant:\n  - kind: bricked\n    share: 2\n", "bad.yaml, line 3: plant[0].share: must be above 0"),
    ("plant:\n  - kind: gremlins\n", "bad.yaml, line 2: plant[0].kind: must be one of errors, "),
    ("plant:\n  - kind: silent\n    times: 2\n", "bad.yaml, line 3: plant[0].times: is not known here"),
    ("plant:\n  - kind: errors\n", "bad.yaml, line 2: plant[0].times: must say how many times"),
    ("plant:\n  - kind: server-down\n    from: 9 h\n    to: 8 h\n", "bad.yaml, line 4: plant[0].to: must be later"),
    ("plant:\n  - kind: silent\n    share: 1\n    robots: 3\n", "bad.yaml, line 4: plant[0].robots: leave out one"),
    ("internal: 101\n", "bad.yaml, line 1: internal: must be at most 100"),
    ("- 1\n", "bad.yaml, line 1: scenario: must be an object"),
]


def test_a_scenario_says_what_is_planted() -> None:
    text = b"""
seed: 7
internal: 0
plant:
  - {kind: errors, times: 5, share: 0.5}
  - {kind: safety-stop, robots: 1, after: 2 h}
  - {kind: telemetry-outage, from: 1 d, to: 30 h}
"""
    assert scenario_from_yaml(text, "bad.yaml") == Scenario(
        seed=7,
        internal=0,
        effects=(
            Effect(kind=Kind.ERRORS, times=5, share=0.5),
            Effect(kind=Kind.SAFETY_STOP, robots=1, after_s=7200),
        ),
        outages=(Outage(kind=Kind.TELEMETRY_OUTAGE, from_s=86_400, to_s=108_000),),
    )


def test_a_scenario_that_says_nothing_plants_nothing() -> None:
    assert scenario_from_yaml(b"{}", "bad.yaml") == Scenario()


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_mistake_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        scenario_from_yaml(text.encode(), "bad.yaml")
    assert refused.value.code == "refused-scenario-format"
    assert words in refused.value.message
