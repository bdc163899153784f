"""MQTT beside bare gmqtt and beside Mosquitto itself, as ratios from the same run: ingest, a halt's way, and fan-out.

`ingest_vs_bare_subscriber`: diagnostics the server takes (checked, folded, stored) against those that a gmqtt client
takes which does nothing but count, from the same broker with the same senders, one after the other; also by CPU time of
their own, as the senders want the same cores. `halt_p99_s`: from the request that halts a rollout until 99 of 100
robots that update by it have the word, over TLS connections that are all real, spread over processes.
`push_vs_mosquitto`: how fast these words arrive, against as many written ahead and thrown at Mosquitto at once.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from bench_peers.mqtt_flood import enter, publish  # noqa: E402 - it lies beside the tests
from bench_peers.mqtt_robots import robot_id_of, token_of  # noqa: E402
from bench_peers.processes import cpu_s  # noqa: E402
from bench_peers.surefoot_server import SKU, fill, surefoot  # noqa: E402
from mosquitto import mosquitto  # noqa: E402
from surefoot.fleet.broker_access import SALT_BYTES, BrokerPassword, password_hash  # noqa: E402
from surefoot.fleet.model import Assignment, Release, Robot, Rollout, RolloutState, Status  # noqa: E402
from surefoot.fleet.ports import Rows  # noqa: E402
from surefoot.rollout.plan import Phase, Plan  # noqa: E402
from surefoot.server.tokens import token_sha256  # noqa: E402
from surefoot.store.sql_store import SqlStore  # noqa: E402
from surefoot.wire.command import cancel_command, encode_command  # noqa: E402
from surefoot.wire.topics import command_topic  # noqa: E402

PEERS = ROOT / "tests" / "bench_peers"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
ROLLOUT_ID = "rollout-of-the-bench"
ROBOTS_PER_WORK = 2000
# Mosquitto takes no more from a client than this many that it has not acknowledged.
WINDOW = 20
ARRIVE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything: robots that send diagnostics, seconds per measurement, robots connected, and rounds."""

    senders: int
    time_s: float
    connected: int
    processes: int
    rounds: int


FULL = Size(senders=10_000, time_s=8, connected=10_000, processes=4, rounds=5)
QUICK = Size(senders=1_000, time_s=3, connected=500, processes=2, rounds=1)


def ingest(folder: Path, size: Size) -> dict[str, float]:
    """Measure the server's ingest beside a bare subscriber, round by round."""
    rounds: list[dict[str, float]] = []
    _fill(folder, size.senders)
    with mosquitto(folder) as broker:
        url = urlsplit(broker.server_url)
        address = (url.hostname or "", url.port or 0)
        order = {
            "url": broker.server_url,
            "ca": str(broker.ca_path),
            "certificate": str(broker.server_identity_path),
            "folder": str(folder),
            "time_s": size.time_s,
        }
        arguments = [address[0], str(address[1]), order["ca"], order["certificate"], str(size.senders)]
        with _running([str(PEERS / "mqtt_flood.py"), *map(str, arguments)]):
            for _ in range(size.rounds):
                began = time.monotonic(), cpu_s(broker.pid)
                bare = _subscriber("bare", order)
                broker_share = (cpu_s(broker.pid) - began[1]) / (time.monotonic() - began[0])
                ours = _subscriber("ingest", order)
                rounds.append(
                    {
                        "ingest_per_s": ours["messages"] / ours["time_s"],
                        "bare_per_s": bare["messages"] / bare["time_s"],
                        "ingest_cpu_us": ours["cpu_s"] / ours["messages"] * 1e6,
                        "bare_cpu_us": bare["cpu_s"] / bare["messages"] * 1e6,
                        # Close to 1 it was the broker that limited the bare subscriber.
                        "broker_cores": broker_share,
                    }
                )
    for one in rounds:
        one["ingest_vs_bare_subscriber"] = one["ingest_per_s"] / one["bare_per_s"]
        one["ingest_vs_bare_subscriber_per_core"] = one["bare_cpu_us"] / one["ingest_cpu_us"]
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def halts(folder: Path, size: Size) -> dict[str, float]:
    """Measure a halt's way to connected robots, and Mosquitto's own fan-out to the same ones."""
    _fill(folder, size.connected)
    settings = {"broker": "auto", "broker_port": 0, "broker_password_port": 0}
    rounds: list[dict[str, float]] = []
    with (
        surefoot(folder, **settings, broker_connections_max=size.connected + 100) as server,
        _robots(folder, size) as all_,
    ):
        token = (folder / "operator.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=server.url, verify=False, headers=headers, timeout=60)  # noqa: S501
        with client:
            for _ in range(size.rounds):
                _collect(all_, 0)
                began_s = time.time()
                client.post(f"/api/v1/rollouts/{ROLLOUT_ID}/halt", json={"reason": "bench"}).raise_for_status()
                ours = [at_s - began_s for at_s in _collect(all_, size.connected)]
                began_s = time.time()
                _throw(folder, size.connected)
                theirs = [at_s - began_s for at_s in _collect(all_, size.connected)]
                rounds.append(
                    {
                        "halt_p50_s": statistics.median(ours),
                        "halt_p99_s": statistics.quantiles(ours, n=100)[98],
                        "push_per_s": len(ours) / (max(ours) - min(ours)),
                        "mosquitto_per_s": len(theirs) / (max(theirs) - min(theirs)),
                    }
                )
                client.post(f"/api/v1/rollouts/{ROLLOUT_ID}/resume", json={"reason": "bench"}).raise_for_status()
    for one in rounds:
        one["push_vs_mosquitto"] = one["push_per_s"] / one["mosquitto_per_s"]
    found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    return found | {"connections_real": size.connected, "connection_processes": size.processes}


def _fill(folder: Path, robots: int) -> None:
    """Let the fleet know the robots, each with a password at the broker and an open assignment."""
    fill(folder, 0, b"image")
    store = SqlStore(f"sqlite:///{folder.resolve() / 'surefoot.db'}")
    store.submit(_start).result()
    for first in range(0, robots, ROBOTS_PER_WORK):
        numbers = range(first, min(robots, first + ROBOTS_PER_WORK))
        store.submit(lambda rows, numbers=numbers: _put(rows, numbers)).result()  # type: ignore[misc]
    store.close()


def _start(rows: Rows) -> None:
    [release], now_s = rows.find(Release), time.time()
    rows.put(
        Rollout(
            rollout_id=ROLLOUT_ID,
            release_id=release.release_id,
            sku=SKU,
            plan=Plan(phases=(Phase(name="all", percent=100, soak_s=0),), capacity=1_000_000, ramp=None),
            salt=b"salt",
            state=RolloutState.RUNNING,
            phase=0,
            phase_opened_at_s=now_s,
            started_at_s=now_s,
            looked_at_s=now_s,
            watched_since_s=now_s,
            soaked_s=0.0,
            reason="",
        )
    )


def _put(rows: Rows, numbers: range) -> None:
    [release], now_s = rows.find(Release), time.time()
    for number in numbers:
        robot_id, token = robot_id_of(number), token_of(number)
        kept = token_sha256(token)
        rows.put_robot(Robot(robot_id=robot_id, sku=SKU, token_sha256=kept, enrolled_at_s=now_s))
        hashed = password_hash(token, bytes(SALT_BYTES))
        rows.put(BrokerPassword(token_sha256=kept, robot_id=robot_id, password_hash=hashed))
        rows.add_assignment(
            Assignment(
                assignment_id=_assignment_of(number),
                rollout_id=ROLLOUT_ID,
                release_id=release.release_id,
                robot_id=robot_id,
                assigned_at_s=now_s,
                attempt=1,
                status=Status.WAITING,
                code=None,
                status_since_s=now_s,
                installed_at_s=None,
                is_open=True,
                phase=0,
            )
        )


def _assignment_of(number: int) -> str:
    return f"assignment-{number:07d}"


def _subscriber(how: str, order: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, str(PEERS / "mqtt_subscriber.py"), how, json.dumps(order)]
    found: dict[str, float] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE, env=ENVIRONMENT).stdout
    )
    return found


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program that ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()


