"""Each change of a rollout is kept with who, why and when, and a halt opens one incident that says how it ended."""

from dataclasses import replace

import pytest

from fleet.fleet_case import EVERYONE, FleetCase
from support import code_of
from surefoot.fleet.incident_changelog import changelog_entry
from surefoot.fleet.incidents import (
    Incident,
    LineKind,
    TimelineLine,
    Whereabouts,
    add_note,
    close_incident,
    timeline,
    whereabouts,
)
from surefoot.fleet.model import Key, KeyState, Rollout, RolloutState
from surefoot.fleet.rollout_history import RolloutAction, RolloutChange, changes_of
from surefoot.fleet.rollouts import halt_for_key, halt_rollout, pause_rollout, resume_rollout

LENIENT = replace(EVERYONE, failures_max=9)


def told(fleet: FleetCase, rollout: Rollout) -> list[RolloutChange]:
    return fleet.run(lambda rows: changes_of(rows, rollout.rollout_id))


def halt(fleet: FleetCase, rollout: Rollout, reason: str = "smoke", who: str = "ada") -> None:
    fleet.run(lambda rows: halt_rollout(rows, rollout.rollout_id, reason, fleet.now_s, who))


def incidents(fleet: FleetCase) -> list[Incident]:
    return fleet.run(lambda rows: rows.find(Incident))


def lines(fleet: FleetCase) -> list[TimelineLine]:
    [incident] = incidents(fleet)
    return fleet.run(lambda rows: timeline(rows, incident.incident_id))


def where(fleet: FleetCase) -> Whereabouts:
    [incident] = incidents(fleet)
    return fleet.run(lambda rows: whereabouts(rows, incident, fleet.now_s))


def test_every_change_is_kept_with_who_why_and_when(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1")
    fleet.run(lambda rows: pause_rollout(rows, rollout.rollout_id, "lunch", fleet.now_s + 1, "ada"))
    fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "fed", fleet.now_s + 2, "bob"))
    fleet.now_s += 2
    fleet.install(fleet.enrol())
    fleet.tick()
    known = [(change.number, change.action, change.who, change.state) for change in told(fleet, rollout)]
    assert known == [
        (1, RolloutAction.STARTED, "operator", RolloutState.RUNNING),
        (2, RolloutAction.PAUSED, "ada", RolloutState.PAUSED),
        (3, RolloutAction.RESUMED, "bob", RolloutState.RUNNING),
        (4, RolloutAction.FINISHED, "engine", RolloutState.FINISHED),
    ]
    assert [change.reason for change in told(fleet, rollout)][1:3] == ["lunch", "fed"]
    assert [change.at_s - rollout.started_at_s for change in told(fleet, rollout)] == [0, 1, 2, 2]


def test_a_tick_that_changes_nothing_keeps_nothing(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1")
    fleet.offered(fleet.enrol())
    for _ in range(3):
        fleet.tick(after_s=1)
    assert len(told(fleet, rollout)) == 1


def test_a_halt_opens_one_incident_and_another_halt_while_it_is_open_is_a_line_of_it(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1", LENIENT)
    halt(fleet, rollout)
    fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "no fire", fleet.now_s, "bob"))
    halt(fleet, rollout, "fire")
    assert [incident.reason for incident in incidents(fleet)] == ["smoke"]
    decisions = [(line.who, line.text) for line in lines(fleet) if line.kind is LineKind.DECISION]
    assert decisions == [("ada", "Halted: smoke"), ("bob", "Resumed: no fire"), ("ada", "Halted again: fire")]


