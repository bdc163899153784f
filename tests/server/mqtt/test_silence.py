"""Silence is noticed in time, by one table, and nobody is called silent whom another process heard."""

import time

from surefoot.server.mqtt.silence import RETURN_S, SILENCE_S, SilenceTable


def online(table: SilenceTable, *robot_ids: str, now_s: float = 0.0) -> SilenceTable:
    for robot_id in robot_ids:
        table.heard(robot_id, now_s)
        table.set_online(robot_id, True, now_s)
    return table


def silent(table: SilenceTable, now_s: float) -> list[str]:
    return [one.robot_id for one in table.judge(table.ask(now_s), now_s)]


def test_a_robot_online_is_silent_after_a_minute_and_not_before() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    assert silent(table, SILENCE_S - 0.1) == []
    [one] = table.judge(table.ask(SILENCE_S), SILENCE_S)
    assert (one.robot_id, one.age_s) == ("robot-1", SILENCE_S)


def test_it_is_called_silent_once_and_said_to_speak_again_once() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    assert silent(table, 61) == ["robot-1"]
    assert silent(table, 300) == []
    assert table.heard("robot-1", 300)
    assert not table.heard("robot-1", 301)
    assert silent(table, 362) == ["robot-1"]


def test_whoever_is_offline_is_away_and_not_silent() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    table.set_online("robot-1", False, 10)
    assert silent(table, 100) == []
    # Online again it has a minute, as if it had spoken.
    table.set_online("robot-1", True, 110)
    assert silent(table, 170) == []
    assert silent(table, 171) == ["robot-1"]


def test_whoever_goes_offline_while_the_others_are_asked_is_not_called_silent() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    asked = table.ask(61)
    assert asked == ["robot-1"]
    table.set_online("robot-1", False, 61.5)
    assert table.judge(asked, 62) == []


def test_a_robot_that_never_published_diagnostics_cannot_fall_silent() -> None:
    table = SilenceTable(0.0)
    table.set_online("robot-1", True, 0)
    assert silent(table, 1000) == []


def test_saying_online_again_is_no_word_of_the_robot() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    table.set_online("robot-1", True, 59)
    assert silent(table, 61) == ["robot-1"]


def test_a_fresh_process_judges_nobody_for_a_minute() -> None:
    table = SilenceTable(100.0)
    table.listen(150)
    online(table, "robot-1", now_s=100)
    assert silent(table, 210) == []
    assert silent(table, 211) == ["robot-1"]


def test_an_outage_of_the_broker_is_no_silence_of_robots_that_take_their_time_to_come_back() -> None:
    """Retained words still call them online, and nobody says that their connections are gone."""
    table = online(SilenceTable(0.0), "robot-1", "robot-2", "robot-3")
    asked = table.ask(61)
    table.listen(61.5)
    assert table.judge(asked, 62) == []
    table.heard("robot-1", 70)
    assert silent(table, 130.9) == []
    # Who is back is silent after a minute as ever.
    assert silent(table, 131) == ["robot-1"]
    table.heard("robot-2", 61.5 + RETURN_S - 0.1)
    assert silent(table, 61.5 + RETURN_S - 0.1) == []
    assert silent(table, 61.5 + RETURN_S) == ["robot-3"]


def test_whom_another_process_heard_is_silent_only_when_that_is_a_minute_ago_too() -> None:
    one, other = online(SilenceTable(0.0), "robot-1"), online(SilenceTable(0.0), "robot-1", now_s=40)
    asked = one.ask(61)
    one.told(other.ages(asked, 61), 61)
    assert one.judge(asked, 62) == []
    assert silent(one, 100) == []
    assert silent(one, 101) == ["robot-1"]


def test_an_old_answer_does_not_make_a_robot_that_was_heard_older() -> None:
    table = online(SilenceTable(0.0), "robot-1", now_s=50)
    table.told({"robot-1": 55.0}, 60)
    assert silent(table, 110) == []
    assert silent(table, 111) == ["robot-1"]


def test_a_process_does_not_answer_for_whom_it_heard_too_long_ago() -> None:
    table = online(SilenceTable(0.0), "robot-1", "robot-2")
    table.heard("robot-2", 30)
    assert table.ages(["robot-1", "robot-2", "robot-3"], 61) == {"robot-2": 31.0}


def test_a_robot_that_is_another_processs_is_watched_no_more() -> None:
    table = online(SilenceTable(0.0), "robot-1")
    table.forget("robot-1")
    assert silent(table, 100) == []


def test_a_hundred_thousand_robots_need_no_timers_and_little_time() -> None:
    """Each speaks once a second for a while, then half of them go silent: all are found within one look."""
    table, robot_ids = SilenceTable(0.0), [f"robot-{number}" for number in range(100_000)]
    online(table, *robot_ids)
    began_s = time.process_time()
    for robot_id in robot_ids[::2]:
        table.heard(robot_id, 30)
    looked_s = time.process_time()
    found: list[str] = []
    while asked := table.ask(65):
        found += [one.robot_id for one in table.judge(asked, 65)]
    assert found == robot_ids[1::2]
    # Fifty thousand words took a small part of the second in which they come.
    assert looked_s - began_s < 0.5
    assert table.ask(66) == []
