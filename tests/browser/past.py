"""A fleet's past, lived in moments: a server's own doors and its own engine by a set clock, and robots beside them.

What pictures show of it is what the server made of what robots said, so evidence, sentences and incidents agree.
"""

import asyncio
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from asgi_driver import call
from browser.showcase import PASSWORD, digest_of, signed_build
from databases import migrated_sqlite
from surefoot.fleet.exchange import exchange
from surefoot.fleet.health import take_health
from surefoot.fleet.ports import Rows
from surefoot.server.certificates import CERTIFICATES_FOLDER, ensure_certificates
from surefoot.server.composition import OPERATOR_TOKEN_FILE, Application, open_services, prepare_data_dir
from surefoot.server.engine import Engine
from surefoot.server.settings import load_settings
from surefoot.signing.signers import FileSigner
from surefoot.sim.rollout_robot import DAY_S, RolloutRobot
from surefoot.sim.rollout_scenario import Effect
from surefoot.wire.report import ROLLED_BACK, AssignmentReport

# The longest that an engine may not look.
STEP_S = 300.0
STEPS_PER_QUARTER = 3
# Every so many robots one works a shift a day.
SHIFT_EVERY = 4
PUBLIC_URL = "https://fleet.example"

Ills = Callable[[str, float], tuple[Effect, ...]]


@dataclass(slots=True, kw_only=True)
class Dweller:
    """A robot with the keys it trusts, and the versions that fail their trial on it."""

    robot: RolloutRobot
    trusted_keys: tuple[str, ...]
    fails: set[str] = field(default_factory=set)