@contextlib.contextmanager
def _robots(folder: Path, size: Size) -> Iterator[list["subprocess.Popen[str]"]]:
    """Connect all robots, spread over processes."""
    url = urlsplit(json.loads((folder / "server.json").read_text())["broker_password_url"])
    each = size.connected // size.processes
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(size.processes):
            arguments = [
                url.hostname or "",
                str(url.port),
                str(folder / "tls" / "ca.pem"),
                str(number * each),
                str(each),
            ]
            processes.append(stack.enter_context(_running([str(PEERS / "mqtt_robots.py"), *arguments])))
        if any(_answer(process) != "ready\n" for process in processes):
            raise AssertionError("the robots could not connect")
        yield processes


def _collect(processes: list["subprocess.Popen[str]"], number: int) -> list[float]:
    """Return when commands arrived, once there are so many of them."""
    arrived: list[float] = []
    give_up_at_s = time.monotonic() + ARRIVE_S
    while True:
        for process in processes:
            if process.stdin is not None:
                process.stdin.write("\n")
                process.stdin.flush()
            arrived += json.loads(_answer(process))
        if len(arrived) >= number:
            return arrived
        if time.monotonic() > give_up_at_s:
            raise AssertionError(f"{len(arrived)} of {number} commands arrived")
        # Asking costs the robots time.
        time.sleep(0.25)


def _answer(process: "subprocess.Popen[str]") -> str:
    return "" if process.stdout is None else process.stdout.readline()


def _throw(folder: Path, robots: int) -> None:
    """Publish to each robot what a halt says to it, written ahead, as fast as the broker acknowledges."""
    config = (folder / "mqtt" / "mosquitto.conf").read_text().split()
    port = int(config[max(at for at, word in enumerate(config) if word == "listener") + 1])
    ca, identity = str(folder / "tls" / "ca.pem"), str(folder / "mqtt" / "server.pem")
    messages = [
        publish(
            command_topic(robot_id_of(number)),
            encode_command(cancel_command(_assignment_of(number))),
            number % WINDOW + 1,
        )
        for number in range(robots)
    ]
    connection = enter("127.0.0.1", port, ca, identity, "bench-thrower")
    for first in range(0, len(messages), WINDOW):
        window = messages[first : first + WINDOW]
        connection.sendall(b"".join(window))
        # Acknowledgements of four bytes each.
        left = 4 * len(window)
        while left:
            left -= len(connection.recv(left))
    connection.close()


def main() -> None:
    """Measure and print; with names, only those parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few robots, one round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("parts", nargs="*", help="ingest, halts; both without any")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    figures: dict[str, float] = {}
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as directory:
        for name, part in {"ingest": ingest, "halts": halts}.items():
            if not options.parts or name in options.parts:
                folder = Path(directory) / name
                found = {key: round(value, 3) for key, value in part(folder, size).items()}
                figures |= found
                if not options.json:
                    print(name, json.dumps(found), flush=True)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
