"""The pages in a real browser, driven by what a person sees."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Page, expect

from browser.conftest import WAIT_MS
from browser.showcase import Showcase
from surefoot.signing.signers import FileSigner

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=WAIT_MS)

SignIn = Callable[[str], Page]
PLAN = """phases:
- name: internal
  robots: [robot-1]
  soak_s: 0
- name: full
  percent: 100
  soak_s: 0
failures_max: 0
ramp: "off"
gates:
  metrics: []
"""
AXE_RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def see(page: Page, *texts: str) -> None:
    for text in texts:
        expect(page.get_by_role("main")).to_contain_text(text)


def test_a_release_reaches_the_whole_fleet_before_one_s_eyes(stage: Showcase, sign_in: SignIn, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        stage.enrol(f"robot-{number}", "0.2.0")
    image, manifest = stage.files(tmp_path, "0.2.1")
    page = sign_in("the-admin")
    page.get_by_role("link", name="Releases").click()
    page.get_by_role("link", name="Publish a release").click()
    page.get_by_label("Signed image").set_input_files(image)
    page.get_by_label("Signed manifest").set_input_files(manifest)
    page.get_by_label("Sku").fill("standard")
    page.get_by_role("button", name="Publish").click()
    see(page, "The release is published")
    page.get_by_role("link", name="Bring it to the fleet").click()
    page.get_by_label("Plan").fill(PLAN)
    page.get_by_role("button", name="See what it would do").click()
    see(page, "It reaches 3 robots")
    page.get_by_role("button", name="Start the rollout").click()
    see(page, "The rollout has started.", "Phase internal, 1 of 2")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    stage.update("robot-1", to="0.2.1")
    # From here on nobody touches the page.
    see(page, "Phase full, 2 of 2")
    stage.update("robot-2", to="0.2.1")
    expect(page.get_by_role("row", name="installed 2")).to_be_visible()
    stage.update("robot-3", to="0.2.1")
    see(page, "Phase full passed: 3 installed, 0 failed; the release is stable.", "finished")
    page.get_by_role("link", name="Fleet").click()
    see(page, "0.2.1")


def test_a_trigger_halts_another_and_the_way_back_is_seen_robot_by_robot(stage: Showcase, sign_in: SignIn) -> None:
    arms = ("arm-1", "arm-2", "arm-3")
    for robot_id in arms:
        stage.enrol(robot_id, "1.0.0", "arm")
    stage.roll_out(stage.publish("1.0.0", "arm"))
    stage.update(*arms, to="1.0.0")
    stage.roll_out(stage.publish("1.1.0", "arm"))
    stage.update("arm-1", "arm-2", to="1.1.0")
    page = sign_in("the-admin")
    page.get_by_role("link", name="1.1.0 for arm").click()
    see(page, "2 installed")
    stage.tell_health("arm-2", ok_s=50, stops_other=1)
    see(page, "arm-2 made a safety stop without an operator", "halted", "Trigger safety stop")
    page.get_by_role("link", name="An incident").click()
    see(page, "2 not back", "arm-1", "Robots that run 1.1.0 are led back by rollout")
    page.get_by_label("Note").fill("The gripper was open.")
    page.get_by_role("button", name="Add to the timeline").click()
    see(page, "The note is on the timeline.", "The gripper was open.")
    page.get_by_text("Entry for CHANGELOG.md").click()
    stage.update("arm-1", to="1.0.0")
    see(page, "1 not back", "1 back")
    stage.update("arm-2", to="1.0.0")
    see(page, "0 not back", "2 back")
    # What somebody reads stays open, whatever is renewed meanwhile.
    expect(page.locator("pre").filter(has_text="1.1.0")).to_be_visible()
    page.get_by_label("Why").fill("All are back.")
    page.get_by_role("button", name="Close the incident").click()
    see(page, "The incident is closed.", "All are back.")
    page.get_by_role("link", name="Fleet").click()
    expect(page).to_have_title(re.compile("(incident|rollout)s? (open|halted) . Fleet"))


def test_a_key_s_rotation_names_its_straggler(stage: Showcase, sign_in: SignIn) -> None:
    key_id = stage.trust("release-2025", FileSigner(ec.generate_private_key(ec.SECP256R1())))
    stage.enrol("late-1", "0.2.0", "late", trusted_keys=[key_id])
    page = sign_in("the-admin")
    page.get_by_role("link", name="Keys").click()
    page.get_by_role("link", name="Rotate… release-2025").click()
    page.get_by_label("Why").fill("laptop stolen")
    page.get_by_role("button", name="Begin the rotation").click()
    see(page, "straggler", "late-1", "laptop stolen", "--new-key file:new.pem")
    page.get_by_label("Why").fill("found again")
    page.get_by_role("button", name="Give up").click()
    see(page, "Cancelled", "found again")


def test_a_viewer_cannot_halt(stage: Showcase, sign_in: SignIn) -> None:
    stage.enrol("seen-1", "0.1.0", "seen")
    rollout_id = stage.roll_out(stage.publish("0.1.1", "seen"))
    page = sign_in("the-viewer")
    page.goto(f"/rollouts/{rollout_id}")
    see(page, "running")
    assert page.get_by_role("link", name="Halt").count() == 0
    page.goto(f"/rollouts/{rollout_id}/halt")
    see(page, "refused-permission", "which the-viewer does not have: ask an admin")
    assert stage.ask("GET", f"/rollouts/{rollout_id}")["state"] == "running"


def test_every_page_is_accessible_and_fits_a_telephone(stage: Showcase, sign_in: SignIn) -> None:
    stage.enrol("page-1", "2.0.0", "page")
    release_id = stage.publish("2.1.0", "page")
    halted = stage.roll_out(release_id)
    stage.change(halted, "halt", "pages shake")
    rollout = stage.roll_out(stage.publish("2.2.0", "page"), gates={})
    stage.report("page-1")
    key = stage.ask("GET", "/keys")["keys"][0]["key_id"]
    old_key = stage.trust("release-2024", FileSigner(ec.generate_private_key(ec.SECP256R1())))
    rotation = stage.ask("POST", "/rotations", {"key_id": old_key, "reason": "It is old."})["rotation_id"]
    page, axe = sign_in("the-admin"), Axe()
    paths = [
        "/", "/rollouts", f"/rollouts/{rollout}", f"/rollouts/{rollout}/halt", "/rollouts/new",
        f"/rollouts/{rollout}/robots?status=waiting", "/robots", "/robots/page-1", "/robots/page-1/revoke",
        "/robots/page-1/install",
        "/incidents", f"/incidents/{halted}-2", "/releases", "/releases/upload",
        f"/releases/{release_id}", f"/releases/{release_id}/recall", "/keys",
        f"/keys/{key}/rotate", f"/rotations/{rotation}", "/audit?action=account.create",
        "/accounts", "/accounts/the-viewer", "/me",
        "/search?q=page", "/search?q=nothing", "/nothing",
    ]  # fmt: skip
    found = []
    for number, path in enumerate(paths):
        page.emulate_media(color_scheme="dark" if number % 2 else "light")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(path)
        page.get_by_role("heading", level=1).wait_for()
        found += [
            f"{path}: {one['id']} {one['nodes'][0]['html']}"
            # The header is the same on every page: it is looked at once in each theme.
            for one in axe.run(page, None if number < 2 else {"exclude": ["header"]}, AXE_RULES).response["violations"]
        ]
        page.set_viewport_size({"width": 360, "height": 740})
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{path}: scrolls sideways on a telephone")
    assert not found, "\n".join(found)


def test_the_keyboard_reaches_what_matters(stage: Showcase, sign_in: SignIn) -> None:
    stage.enrol("typed-1", "0.1.0", "typed")
    page = sign_in("the-viewer")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search robots")).to_be_focused()
    page.keyboard.type("typed-1")
    page.keyboard.press("Enter")
    see(page, "typed-1")
    page.get_by_role("button", name="Theme: auto").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
