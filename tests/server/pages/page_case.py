"""A browser without a screen, for tests of pages: it signs in, follows what is on a page, and reads what one sees."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from asgi_driver import Answered
from server.access_case import ORIGIN, make_account
from server_bench import NOW_S, SKU, Bench, report
from surefoot.fleet.access import Role
from surefoot.server.operators.sessions import COOKIE, csrf_token, start_session

VOID = {"meta", "link", "input", "br", "img"}
UNSEEN = {"script", "style", "title"}


class Page(HTMLParser):
    """What stands on a page: its words, its links and buttons, and every tag with its attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self._words: list[str] = []
        self.feed(markup)
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if not UNSEEN.intersection(self.open):
            self._words.append(data)

    @property
    def links(self) -> set[str]:
        return {attributes.get("href", "") for tag, attributes in self.tags if tag == "a"}

    @property
    def forms(self) -> set[str]:
        return {attributes.get("action", "") for tag, attributes in self.tags if tag == "form"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Somebody signed in with a role, looking at a bench's pages."""

    bench: Bench
    cookie: str = ""
    sent: dict[str, str] = field(default_factory=lambda: {"accept": "text/html"})

    def get(self, path: str, **headers: str) -> Answered:
        return self.bench.call("GET", path, headers={**self._headers(), **headers})

    def see(self, path: str) -> Page:
        """Return a page that must be there."""
        answer = self.get(path)
        assert answer.status == 200, f"{path} answers {answer.status}: {answer.headers.get('location')}"
        return Page(answer.body.decode())

    def send(self, path: str, *, token: str | None = None, origin: str = ORIGIN, **fields: str) -> Answered:
        """Send a form as the page's own would be sent."""
        csrf = csrf_token(self.cookie) if token is None and self.cookie else token
        body = urlencode(fields if csrf is None else {**fields, "csrf_token": csrf}).encode()
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": origin}
        return self.bench.call("POST", path, headers={**self._headers(), **kind}, body=body)

    def _headers(self) -> dict[str, str]:
        return {**self.sent, **({"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}


def browser(bench: Bench, role: Role = Role.ADMIN, name: str = "") -> Browser:
    account = make_account(bench, name or f"the-{role}", role)
    cookie = bench.services.store.submit(lambda rows: start_session(rows, account, "test", NOW_S)).result()
    return Browser(bench=bench, cookie=cookie)


def start(bench: Bench, version: str, **plan: Any) -> str:
    """Publish a version, start to bring it to the fleet, and return the rollout's id."""
    bench.publish(version)
    phases = [{"name": "canary", "percent": 10, "soak_s": 3600}, {"name": "full", "percent": 100, "soak_s": 3600}]
    body = {"release_id": f"release-{version}", "plan": {"phases": phases, **plan}}
    answer = bench.operate("POST", "/rollouts", body)
    assert answer.status == 201, answer.json
    return str(answer.json["rollout_id"])


def tell(bench: Bench, robot_id: str, **changes: object) -> Any:
    """Have a robot report, enrolled if it is new, and return what it is told."""
    token = f"token-of-{robot_id}"
    if bench.services.store.read(lambda rows: rows.robot(robot_id)) is None:
        bench.enrol(robot_id)
    answer = bench.call("POST", "/v1/report", token=token, body=report(robot_id, sku=SKU, **changes))  # type: ignore[arg-type]
    assert answer.status == 200, answer.body
    return answer.json
