"""Two real server processes on one database, killed at random moments under the traffic of many robots.

Each process has its own data directory; they share a PostgreSQL database, the images, the certificates, the metadata
key and the operator's token. The kills, the robots and the operator each follow the seed; which request a kill meets is
up to the machine.
"""

import random
import shutil
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from surefoot.signing.signers import FileSigner
from surefoot.sim.crew import Crew
from surefoot.sim.light_client import LightClient
from surefoot.sim.light_robot import GreedyRobot, LightRobot
from surefoot.sim.process_operator import ProcessOperator
from surefoot.sim.process_promises import runs_to_its_end
from surefoot.sim.process_totals import Kill, Size, Totals, takeovers_of, totals
from surefoot.sim.process_witness import LeaseWatch, Witness
from surefoot.sim.server_process import ServerProcess, free_port
from surefoot.sim.webhook_receiver import WebhookReceiver
from surefoot.store.sql_store import SqlStore

SKU = "standard"
OLD_VERSION = "0.2.0"
IMAGE_BYTES = 400_000
CAPACITY = 8
SHARED = ("tls", "metadata.pem", "operator.token")
GREEDY_CONNECTIONS = 3
# With deltas robots would fetch files that nobody counts here; everything else is as it comes.
SETTINGS = {
    "tick_s": "0.2",
    "deltas_per_release": "0",
    "webhook_private_addresses": "true",
    "next_check_s": "1",
    "next_check_jitter_s": "0",
}
ROBOT_PAUSE_S = 0.3
GREEDY_PAUSE_S = 0.02
QUIET_S = 90.0
STOP_S = 60.0
LOOK_S = 0.5
PAUSE_S = (1.5, 6.0)
DOWN_S_MAX = 2.0
# A greedy robot that was refused this often asks only now and then.
REFUSALS_MANY = 20


def run_process_chaos(
    directory: Path,
    database_url: str,
    size: Size,
    seed: int,
    tell: Callable[[float, str], None] = lambda _at_s, _line: None,
) -> Totals:
    """Let two processes serve a fleet for so long, kill one of them again and again, and say what was broken."""
    chaos = ProcessChaos(directory, database_url, size, seed)
    with ExitStack() as stack:
        stack.callback(chaos.stop)
        return chaos.run(stack, tell)


