from surefoot.wire.diagnostics import ERROR, OK, STALE, WARN, blank_diagnostics
from surefoot.wire.health_fold import HealthFold
from surefoot.wire.limits import EVENTS_MAX, TOPICS_MAX

FINE = blank_diagnostics("robot-001")
STOPPED = FINE.replace(estop_active=True)
FREE = FINE.replace(estop_active=False)


def test_a_message_stands_for_the_time_until_the_next() -> None:
    fold = HealthFold(100.0)
    for second, level in enumerate((OK, OK, WARN, ERROR, STALE, OK)):
        fold.add(FINE.replace(level=level), 100.0 + second)
    sums = fold.take(105.5)
    assert (sums.ok_s, sums.warn_s, sums.error_s, sums.stale_s, sums.length_s) == (2.5, 1.0, 1.0, 1.0, 5.5)


def test_time_that_nobody_told_about_is_in_no_bucket() -> None:
    fold = HealthFold(0.0)
    fold.add(FINE, 10.0)
    fold.add(FINE, 20.0)
    sums = fold.take(60.0)
    assert (sums.ok_s, sums.length_s) == (4.0, 60.0), "each message stands for two seconds at most"
    assert fold.take(120.0).ok_s == 0.0


def test_a_message_reaches_over_the_end_of_a_window() -> None:
    fold = HealthFold(0.0)
    fold.add(FINE.replace(level=WARN), 59.5)
    assert fold.take(60.0).warn_s == 0.5
    assert fold.take(120.0).warn_s == 1.5


def test_a_clock_that_falls_counts_nothing_twice() -> None:
    fold = HealthFold(100.0)
    fold.add(FINE, 101.0)
    fold.add(FINE, 102.0)
    fold.add(FINE, 50.0)
    fold.add(FINE, 102.5)
    sums = fold.take(103.0)
    assert (sums.ok_s, sums.length_s) == (2.0, 3.0)
    assert fold.take(90.0).length_s == 0.0


def test_a_stop_told_every_second_is_one_stop() -> None:
    fold = HealthFold(0.0)
    for second, said in enumerate((FREE, STOPPED, STOPPED, FINE, STOPPED)):
        fold.add(said, float(second))
    assert fold.take(5.0).stops_other == 1, "a message that says nothing of stops ends none"
    fold.add(STOPPED, 6.0)
    assert fold.take(7.0).stops_other == 0, "it began in the window before"
    fold.add(FREE, 8.0)
    fold.add(STOPPED, 9.0)
    assert fold.take(10.0).stops_other == 1


def test_an_operators_stop_is_told_apart() -> None:
    fold = HealthFold(0.0)
    fold.add(STOPPED.replace(estop_by_operator=True), 1.0)
    fold.add(FREE, 2.0)
    fold.add(STOPPED.replace(estop_by_operator=False), 3.0)
    fold.stop(True)
    sums = fold.take(4.0)
    assert (sums.stops_operator, sums.stops_other) == (2, 1)


def test_a_robot_first_heard_of_in_a_stop_has_begun_one() -> None:
    fold = HealthFold(0.0)
    fold.add(STOPPED, 0.0)
    assert fold.take(1.0).stops_other == 1


def test_the_battery_is_told_at_the_begin_and_at_the_end() -> None:
    fold = HealthFold(0.0)
    for second, percent in enumerate((80.0, 79.0, 78.5)):
        fold.add(FINE.replace(battery_percent=percent), float(second))
    sums = fold.take(60.0)
    assert (sums.battery_start_percent, sums.battery_end_percent) == (80.0, 78.5)
    quiet = fold.take(120.0)
    assert (quiet.battery_start_percent, quiet.battery_end_percent) == (None, None)
    fold.battery(77.0)
    sums = fold.take(180.0)
    assert (sums.battery_start_percent, sums.battery_end_percent) == (78.5, 77.0), "what was lost meanwhile counts"


def test_charging_time_is_counted_while_messages_come() -> None:
    fold = HealthFold(0.0)
    fold.add(FINE.replace(charging=True), 0.0)
    fold.add(FINE, 1.0)
    fold.add(FINE.replace(charging=False), 3.0)
    assert fold.take(60.0).charging_s == 3.0


def test_rates_are_averaged_by_topic() -> None:
    fold = HealthFold(0.0)
    fold.add(FINE.replace(topics=(("scan", 10.0), ("imu", 50.0))), 0.0)
    fold.topic("scan", 5.0)
    assert fold.take(1.0).topics == (("imu", 50.0), ("scan", 7.5))
    for number in range(TOPICS_MAX + 1):
        fold.topic(f"topic-{number}", 1.0)
        fold.topic("topic-0", 3.0)
    topics = dict(fold.take(2.0).topics)
    assert len(topics) == TOPICS_MAX and topics["topic-0"] > 2.0


def test_of_counters_the_difference_counts_and_a_reset_starts_anew() -> None:
    fold = HealthFold(0.0)
    for tried, failed in ((1000, 40), (1010, 41), (1010, 41), (3, 1), (5, 1)):
        fold.add(FINE.replace(dtls_tried=tried, dtls_failed=failed), 0.0)
    sums = fold.take(60.0)
    assert (sums.handshakes_tried, sums.handshakes_failed) == (15, 2)
    fold.add(FINE.replace(dtls_tried=6), 60.0)
    fold.handshakes(2, 1)
    fold.handshakes(0, 7)
    sums = fold.take(120.0)
    assert sums.handshakes_failed <= sums.handshakes_tried, "nonsense makes a window that can be sent"


def test_a_handshake_may_fail_in_the_window_after_its_try() -> None:
    fold = HealthFold(0.0)
    for tried, failed in ((10, 0), (11, 0)):
        fold.add(FINE.replace(dtls_tried=tried, dtls_failed=failed), 0.0)
    assert fold.take(60.0).handshakes_failed == 0
    fold.add(FINE.replace(dtls_tried=11, dtls_failed=1), 60.0)
    assert fold.take(120.0).handshakes_failed == 0
    fold.add(FINE.replace(dtls_tried=12, dtls_failed=1), 120.0)
    sums = fold.take(180.0)
    assert (sums.handshakes_tried, sums.handshakes_failed) == (1, 1)


def test_a_rising_boot_count_tells_of_restarts() -> None:
    fold = HealthFold(0.0)
    for boot_count in (7, 7, 9, 2):
        fold.add(FINE.replace(boot_count=boot_count, uptime_s=1.0), 0.0)
    fold.reboot()
    assert fold.take(60.0).reboots == 4


def test_a_falling_uptime_tells_of_a_restart_where_no_count_does() -> None:
    fold = HealthFold(0.0)
    for uptime_s in (100.0, 101.0, 3.0, 4.0):
        fold.add(FINE.replace(uptime_s=uptime_s), 0.0)
    assert fold.take(60.0).reboots == 1
    for boot_count, uptime_s in ((1, 50.0), (2, 1.0)):
        fold.add(FINE.replace(boot_count=boot_count, uptime_s=uptime_s), 60.0)
    assert fold.take(120.0).reboots == 1, "a restart that both tell of is one"


def test_what_a_window_cannot_hold_is_cut() -> None:
    fold = HealthFold(0.0)
    fold.add(FINE.replace(boot_count=1), 0.0)
    fold.add(FINE.replace(boot_count=2**50), 0.0)
    fold.handshakes(2**50, 2**50)
    sums = fold.take(1.0)
    assert (sums.reboots, sums.handshakes_tried, sums.handshakes_failed) == (EVENTS_MAX, EVENTS_MAX, EVENTS_MAX)
