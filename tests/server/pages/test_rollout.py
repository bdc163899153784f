"""A rollout's page, and what a person does there."""

import pytest

from server.pages.page_case import Page, browser, start, tell
from server_bench import Bench
from surefoot.fleet.access import Role


def test_the_page_tells_where_it_stands_who_waits_and_what_happened(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    for number in (1, 2):
        tell(bench, f"robot-{number}")
    page = browser(bench).see(f"/rollouts/{rollout_id}")
    assert "running Phase full , 1 of 1" in page.text
    assert "100 %: about 2 robots, soaks 1 h" in page.text
    assert "2 of 1,000 places in use" in page.text
    assert "Started. Started; phase full is open." in page.text
    assert f"/rollouts/{rollout_id}/robots?status=waiting" in page.links


def test_robots_of_a_status_are_listed_by_name(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")
    admin = browser(bench)
    assert "/robots/robot-1" in admin.see(f"/rollouts/{rollout_id}/robots?status=waiting").links
    assert "No robot of this rollout stands so now" in admin.see(f"/rollouts/{rollout_id}/robots?status=silent").text


def test_a_change_is_asked_for_with_what_it_does_and_then_done(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")
    bench.enrol("robot-2")
    operator = browser(bench, Role.OPERATOR)
    asked = operator.see(f"/rollouts/{rollout_id}/halt").text
    assert "1 robot not offered 0.2.1 yet: no offer." in asked and "1 robot updating now" in asked
    answer = operator.send(f"/rollouts/{rollout_id}/halt", reason="arms shake")
    assert (answer.status, answer.headers["location"]) == (303, f"/rollouts/{rollout_id}?done=halt")
    page = operator.see(answer.headers["location"])
    assert "The rollout is halted, and an incident is open." in page.text
    assert f"/rollouts/{rollout_id}/resume" in page.links and f"/rollouts/{rollout_id}/pause" not in page.links
    assert bench.operate("GET", f"/rollouts/{rollout_id}").json["changes"][-1]["who"] == "the-operator"


def test_a_refused_change_is_told_with_its_code_and_keeps_what_was_typed(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    admin = browser(bench)
    answer = admin.send(f"/rollouts/{rollout_id}/resume", reason="go <on>")
    assert answer.status == 409
    text = Page(answer.body.decode()).text
    assert "refused-rollout-state" in text and "go <on>" in text
    assert "refused-reason-missing" in Page(admin.send(f"/rollouts/{rollout_id}/halt").body.decode()).text


def test_rollouts_are_listed_by_state(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    admin = browser(bench)
    assert f"/rollouts/{rollout_id}" in admin.see("/rollouts").links
    assert f"/rollouts/{rollout_id}" not in admin.see("/rollouts?state=halted").links
    assert admin.get("/rollouts?state=lost").status == 400
    assert "not-found-rollout" in Page(admin.get("/rollouts/none").body.decode()).text


def test_a_rollout_is_shown_before_it_starts_and_starts_then(bench: Bench) -> None:
    tell(bench, "robot-1")
    bench.publish("0.2.1")
    operator = browser(bench, Role.OPERATOR)
    plan = "phases:\n- name: canary\n  robots: [robot-1]\n  soak_s: 60\n- name: full\n  percent: 100\n  soak_s: 60\n"
    seen = operator.send("/rollouts/new", release_id="release-0.2.1", plan=plan)
    assert seen.status == 200 and bench.operate("GET", "/rollouts").json["rollouts"] == []
    assert "It reaches 1 robot in 2 min at the least" in Page(seen.body.decode()).text
    [seen_as] = [one["value"] for _, one in Page(seen.body.decode()).tags if one.get("name") == "seen"]
    changed = plan.replace("soak_s: 60", "soak_s: 0")
    unseen = operator.send("/rollouts/new", release_id="release-0.2.1", plan=changed, start="1", seen=seen_as)
    assert "Nothing has started" in Page(unseen.body.decode()).text
    assert unseen.status == 200 and bench.operate("GET", "/rollouts").json["rollouts"] == []
    plan = plan.replace("\n", "\r\n")
    started = operator.send("/rollouts/new", release_id="release-0.2.1", plan=plan, start="1", seen=seen_as)
    assert started.status == 303
    assert "The rollout has started." in operator.see(started.headers["location"]).text


def test_a_plan_that_is_wrong_is_told_where(bench: Bench) -> None:
    bench.publish("0.2.1")
    operator = browser(bench, Role.OPERATOR)
    for plan, said in (("phases: [", "line 1"), ("phases: 3", "refused-plan-format"), ("", "refused-plan-format")):
        answer = operator.send("/rollouts/new", release_id="release-0.2.1", plan=plan, start="1")
        assert answer.status == 400 and said in Page(answer.body.decode()).text
    assert "not-found-release" in operator.send("/rollouts/new", release_id="x", plan="a: 1").body.decode()


def update(bench: Bench, robot_id: str, version: str) -> None:
    """Have a robot install what it is offered, and say so."""
    order = tell(bench, robot_id)["order"]
    running = {"slot": "ota_1", "version": version, "digest": order["digest"], "state": "confirmed"}
    tell(bench, robot_id, seq=2, running=running)


def test_a_halt_leads_robots_back_where_that_is_asked_for_at_once_or_later(bench: Bench) -> None:
    at_once = [{"name": "full", "percent": 100, "soak_s": 3600}]
    bench.publish("0.2.0")
    rollout_id = start(bench, "0.2.1", phases=at_once)
    update(bench, "robot-1", "0.2.1")
    operator = browser(bench, Role.OPERATOR)
    asked = operator.see(f"/rollouts/{rollout_id}/halt")
    assert "Lead 1 robot back to what they ran before" in asked.text
    assert {"roll_back", "recall"} <= {one.get("name") for _, one in asked.tags}
    assert operator.send(f"/rollouts/{rollout_id}/halt", reason="arms shake").status == 303
    halted = operator.see(f"/rollouts/{rollout_id}")
    assert f"/rollouts/{rollout_id}/lead-back" in halted.links
    back = operator.see(f"/rollouts/{rollout_id}/lead-back")
    assert (
        "1 robot with 0.2.1 installed: offered what they ran before" in back.text and "Lead back: 1 robot" in back.text
    )
    done = operator.send(f"/rollouts/{rollout_id}/lead-back", reason="they shake still")
    page = operator.see(done.headers["location"])
    assert "A rollout leads robots back from it: 1 robot still runs it." in page.text
    assert f"/rollouts/{rollout_id}/lead-back" not in page.links
    [way_back] = [one for one in bench.operate("GET", "/rollouts").json["rollouts"] if one["rolls_back"]]
    assert f"/rollouts/{way_back['rollout_id']}" in page.links
    # The other release takes both at once.
    both = start(bench, "0.2.2", phases=at_once)
    update(bench, "robot-2", "0.2.2")
    operator.send(f"/rollouts/{both}/halt", reason="again", roll_back="on", recall="on")
    assert "Recalled" in operator.see("/releases/release-0.2.2").text
    assert len([one for one in bench.operate("GET", "/rollouts").json["rollouts"] if one["rolls_back"]]) == 2


def test_the_buttons_say_to_how_many_robots_it_is_done(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    for number in (1, 2):
        bench.enrol(f"robot-{number}")
    admin = browser(bench)
    assert "Halt: no offer to 2 robots" in admin.see(f"/rollouts/{rollout_id}/halt").text
    assert "Pause: no offer to 2 robots" in admin.see(f"/rollouts/{rollout_id}/pause").text
    admin.send(f"/rollouts/{rollout_id}/pause")
    assert "Resume: offers to 2 robots" in admin.see(f"/rollouts/{rollout_id}/resume").text


@pytest.mark.parametrize(
    ("others", "button"), [(0, "Halt: stop 1 robot Leave"), (1, "Halt: no offer to 1 robot, stop 1 robot Leave")]
)
def test_the_button_of_a_halt_says_who_is_stopped_amid_an_update(bench: Bench, others: int, button: str) -> None:
    rollout_id = start(bench, "0.2.1", phases=[{"name": "full", "percent": 100, "soak_s": 3600}])
    tell(bench, "robot-1")
    for number in range(others):
        bench.enrol(f"other-{number}")
    assert button in browser(bench).see(f"/rollouts/{rollout_id}/halt").text
