"""Releases on pages: listed, shown, and taken back for good."""

from server.pages.page_case import Page, browser, start, tell
from server_bench import Bench
from surefoot.fleet.access import Role


def test_a_release_is_shown_with_its_rollouts(bench: Bench) -> None:
    viewer = browser(bench, Role.VIEWER)
    assert "surefoot release publish" in viewer.see("/releases").text
    tell(bench, "robot-1")
    rollout_id = start(bench, "0.2.1")
    assert "/releases/release-0.2.1" in viewer.see("/releases").links
    page = viewer.see("/releases/release-0.2.1")
    assert f"/rollouts/{rollout_id}" in page.links and "Robots that run this version 0" in page.text
    assert "/releases/release-0.2.1/recall" not in page.links
    assert viewer.get("/releases/none").status == 404


def test_a_release_is_recalled_after_saying_what_that_does(bench: Bench) -> None:
    rollout_id = start(bench, "0.2.1")
    operator = browser(bench, Role.OPERATOR)
    path = "/releases/release-0.2.1/recall"
    assert "1 rollout of it halts" in operator.see(path).text
    assert "refused-reason-missing" in Page(operator.send(path, reason="").body.decode()).text
    assert operator.send(path, reason="arms shake").headers["location"] == "/releases/release-0.2.1"
    assert "nobody is offered it" in operator.see("/releases/release-0.2.1").text
    assert bench.operate("GET", f"/rollouts/{rollout_id}").json["state"] == "halted"
    assert "There is no release to bring to the fleet yet" in operator.see("/rollouts/new").text


def test_who_publishes_is_given_the_form_and_the_command(bench: Bench) -> None:
    page = browser(bench, Role.PUBLISHER).see("/releases/upload")
    assert "surefoot release publish --image" in page.text
    [form] = [attributes for tag, attributes in page.tags if tag == "form" and attributes.get("id") == "upload"]
    assert form["data-csrf"]
