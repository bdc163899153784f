"""A robot's telemetry: what it told before its update beside what it tells since."""

from server.pages.page_case import browser, tell
from server_bench import NOW_S, Bench
from surefoot.fleet.health_sums import Totals
from surefoot.fleet.robot_health import RobotHealth, Signs, Sums
from surefoot.server.pages.telemetry import telemetry

BEFORE = Totals(told_s=3600, warn_s=36, tried=100, failed=1, discharging_s=3600, drained_percent=5)
SINCE = Totals(told_s=600, warn_s=300, discharging_s=1800, drained_percent=5)
HEALTH = RobotHealth(
    robot_id="robot-1",
    sku="standard",
    sums=Sums(before=BEFORE, since_update=SINCE),
    signs=Signs(told_at_s=NOW_S, online_since_s=NOW_S - 60),
)


def test_each_figure_stands_beside_what_it_was() -> None:
    shown = telemetry(HEALTH)
    assert shown is not None
    said = {twin.name: (twin.before.text, twin.since.text) for twin in shown.twins}
    assert said == {
        "Time with warnings or errors": ("1 %", "50 %"),
        "Battery drain": ("5.0 %/h", "10.0 %/h"),
        "Topic rate": ("not told", "not told"),
        "DTLS handshakes that failed": ("1 %", "not told"),
    }
    drain = shown.twins[1].bars
    assert [bar[0].width for bar in drain] == [500.0, 1000.0]


def test_who_tells_nothing_has_no_charts(bench: Bench) -> None:
    assert telemetry(None) is None
    assert telemetry(RobotHealth(robot_id="robot-1", sku="standard")) is None
    tell(bench, "robot-1")
    admin = browser(bench)
    assert "It has told nothing of its health yet" in admin.see("/robots/robot-1").text
    bench.services.store.submit(lambda rows: rows.put(HEALTH)).result()
    assert "Battery drain Before 5.0 %/h Since 10.0 %/h" in admin.see("/robots/robot-1").text
