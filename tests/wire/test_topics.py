from surefoot.wire.fields import NAME_CHARS
from surefoot.wire.limits import ROBOT_ID_CHARS_MAX
from surefoot.wire.topics import (
    ANY_ROBOT,
    FROM_ROBOTS,
    LEAVES,
    command_topic,
    diagnostics_topic,
    health_topic,
    online_topic,
    report_topic,
    robot_topic,
    topic_of,
)


def test_the_topics_are_those_that_robots_know() -> None:
    assert command_topic("robot-001") == "fleet/robot-001/commands/ota"
    assert report_topic("robot-001") == "fleet/robot-001/report"
    assert health_topic("robot-001") == "fleet/robot-001/health"
    assert diagnostics_topic("robot-001") == "fleet/robot-001/diagnostics"
    assert online_topic("robot-001") == "fleet/robot-001/online"
    assert topic_of(ANY_ROBOT, "report") == "fleet/+/report"


def test_a_topic_tells_its_robot() -> None:
    for leaf in LEAVES:
        assert robot_topic(topic_of("robot-001", leaf)) == ("robot-001", leaf)
    assert set(LEAVES) - set(FROM_ROBOTS) == {"commands/ota"}


def test_what_is_no_robots_topic_tells_none() -> None:
    for topic in (
        "",
        "fleet",
        "fleet/robot-001",
        "fleet/robot-001/",
        "fleet//report",
        "fleet/+/report",
        "fleet/#",
        "fleet/robot-001/#",
        "fleet/robot-001/report/",
        "fleet/robot-001/report/more",
        "fleet/robot-001/commands",
        "/fleet/robot-001/report",
        "$aws/robot-001/report",
        "fleet/robot 1/report",
        "fleet/robot\u0000/report",
        f"fleet/{'r' * (ROBOT_ID_CHARS_MAX + 1)}/report",
    ):
        assert robot_topic(topic) is None, topic


def test_no_letter_of_an_id_means_anything_in_a_topic() -> None:
    assert not set("/+#$ \u0000") & set(NAME_CHARS)
    assert robot_topic(report_topic(NAME_CHARS)) == (NAME_CHARS, "report")
