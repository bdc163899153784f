"""A server with a showcase on it and a real browser in front, for the tests of one module.

Not for a whole session: while Playwright is started, no other test of the process could run an event loop.
"""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from browser.showcase import PASSWORD, SETTINGS, Showcase
from live_server import LiveServer

WAIT_MS = 15_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Showcase]:
    with LiveServer(tmp_path_factory.mktemp("pages") / "data", **SETTINGS).start() as server:
        showcase = Showcase(server)
        for role in ("admin", "viewer"):
            showcase.account(f"the-{role}", role)
        showcase.trust("release-2026", showcase.signer)
        yield showcase
        showcase.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sessions() -> dict[str, StorageState]:
    """What browsers keep of accounts that were signed in, by account."""
    return {}


@pytest.fixture
def sign_in(stage: Showcase, chromium: Browser, sessions: dict[str, StorageState]) -> Iterator[Callable[[str], Page]]:
    """Sign an account in, the first time by its page, in a browser that fails the test when a script fails."""
    failures: list[str] = []
    contexts = []

    def signed_in(account: str) -> Page:
        known = sessions.get(account)
        context = chromium.new_context(base_url=stage.server.url, ignore_https_errors=True, storage_state=known)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if "Content Security" in said.text else None)
        if known is None:
            page.goto("/sign-in")
            page.get_by_label("Account").fill(account)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
        else:
            page.goto("/")
        page.get_by_role("heading", name="Fleet", exact=True).wait_for()
        sessions[account] = context.storage_state()
        return page

    yield signed_in
    for context in contexts:
        context.close()
    assert failures == []
