"""Take a picture of every page, in both themes and as a telephone shows it, into docs/screenshots."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.scene import draw_evidence, set_scene  # noqa: E402 - the tests' fleet
from browser.showcase import PASSWORD, SETTINGS, Showcase  # noqa: E402
from live_server import LiveServer  # noqa: E402

PICTURES = ROOT / "docs" / "screenshots"
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDE, TELEPHONE = (1280, 800), (390, 844)
# Pages by the name of their picture; those of a telephone are the ones somebody looks at from bed.
PAGES = {
    "fleet": "/",
    "rollouts": "/rollouts",
    "rollout": "/rollouts/{running}",
    "rollout-halted": "/rollouts/{halted}",
    "rollout-halt": "/rollouts/{running}/halt",
    "rollout-new": "/rollouts/new?release_id={release}",
    "robots": "/robots",
    "robot": "/robots/{robot}",
    "incident": "/incidents/{incident}",
    "releases": "/releases",
    "release": "/releases/{release}",
    "keys": "/keys",
    "rotation": "/rotations/{rotation}",
    "audit": "/audit",
    "accounts": "/accounts",
    "account": "/me",
    "search": "/search?q=0.2",
}
ON_TELEPHONE = ("fleet", "rollout", "robot", "incident", "robots")


def main(folder: Path = PICTURES) -> None:
    """Make the fleet, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="surefoot-pictures-") as name, sync_playwright() as playwright:
        data = Path(name) / "data"
        with LiveServer(data, **SETTINGS).start() as server:
            stage = Showcase(server)
            stage.account("ada", "admin")
            stage.account("grace", "operator")
            stage.account("the-build", "publisher")
            ids = set_scene(stage)
            draw_evidence(data, ids["running"])
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for theme in THEMES:
                _pictures(browser, server.url, ids, theme, folder)
            browser.close()
            stage.close()


def _pictures(browser: Browser, url: str, ids: dict[str, str], theme: Theme, folder: Path) -> None:
    context = browser.new_context(
        base_url=url,
        ignore_https_errors=True,
        color_scheme=theme,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        viewport={"width": WIDE[0], "height": WIDE[1]},
    )
    page = context.new_page()
    page.goto("/sign-in")
    _shoot(page, folder / f"sign-in-{theme}.png")
    page.get_by_label("Account").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Fleet", exact=True).wait_for()
    for name, path in PAGES.items():
        page.goto(path.format(**ids))
        if name == "rollout-new":
            page.get_by_role("button", name="See what it would do").click()
            page.get_by_text("What its gate can notice").first.click()
        _settle(page)
        _shoot(page, folder / f"{name}-{theme}.png")
        if name in ON_TELEPHONE:
            page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
            _shoot(page, folder / f"{name}-{theme}-telephone.png")
            page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    context.close()


def _settle(page: Page) -> None:
    """Wait until the page is live, if it is one that becomes so, and until nothing is being counted."""
    page.wait_for_function(
        "() => !document.querySelector('.counting') && (!document.getElementById('live')"
        " || document.getElementById('live').dataset.state === 'on')"
    )


def _shoot(page: Page, path: Path) -> None:
    page.evaluate("() => document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
    page.screenshot(path=path, full_page=True, animations="disabled")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
