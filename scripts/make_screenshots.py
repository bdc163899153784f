"""Take a picture of every page, in both themes and as a telephone shows it, into docs/screenshots."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.scene import make_scene  # noqa: E402 - a fleet with a past
from browser.showcase import PASSWORD, SETTINGS  # noqa: E402
from browser.small_png import small_png  # noqa: E402
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
    "rollout-robots": "/rollouts/{running}/robots?status=installed",
    "rollout-new": "/rollouts/new?release_id={release}",
    "robots": "/robots",
    "robot": "/robots/{robot}",
    "robot-revoke": "/robots/{robot}/revoke",
    "incidents": "/incidents",
    "incident": "/incidents/{incident}",
    "releases": "/releases",
    "release": "/releases/{release}",
    "release-recall": "/releases/{release}/recall",
    "release-upload": "/releases/upload",
    "keys": "/keys",
    "key-rotate": "/keys/{key}/rotate",
    "rotation": "/rotations/{rotation}",
    "audit": "/audit",
    "accounts": "/accounts",
    "account": "/accounts/grace",
    "me": "/me",
    "search": "/search?q=0.2",
}
ON_TELEPHONE = ("fleet", "rollout-halted", "robot", "incident", "robots")
# Of these a picture shows what fits the screen: the rest of the list looks the same.
LISTS = ("robots", "audit", "rollout-robots")


def main(folder: Path = PICTURES) -> None:
    """Make the fleet, and take the pictures in place of those there are."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="surefoot-pictures-") as name:
        data = Path(name) / "data"
        # Before Playwright starts: beside it no event loop can run.
        ids = make_scene(data)
        for old in folder.glob("*.png"):
            old.unlink()
        with LiveServer(data, **SETTINGS).start() as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for theme in THEMES:
                _pictures(browser, server.url, ids, theme, folder)
            browser.close()


def _pictures(browser: Browser, url: str, ids: dict[str, str], theme: Theme, folder: Path) -> None:
    context = browser.new_context(
        base_url=url,
        ignore_https_errors=True,
        color_scheme=theme,
        locale="en-GB",
        timezone_id="Europe/Berlin",
        viewport={"width": WIDE[0], "height": WIDE[1]},
    )
    page, blank = context.new_page(), browser.new_page()
    shoot = Camera(page, blank, folder, theme)
    page.goto("/sign-in")
    shoot("sign-in")
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
        shoot(name)
        if name in ON_TELEPHONE:
            page.set_viewport_size({"width": TELEPHONE[0], "height": TELEPHONE[1]})
            shoot(name, "-telephone")
            page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    context.close()
    blank.close()


def _settle(page: Page) -> None:
    """Wait until the page is live, if it is one that becomes so, and until nothing is being counted."""
    page.wait_for_function(
        "() => !document.querySelector('.counting') && (!document.getElementById('live')"
        " || document.getElementById('live').dataset.state === 'on')"
    )


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes pictures of a page; `blank` is another that makes them small."""

    page: Page
    blank: Page
    folder: Path
    theme: Theme

    def __call__(self, name: str, where: str = "") -> None:
        """Take a picture and put it where it is looked for."""
        self.page.evaluate("() => document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
        picture = self.page.screenshot(full_page=name not in LISTS, animations="disabled")
        (self.folder / f"{name}-{self.theme}{where}.png").write_bytes(small_png(self.blank, picture))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
