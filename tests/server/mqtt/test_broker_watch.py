"""The broker's files follow the rows, and who lost a credential is cut off; the broker is a stand-in."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from databases import chosen_url
from surefoot.fleet.broker_access import give_password
from surefoot.fleet.enrolment import EnrolmentCode, RobotCertificate, enrol_by_code, renew, revoke
from surefoot.fleet.ports import Rows
from surefoot.fleet.robots import enrol_robot
from surefoot.server.certificates import FleetCa, ensure_certificates
from surefoot.server.mqtt.broker_access import IDENTITY_FILE, BrokerFiles
from surefoot.server.mqtt.broker_config import BrokerConfig
from surefoot.server.mqtt.broker_watch import ASK_EVERY_S, NOBODY, BrokerWatch
from surefoot.store.sql_store import SqlStore
from surefoot.wire.errors import Interrupted

START_S = 1_800_000_000.0


class Case:
    """A watch on a real store, beside a broker that notes what it is asked."""

    def __init__(self, folder: Path, store: SqlStore) -> None:
        paths = ensure_certificates(folder / "tls", ("localhost",), datetime.fromtimestamp(START_S, UTC))
        self.folder = folder / "mqtt"
        self.folder.mkdir()
        config = BrokerConfig(
            folder=self.folder,
            ca=paths.ca,
            server=paths.server,
            host="",
            port=1,
            password_port=2,
            server_port=3,
            connections_max=1,
        )
        self.store = store
        self.now_s = START_S
        self.is_up = True
        self.lets_in = True
        self.clears = True
        self.asked: list[str] = []
        files = BrokerFiles(config, FleetCa(folder / "tls"), datetime.fromtimestamp(START_S, UTC))
        self.watch = BrokerWatch(
            store,
            files,
            self._reload,
            self._cut,
            self._clear,
            lambda: self.asked.append("kill"),
            lambda: self.now_s,
        )

    def change(self, work: Callable[[Rows], object]) -> None:
        self.store.submit(work).result()

    def look(self, after_s: float = 0.0) -> list[str]:
        """Look so much later, and return what the broker was asked for that."""
        self.now_s += after_s
        self.asked.clear()
        self.watch.look()
        return list(self.asked)

    def add(self, robot_id: str) -> None:
        def work(rows: Rows) -> None:
            enrol_robot(rows, robot_id, "standard", f"token of {robot_id}", self.now_s)
            give_password(rows, robot_id, f"token of {robot_id}", f"hash of {robot_id}")

        self.change(work)

    def certify(self, robot_id: str, name: str) -> RobotCertificate:
        return RobotCertificate(
            certificate_sha256=name,
            robot_id=robot_id,
            issued_at_s=self.now_s,
            expires_at_s=self.now_s + 1000,
            serial=name,
        )

    def passwords(self) -> str:
        return (self.folder / "passwords").read_text()

    def revoked(self) -> set[str]:
        listed = x509.load_pem_x509_crl((self.folder / "revoked.pem").read_bytes())
        return {f"{entry.serial_number:x}" for entry in listed}

    def _reload(self) -> bool:
        self.asked += ["reload"] if self.is_up else []
        return self.is_up

    def _cut(self, robot_id: str) -> None:
        if not self.lets_in:
            raise Interrupted("interrupted-broker", "It is not there.")
        self.asked.append(f"cut {robot_id}")

    def _clear(self, robot_id: str) -> int:
        if not self.clears:
            raise Interrupted("interrupted-broker", "It hung up.")
        self.asked.append(f"clear {robot_id}")
        return 1


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    store = SqlStore(chosen_url(tmp_path))
    made = Case(tmp_path, store)
    made.add("robot-1")
    made.watch.begin()
    yield made
    store.close()


def test_what_is_there_at_the_start_is_written_and_nobody_is_asked(case: Case) -> None:
    assert case.passwords() == "robot-1:hash of robot-1\n"
    assert case.look() == []


def test_a_new_robot_gets_in_at_the_next_look(case: Case) -> None:
    case.add("robot-2")
    assert case.look() == ["reload"]
    assert case.passwords() == "robot-1:hash of robot-1\nrobot-2:hash of robot-2\n"
    assert case.look() == []


def test_a_robot_whose_id_would_break_the_password_file_gets_no_password(case: Case) -> None:
    case.add("line:3")
    assert case.look() == []
    assert "line" not in case.passwords()


def test_a_revoked_robot_loses_its_password_and_is_cut_until_no_old_handshake_can_be_left(case: Case) -> None:
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    assert case.look() == ["reload", "cut robot-1", "clear robot-1"]
    assert case.passwords() == ""
    assert [case.look(after_s) for after_s in (5, 5, 60, 49, 1, 1000)] == [
        [],
        ["cut robot-1", "clear robot-1"],
        [],
        [],
        ["cut robot-1", "clear robot-1"],
        [],
    ]


def test_who_cannot_be_cleared_up_behind_keeps_nobody_else_in(case: Case) -> None:
    case.add("robot-2")
    case.look()
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    case.change(lambda rows: revoke(rows, "robot-2", "nobody's either", case.now_s))
    case.clears = False
    with pytest.raises(Interrupted):
        case.look()
    assert case.asked == ["reload", "cut robot-1", "cut robot-2"]
    case.clears = True
    assert case.look() == ["cut robot-1", "cut robot-2", "clear robot-1", "clear robot-2"]


def test_renewals_leave_the_broker_alone_and_a_revocation_ends_every_certificate_they_left(case: Case) -> None:
    case.change(lambda rows: rows.put(case.certify("robot-1", "a1")))

    def renew_next(before: str, after: str) -> None:
        case.now_s += 10
        issued = case.certify("robot-1", after)
        case.change(lambda rows: renew(rows, before, issued, case.now_s))

    for before, after in (("a1", "b2"), ("b2", "c3"), ("c3", "d4")):
        renew_next(before, after)
        assert case.look() == []
    # The first has expired, and needs no listing any more.
    case.now_s = START_S + 1005
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    assert case.look() == ["reload", "cut robot-1", "clear robot-1"]
    assert case.revoked() == {"b2", "c3", "d4"}


def test_a_broker_that_is_down_is_told_when_it_is_back(case: Case) -> None:
    case.is_up = False
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    assert case.look() == []
    case.is_up = True
    assert case.look(3) == ["reload", "cut robot-1", "clear robot-1"]


def test_the_server_s_own_certificate_never_expires_while_it_runs(case: Case) -> None:
    """The broker asks for it at each connection, and would be called stuck for ever."""
    case.watch.ask()
    for _ in range(15):
        case.now_s += 31 * 24 * 3600
        case.watch.ask()
        [certificate, _] = x509.load_pem_x509_certificates((case.folder / IDENTITY_FILE).read_bytes())
        assert certificate.not_valid_after_utc > datetime.fromtimestamp(case.now_s + 300 * 24 * 3600, UTC)


def test_when_the_broker_s_certificate_was_renewed_the_broker_reads_it(case: Case) -> None:
    def ask() -> list[str]:
        case.now_s += ASK_EVERY_S
        case.watch.ask()
        return case.look()

    assert ask() == []
    ensure_certificates(case.folder.parent / "tls", ("elsewhere",), datetime.fromtimestamp(case.now_s, UTC))
    case.is_up = False
    assert ask() == []
    case.is_up = True
    assert [ask(), ask()] == [["reload"], []]


def test_a_broker_that_does_not_answer_for_long_is_killed(case: Case) -> None:
    def ask(after_s: float) -> list[str]:
        case.now_s += after_s
        case.asked.clear()
        case.watch.ask()
        return list(case.asked)

    assert [ask(10), ask(5), ask(5)] == [[], [f"cut {NOBODY}"], []]
    case.lets_in = False
    assert [ask(15), ask(15)] == [[], []]
    case.lets_in = True
    assert ask(15) == [f"cut {NOBODY}"]
    case.lets_in = False
    assert [ask(15), ask(15), ask(15), ask(15)] == [[], [], ["kill"], []]


def test_what_a_robot_left_is_cleared_unless_it_has_enrolled_anew(case: Case) -> None:
    case.change(lambda rows: rows.put(case.certify("robot-1", "a1")))
    code = EnrolmentCode(
        code_sha256="code", robot_id="robot-1", sku="standard", made_at_s=case.now_s, expires_at_s=case.now_s + 1000
    )
    case.change(lambda rows: rows.put(code))
    case.change(lambda rows: enrol_by_code(rows, "code", case.certify("robot-1", "b2"), "unused", case.now_s))
    assert case.look() == ["reload", "cut robot-1"]
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    assert case.look() == ["reload", "cut robot-1", "clear robot-1"]


def test_a_cut_that_fails_is_tried_again(case: Case) -> None:
    case.lets_in = False
    case.change(lambda rows: revoke(rows, "robot-1", "nobody's", case.now_s))
    with pytest.raises(Interrupted):
        case.look()
    case.lets_in = True
    assert case.look(1) == ["cut robot-1", "clear robot-1"]
