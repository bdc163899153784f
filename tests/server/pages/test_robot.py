"""Robots on pages: found by their ids, explained, and never trusted with what they say."""

from server.pages.page_case import Page, browser, start, tell
from server_bench import NOW_S, Bench, report
from surefoot.fleet.access import Role
from surefoot.fleet.model import HistoryEntry

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"


def test_the_difference_between_what_runs_and_what_should_is_explained(bench: Bench) -> None:
    start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")
    text = browser(bench).see("/robots/robot-1").text
    assert "It runs 0.2.0" in text and "It should run 0.2.1" in text and "not the same as" in text
    assert "running ota_0 0.2.0 confirmed" in text
    assert "Assigned 0.2.1 by rollout" in text


def test_a_robot_that_never_reported_has_a_page_too(bench: Bench) -> None:
    bench.enrol("robot-1")
    text = browser(bench).see("/robots/robot-1").text
    assert "It has not reported yet" in text and "Heard never" in text


def test_what_robots_say_is_shown_and_never_run(bench: Bench) -> None:
    running = {"slot": "ota_0", "version": HOSTILE, "digest": "aa" * 32, "state": "confirmed"}
    tell(bench, "robot-1", running=running, companion_version="0.1.4")
    bench.services.store.submit(
        lambda rows: rows.add_history(HistoryEntry(robot_id="robot-1", at_s=NOW_S, kind="note", text=HOSTILE))
    ).result()
    admin = browser(bench)
    for path in ("/robots/robot-1", "/robots", "/", "/search?q=robot-1"):
        page = admin.see(path)
        assert all(
            attributes.get("src", "/").startswith("/assets/") for tag, attributes in page.tags if tag == "script"
        )
        assert "49" not in page.text
    assert HOSTILE in admin.see("/robots/robot-1").text and HOSTILE in admin.see("/").text


def test_what_is_searched_for_is_shown_and_never_run(bench: Bench) -> None:
    admin = browser(bench)
    for path in ("/search?q=%3Cscript%3Ealert(1)%3C/script%3E", "/robots?q=%3Cscript%3E", "/robots/<script>"):
        page = Page(admin.get(path).body.decode())
        assert "<script>" in page.text
        assert not [1 for tag, attributes in page.tags if tag == "script" and not attributes.get("src")]


def test_robots_are_found_by_the_beginning_of_their_ids_page_by_page(bench: Bench) -> None:
    for number in range(60):
        bench.enrol(f"arm-{number:02}")
    bench.enrol("arm")
    bench.enrol("base-1")
    admin = browser(bench)
    first = admin.see("/robots?q=arm")
    robots = sorted(link for link in first.links if link.startswith("/robots/"))
    assert len(robots) == 50 and robots[0] == "/robots/arm" and "/robots/base-1" not in first.links
    [following] = [link for link in first.links if "after=" in link]
    second = admin.see(following)
    assert len([link for link in second.links if link.startswith("/robots/arm")]) == 11
    assert "No robot's id begins with leg" in admin.see("/robots?q=leg").text


def test_robots_of_a_status_are_listed(bench: Bench) -> None:
    start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")
    admin = browser(bench)
    assert "/robots/robot-1" in admin.see("/robots?status=waiting").links
    assert "No robot is silent now" in admin.see("/robots?status=silent").text
    assert "Silent 0" in admin.see("/robots").text


def test_credentials_are_revoked_with_a_reason(bench: Bench) -> None:
    tell(bench, "robot-1")
    operator = browser(bench, Role.OPERATOR)
    assert "1 robot, robot-1" in operator.see("/robots/robot-1/revoke").text
    answer = operator.send("/robots/robot-1/revoke", reason="stolen")
    assert answer.headers["location"] == "/robots/robot-1?done=revoked"
    assert bench.call("POST", "/v1/report", token="token-of-robot-1", body=report("robot-1")).status == 401


def test_search_leads_to_robots_releases_rollouts_and_incidents(bench: Bench) -> None:
    tell(bench, "robot-1")
    rollout_id = start(bench, "0.2.1")
    bench.operate("POST", f"/rollouts/{rollout_id}/halt", {"reason": "arms shake"})
    admin = browser(bench)
    assert "/robots/robot-1" in admin.see("/search?q=robot").links
    assert {"/releases/release-0.2.1", f"/rollouts/{rollout_id}"} <= admin.see("/search?q=0.2.1").links
    assert f"/incidents/{rollout_id}-2" in admin.see("/search?q=SHAKE").links
    assert "Nothing fits nowhere" in admin.see("/search?q=nowhere").text


def test_one_robot_is_brought_a_release_and_the_page_says_first_what_happens(bench: Bench) -> None:
    bench.publish("0.2.1")
    tell(bench, "robot-1")
    operator = browser(bench, Role.OPERATOR)
    assert "/robots/robot-1/install" in operator.see("/robots/robot-1").links
    asked = operator.see("/robots/robot-1/install").text
    assert "1 robot, robot-1, which runs 0.2.0" in asked and "No other robot is" in asked
    refused = operator.send("/robots/robot-1/install", release_id="release-0.2.1", reason="")
    assert refused.status == 422 and "refused-reason-missing" in refused.body.decode()
    answer = operator.send("/robots/robot-1/install", release_id="release-0.2.1", reason="trial", force="1")
    assert answer.status == 303
    shown = operator.see(answer.headers["location"])
    assert "For one robot alone" in shown.text and "Forced" in shown.text and "/robots/robot-1" in shown.links
    assert "of 1 robot installed" in operator.see("/rollouts").text
    # A release below, published last, is not what the page proposes.
    bench.publish("0.1.9")
    offered = operator.see("/robots/robot-1/install").text
    assert offered.index("0.2.1 for standard") < offered.index("0.1.9 for standard")
    assert "/robots/robot-1/install" not in browser(bench, Role.VIEWER).see("/robots/robot-1").links