class ProcessChaos:
    """One run.

    Args:
        directory: Empty, for the data directories of the processes.
        database_url: An empty PostgreSQL database.
        size: How much of everything.
        seed: Of all chance.
    """

    def __init__(self, directory: Path, database_url: str, size: Size, seed: int) -> None:
        self._folders = (directory / "a", directory / "b")
        self._url = database_url
        self._size = size
        self._seed = seed
        self._ports = (free_port(), free_port())
        settings = SETTINGS | {"database_url": database_url, "downloads_per_day": str(size.downloads_per_day)}
        # Servers trust the webhook's certificate, which their own authority made.
        trust = {"SSL_CERT_FILE": str(self._folders[0] / "tls" / "ca.pem")}
        self._servers = tuple(
            ServerProcess(folder, port, settings, trust)
            for folder, port in zip(self._folders, self._ports, strict=True)
        )
        # Set in this order: when nobody is killed any more, and when robots stop.
        self._healed = threading.Event()
        self._resting = threading.Event()
        self._tls: ssl.SSLContext | None = None
        self._clients: list[LightClient] = []
        self._kills: list[Kill] = []
        self._crew = Crew()

    def run(self, stack: ExitStack, tell: Callable[[float, str], None]) -> Totals:
        """Run it from the first start to the last look."""
        operator = self._start()
        store = stack.enter_context(closing(SqlStore(self._url)))
        receiver = stack.enter_context(WebhookReceiver(self._folders[0] / "tls" / "server.pem"))
        webhook_id = operator.introduce(receiver.url)
        robots = [self._robot(operator, f"robot-{number:03d}") for number in range(self._size.robots)]
        greedy = [GreedyRobot(f"greedy-{number:03d}") for number in range(self._size.greedy)]
        for taker in greedy:
            operator.enrol(taker.robot_id, _token(taker.robot_id))
        witness = Witness(store, robots, greedy, receiver.received, webhook_id, self._size.downloads_per_day)
        watch = LeaseWatch(store)
        watch.start()
        stack.callback(watch.end)
        began_s = time.monotonic()
        self._begin(operator, robots, greedy, began_s)
        while time.monotonic() - began_s < self._size.seconds and not self._crew.failed:
            time.sleep(LOOK_S)
            witness.look()
            requests = sum(client.counts.requests for client in self._clients)
            tell(
                time.monotonic() - began_s,
                f"{requests} requests, {len(self._kills)} kills, "
                f"epoch {watch.seen[-1][1] if watch.seen else 0}, {operator.finished} rollouts finished, "
                f"{len(witness.broken)} violations",
            )
        self._quieten(witness, robots)
        watch.end()
        witness.look(ended=True)
        witness.compare_robots(time.time())
        for line in self._crew.failed:
            witness.check("run", runs_to_its_end, line)
        takeovers = takeovers_of(witness, watch, self._kills, [server.log() for server in self._servers])
        clients = [client.counts for client in self._clients]
        seconds = time.monotonic() - began_s
        return totals(seconds, clients, witness, operator, receiver, self._kills, takeovers)

    def stop(self) -> None:
        """Stop whatever runs."""
        self._healed.set()
        self._resting.set()
        self._crew.join(STOP_S)
        for client in self._clients:
            client.close()
        for server in self._servers:
            server.stop()

    def _start(self) -> ProcessOperator:
        first, second = self._folders
        self._servers[0].start()
        second.mkdir(parents=True)
        for name in SHARED:
            if (first / name).is_dir():
                shutil.copytree(first / name, second / name)
            else:
                shutil.copy2(first / name, second / name)
        (first / "images").mkdir(exist_ok=True)
        (second / "images").symlink_to(first / "images")
        self._servers[1].start()
        token = (first / "operator.token").read_text().strip()
        signer = FileSigner(ec.derive_private_key(0xC4A05, ec.SECP256R1()))
        return ProcessOperator(SKU, signer, self._client("operator", token), self._chance("operator"))

    def _begin(
        self, operator: ProcessOperator, robots: list[LightRobot], greedy: list[GreedyRobot], began_s: float
    ) -> None:
        for robot in robots:
            self._crew.start(robot.robot_id, partial(self._live, robot))
        for number, taker in enumerate(greedy):
            # One after another, so that at every moment of the run some are short of their limit.
            begins_s = began_s + self._size.seconds * 0.9 * number / len(greedy)
            for connection in range(GREEDY_CONNECTIONS):
                name = f"{taker.robot_id}/{connection}"
                self._crew.start(name, partial(self._devour, taker, operator, name, begins_s))
        self._crew.start("operator", partial(self._operate, operator, tuple(robot.robot_id for robot in robots[:2])))
        self._crew.start("killer", self._kill)

    def _live(self, robot: LightRobot) -> None:
        chance = self._chance(f"pace of {robot.robot_id}")
        while not self._resting.wait(chance.expovariate(1 / ROBOT_PAUSE_S)):
            robot.step()

    def _devour(self, taker: GreedyRobot, operator: ProcessOperator, name: str, begins_s: float) -> None:
        chance, client = self._chance(name), self._client(name, _token(taker.robot_id))
        while not self._resting.wait(max(GREEDY_PAUSE_S, begins_s - time.monotonic())):
            if operator.files:
                sha256, size_bytes = chance.choice(operator.files[-3:])
                taker.step(client, sha256, size_bytes, chance)
            if taker.refusals > REFUSALS_MANY:
                self._resting.wait(1.0)

    def _operate(self, operator: ProcessOperator, first: tuple[str, ...]) -> None:
        number = 0
        while not self._healed.is_set():
            number += 1
            release_id = operator.publish(f"0.3.{number}", IMAGE_BYTES, number)
            rollout_id = operator.start(release_id, first, CAPACITY)
            operator.lead(rollout_id, lambda: not self._resting.is_set(), pauses=number % 2 == 0)

    def _kill(self) -> None:
        chance = self._chance("killer")
        while not self._healed.wait(chance.uniform(*PAUSE_S)):
            number = chance.randrange(len(self._servers))
            # Noted before, as a successor may come as soon as it is dead.
            self._kills.append(Kill(at_s=time.monotonic(), number=number))
            self._servers[number].kill()
            self._healed.wait(chance.uniform(0, DOWN_S_MAX))
            self._servers[number].start()
        # A child dies with the thread that started it, not only with the process.
        self._resting.wait()

    def _quieten(self, witness: Witness, robots: list[LightRobot]) -> None:
        """Kill nobody any more, and wait until the last rollout is through and everybody was told."""
        self._healed.set()
        deadline_s = time.monotonic() + QUIET_S
        self._crew.join(QUIET_S, "operator")
        while time.monotonic() < deadline_s:
            if all(robot.is_at_rest for robot in robots) and not witness.has_waiting():
                break
            time.sleep(LOOK_S)
        else:
            busy = sum(not robot.is_at_rest for robot in robots)
            self._crew.failed.append(f"after {QUIET_S:g} s of quiet {busy} robots are not at rest, or something waits")
        self._resting.set()
        self._crew.join(STOP_S)

    def _robot(self, operator: ProcessOperator, robot_id: str) -> LightRobot:
        token = _token(robot_id)
        operator.enrol(robot_id, token)
        return LightRobot(robot_id, SKU, OLD_VERSION, self._client(robot_id, token), self._chance(robot_id))

    def _client(self, name: str, token: str) -> LightClient:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._folders[0] / "tls" / "ca.pem")
        client = LightClient(self._ports, self._tls, token, self._chance(f"way of {name}"))
        self._clients.append(client)
        return client

    def _chance(self, who: str) -> random.Random:
        return random.Random(f"{self._seed}/{who}")


def _token(robot_id: str) -> str:
    return f"token-of-{robot_id}"
