from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from https_receiver import HttpsReceiver
from support import code_of
from surefoot.shell import health_sender
from surefoot.shell.agent_config import AgentConfig
from surefoot.shell.files import FileJournal
from surefoot.shell.health_sender import HealthSender, post_of, window_of
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.health import HealthWindow, parse_health
from surefoot.wire.journal import blank_journal, encode_journal
from waiting import wait_until
from wire.wire_case import SUMS, WINDOW


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[HttpsReceiver]:
    with HttpsReceiver(tmp_path / "tls") as receiver:
        yield receiver


def post_to(receiver: HttpsReceiver, folder: Path) -> health_sender.HealthPost:
    token = folder / "token"
    token.write_text("secret\n")
    config = AgentConfig(
        robot_id="robot-1",
        sku="standard",
        server=receiver.url,
        trusted_keys=(),
        token_file=token,
        ca_file=receiver.ca_path,
    )
    return post_of(config)


def test_a_window_is_posted_with_the_agents_credentials(receiver: HttpsReceiver, tmp_path: Path) -> None:
    post_to(receiver, tmp_path).send(WINDOW)
    [request] = receiver.received
    assert (request.path, request.headers["authorization"]) == ("/v1/health", "Bearer secret")
    assert parse_health(request.body) == WINDOW


@pytest.mark.parametrize(("status", "code"), [(503, "server-unreachable"), (429, "server-unreachable")])
def test_a_server_that_cannot_answer_is_asked_again(
    receiver: HttpsReceiver, tmp_path: Path, status: int, code: str
) -> None:
    receiver.answer = lambda _request: status
    with pytest.raises(Interrupted):
        post_to(receiver, tmp_path).send(WINDOW)
    assert code_of(post_to(receiver, tmp_path).send, WINDOW) == code


def test_a_window_that_the_server_refuses_is_refused(receiver: HttpsReceiver, tmp_path: Path) -> None:
    receiver.answer = lambda _request: 403
    with pytest.raises(Refused):
        post_to(receiver, tmp_path).send(WINDOW)


def test_windows_count_by_the_journals_counters(tmp_path: Path) -> None:
    assert window_of(tmp_path, "robot-1", 5, SUMS) is None
    journal = blank_journal("epoch-7").replace(boot=12)
    FileJournal(tmp_path).write_copy(0, encode_journal(journal, 1))
    window = window_of(tmp_path, "robot-1", 5, SUMS)
    assert window == HealthWindow(robot_id="robot-1", epoch="epoch-7", boot=12, number=5, sums=SUMS)


class Server:
    """Takes windows while it is up, and refuses those it was told to."""

    def __init__(self) -> None:
        self.is_up = True
        self.refused: set[int] = set()
        self.tried = 0
        self.taken: list[int] = []

    def send(self, window: HealthWindow) -> None:
        self.tried += 1
        if not self.is_up:
            raise Interrupted("server-unreachable", "It is down.")
        if window.number in self.refused:
            raise Refused("refused-health-format", "Not this one.")
        self.taken.append(window.number)


def test_windows_wait_for_the_server_and_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_sender, "RETRY_PAUSE_S", 0.01)
    server, lines = Server(), list[str]()
    server.is_up = False
    with closing(HealthSender(server.send, lines.append)) as sender:
        for number in range(3):
            sender.put(WINDOW.replace(number=number))
        wait_until(lambda: server.tried > 1)
        assert lines[0].startswith("server-unreachable")
        server.is_up = True
        wait_until(lambda: server.taken == [0, 1, 2])


def test_what_is_refused_is_dropped_and_said_and_the_next_one_sent() -> None:
    server, lines = Server(), list[str]()
    server.refused = {1}
    with closing(HealthSender(server.send, lines.append)) as sender:
        for number in range(3):
            sender.put(WINDOW.replace(number=number))
        wait_until(lambda: server.taken == [0, 2])
    assert [line.partition(":")[0] for line in lines] == ["refused-health-format"]


def test_of_too_many_that_wait_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_sender, "RETRY_PAUSE_S", 0.01)
    server = Server()
    server.is_up = False
    with closing(HealthSender(server.send, lambda _line: None)) as sender:
        for number in range(health_sender.KEPT_MAX + 5):
            sender.put(WINDOW.replace(number=number))
        server.is_up = True
        wait_until(lambda: server.taken[-1:] == [health_sender.KEPT_MAX + 4])
    assert server.taken[-health_sender.KEPT_MAX :] == list(range(5, health_sender.KEPT_MAX + 5))