class Past:
    """A server on a new data directory, and the robots that are heard by it.

    Args:
        data_dir: Where a server can be started once this is closed.
        begins_s: When the past begins, in Unix seconds.
    """

    def __init__(self, data_dir: Path, begins_s: float) -> None:
        data_dir.mkdir(mode=0o700, parents=True)
        (data_dir / "surefoot.db").write_bytes(migrated_sqlite())
        settings = load_settings(data_dir=data_dir, broker="none")
        ensure_certificates(data_dir / CERTIFICATES_FOLDER, ("127.0.0.1",), datetime.now(UTC))
        prepare_data_dir(settings)
        self.now_s = begins_s
        self._begins_s, self._step = begins_s, 0
        self.services = replace(open_services(settings, PUBLIC_URL), now_s=lambda: self.now_s)
        self._app = Application(self.services)
        self._engine = Engine(self.services, lambda: self.now_s)
        self._runner = asyncio.Runner()
        self._tokens = {"operator.token": (data_dir / OPERATOR_TOKEN_FILE).read_text().strip()}
        self.signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
        self.dwellers: dict[str, Dweller] = {}
        # What a version does to the robots that run it.
        self.ills: dict[str, Ills] = {}
        self._dice = random.Random(8)
        self._asks: defaultdict[int, list[Dweller]] = defaultdict(list)
        self._stages: defaultdict[int, list[Dweller]] = defaultdict(list)
        self._restarts: defaultdict[int, list[Dweller]] = defaultdict(list)

    def close(self) -> None:
        """Let a server go on from here."""
        self._runner.run(self._engine.stop())
        self._runner.close()
        self.services.store.close()

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """Ask the operator plane as somebody."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        answer = call(
            self._app,
            method,
            f"/api/v1{path}",
            token=self._tokens[who],
            headers={"content-type": kind},
            body=content,
        )
        assert answer.status < 300, f"{method} {path}: {answer.body!r}"
        return answer.json if answer.body else None

    def account(self, name: str, role: str) -> None:
        """Make an account, with a token of its own."""
        self.ask("operator.token", "POST", "/accounts", {"name": name, "role": role, "password": PASSWORD})
        made = self.ask("operator.token", "POST", "/tokens", {"label": "laptop", "account": name})
        self._tokens[name] = made["token"]

    def publish(self, who: str, version: str, sku: str) -> str:
        """Sign and publish an image; return the release's id."""
        signed = signed_build(self.signer, version, sku)
        self.ask(who, "PUT", f"/images/{signed.sha256}", signed.data)
        return str(self.ask(who, "POST", "/releases", signed.release_body(sku))["release_id"])

    def enrol(self, who: str, robot_id: str, sku: str, version: str, trusted_keys: tuple[str, ...]) -> None:
        """Enrol a robot that runs a version already."""
        self.ask(who, "POST", "/robots", {"robot_id": robot_id, "sku": sku})
        found = self.services.store.read(lambda rows: rows.robot(robot_id))
        assert found is not None
        dice = random.Random(robot_id)
        works_shifts = len(self.dwellers) % SHIFT_EVERY == SHIFT_EVERY - 1
        robot = RolloutRobot(
            robot=found,
            version=version,
            runs=digest_of(version),
            dice=dice,
            shift_at_s=self._begins_s + dice.random() * DAY_S if works_shifts else None,
        )
        dweller = self.dwellers[robot_id] = Dweller(robot=robot, trusted_keys=trusted_keys)
        self._ask_after(dweller, self._dice.random() * self.services.fleet.next_check_s)

    def live_until(self, until_s: float) -> None:
        """Let time pass."""
        while self.now_s + STEP_S <= until_s:
            self._step += 1
            self.now_s = self._begins_s + self._step * STEP_S
            self._pass_step()

    def catch_up(self) -> None:
        """Let time pass until it is now."""
        while self.now_s + STEP_S <= time.time():
            self.live_until(time.time())

    def _pass_step(self) -> None:
        for dweller in self._stages.pop(self._step, ()):
            self._stage(dweller)
        for dweller in self._restarts.pop(self._step, ()):
            self._restart(dweller)
        for dweller in self._asks.pop(self._step, ()):
            if dweller.robot.is_on(self.now_s):
                self._ask(dweller)
            elif dweller.robot.is_alive:
                self._ask_after(dweller, self.services.fleet.next_check_s / 4)
        theirs = list(self.dwellers.values())[self._step % STEPS_PER_QUARTER :: STEPS_PER_QUARTER]
        windows = [one.robot.window(self.now_s) for one in theirs if one.robot.is_on(self.now_s)]

        def tell(rows: Rows) -> None:
            for window in windows:
                take_health(rows, window.robot_id, window, self.now_s)

        self.services.store.submit(tell).result()
        # The second look knows the survey that the first one asked for.
        for _ in range(2):
            self._runner.run(self._engine.step())
            self.now_s += self.services.settings.tick_s

    def _ask(self, dweller: Dweller) -> None:
        next_check_s = self._hear(dweller)
        if dweller.robot.offer is None:
            self._ask_after(dweller, next_check_s)
        else:
            self._stages[self._step + 1].append(dweller)

    def _stage(self, dweller: Dweller) -> None:
        robot, offer = dweller.robot, dweller.robot.offer
        if offer is not None and str(offer.version) in dweller.fails:
            robot.said = AssignmentReport(
                id=offer.id, state=ROLLED_BACK, attempts=3, received_bytes=offer.size_bytes or 0, code="trial-failed"
            )
            robot.offer = None
            self._ask_after(dweller, self._hear(dweller))
            return
        robot.stage()
        next_check_s = self._hear(dweller)
        if robot.offer is None:
            self._ask_after(dweller, next_check_s)
        else:
            self._restarts[self._step + 1].append(dweller)

    def _restart(self, dweller: Dweller) -> None:
        robot, offer = dweller.robot, dweller.robot.offer
        version = "" if offer is None else str(offer.version)
        struck = self.ills.get(version)
        robot.restart(() if struck is None else struck(robot.robot.robot_id, self.now_s), self.now_s)
        if robot.said is not None and offer is not None:
            robot.said = robot.said.replace(received_bytes=offer.size_bytes or 0)
        self._ask_after(dweller, self._hear(dweller))

    def _hear(self, dweller: Dweller) -> float:
        services, robot = self.services, dweller.robot
        report = robot.report().replace(trusted_keys=dweller.trusted_keys)
        answer = services.store.submit(
            lambda rows: exchange(rows, robot.robot, report, self.now_s, services.fleet, services.new_id)
        ).result()
        robot.take(answer)
        return float(answer.next_check_s or services.fleet.next_check_s)

    def _ask_after(self, dweller: Dweller, pause_s: float) -> None:
        self._asks[self._step + max(1, round(pause_s / STEP_S))].append(dweller)


def key_named(name: str) -> FileSigner:
    """Return a signer that is the same in every run."""
    secret = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big") >> 8
    return FileSigner(ec.derive_private_key(secret, ec.SECP256R1()))