def test_a_halt_after_the_incident_was_closed_opens_another(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1")
    halt(fleet, rollout)
    [first] = incidents(fleet)
    fleet.run(lambda rows: close_incident(rows, first.incident_id, "cable", "ada", fleet.now_s))
    fleet.run(lambda rows: resume_rollout(rows, rollout.rollout_id, "no fire", fleet.now_s, "bob"))
    halt(fleet, rollout, "fire")
    assert [(incident.reason, incident.is_open) for incident in incidents(fleet)] == [("smoke", False), ("fire", True)]


def test_the_engines_own_halt_opens_an_incident_that_names_the_robot(fleet: FleetCase) -> None:
    fleet.start("0.2.1")
    robot = fleet.enrol()
    robot.says(fleet.offered(robot).id, "rolled_back", code="trial-failed")
    fleet.hear(robot)
    fleet.tick()
    [incident] = incidents(fleet)
    assert (incident.opened_by, incident.is_open) == ("engine", True)
    assert "robot-1" in incident.reason
    assert "1 rolled back" in lines(fleet)[0].text and lines(fleet)[0].kind is LineKind.FACT


def test_who_is_back_is_derived_from_what_runs(fleet: FleetCase) -> None:
    robots = {name: fleet.enrol(name) for name in ("gone-back", "runs-it", "quiet", "untouched")}
    rollout = fleet.start("0.2.1", replace(LENIENT, silence_deadline_s=60))
    for name in ("gone-back", "runs-it", "quiet"):
        fleet.install(robots[name])
    fleet.offered(robots["untouched"])
    halt(fleet, rollout)
    assert where(fleet) == Whereabouts(back=(), not_back=("gone-back", "quiet", "runs-it"), silent=())
    robots["gone-back"].runs("0.2.0")
    fleet.now_s += 61
    for name in ("gone-back", "runs-it", "untouched"):
        fleet.hear(robots[name])
    assert where(fleet) == Whereabouts(back=("gone-back",), not_back=("runs-it",), silent=("quiet",))
    robots["gone-back"].runs("0.2.1")
    fleet.hear(robots["gone-back"])
    assert where(fleet).not_back == ("gone-back", "runs-it")


def test_an_incident_is_closed_by_a_person_with_a_reason_and_once(fleet: FleetCase) -> None:
    halt(fleet, fleet.start("0.2.1"))
    [incident] = incidents(fleet)

    def close(reason: str) -> None:
        fleet.run(lambda rows: close_incident(rows, incident.incident_id, reason, "ada", fleet.now_s))

    assert code_of(close, " ") == "refused-reason-missing"
    close("cable")
    assert code_of(close, "again") == "refused-incident-state"
    [closed] = incidents(fleet)
    assert (closed.is_open, closed.closed_by, closed.closing_reason) == (False, "ada", "cable")
    fleet.run(lambda rows: add_note(rows, incident.incident_id, "Seen since.", "bob", fleet.now_s))
    assert [line.text for line in lines(fleet)][-2:] == ["Closed: cable", "Seen since."]
    unknown = code_of(lambda: fleet.run(lambda rows: add_note(rows, "none", "x", "bob", 0.0)))
    assert unknown == "not-found-incident"


def test_the_changelogs_entry_tells_what_happened_in_a_persons_words_and_no_markup_of_theirs(fleet: FleetCase) -> None:
    robot = fleet.enrol()
    rollout = fleet.start("0.2.1", LENIENT)
    fleet.install(robot)
    halt(fleet, rollout, "arms\n# lost *calibration*")
    [incident] = incidents(fleet)
    fleet.run(lambda rows: close_incident(rows, incident.incident_id, "0.2.2 is out", "ada", fleet.now_s))
    [incident] = incidents(fleet)
    entry = changelog_entry(incident, fleet.stored_release("0.2.1"), lines(fleet), where(fleet))
    assert entry.splitlines()[0] == "### Incident of 2023-11-14: standard 0.2.1 was halted"
    assert "arms \\# lost \\*calibration\\*" in entry
    assert "1 robot ran it: 0 are back on another image, 1 is not, 0 are silent." in entry
    assert entry.endswith(", ada: Closed: 0.2.2 is out\n") and entry.count("Closed:") == 1


def test_halting_a_finished_rollout_takes_stable_from_its_release(fleet: FleetCase) -> None:
    rollout = fleet.start("0.2.1")
    fleet.install(fleet.enrol())
    fleet.tick()
    assert fleet.stored_release("0.2.1").stable is True
    halt(fleet, rollout)
    assert fleet.stored_release("0.2.1").stable is False


@pytest.mark.parametrize("signs", ["the image", "the manifest"])
def test_a_revoked_key_halts_every_rollout_of_what_it_signed(fleet: FleetCase, signs: str) -> None:
    other = fleet.start("0.2.0")
    release = fleet.release("0.2.1")
    bad = "bb" * 32
    if signs == "the manifest":
        release = replace(release, manifest=release.manifest.replace(key_id=bad))
        key = Key(key_id=bad, name="bad", public_key_xy=bytes(64), state=KeyState.ACTIVE, added_at_s=fleet.now_s)
        fleet.run(lambda rows: rows.put(key))
        fleet.run(lambda rows: rows.put(release))
        rollout = fleet.start("0.2.1")
        halted = fleet.run(lambda rows: halt_for_key(rows, bad, "stolen", fleet.now_s, "ada"))
        assert [it.rollout_id for it in halted] == [rollout.rollout_id]
        assert fleet.rollout(other.rollout_id).state is RolloutState.RUNNING
    else:
        rollout = fleet.start("0.2.1")
        halted = fleet.run(lambda rows: halt_for_key(rows, release.key_id, "stolen", fleet.now_s, "ada"))
        assert {it.rollout_id for it in halted} == {other.rollout_id, rollout.rollout_id}
        assert fleet.run(lambda rows: halt_for_key(rows, release.key_id, "stolen", fleet.now_s, "ada")) == []
    assert fleet.rollout(rollout.rollout_id).reason == "stolen"
