"""A companion's ROS 2 node: `/ota/trigger`, and what the robot's topics say about its health.

    python -m surefoot.shell.ros2_node --directory /var/lib/surefoot-agent

It runs beside the agent of that directory, as the same user, in an environment that has rclpy and robot_interfaces and
nothing else of Surefoot's needs. Every `WINDOW_S` it sends a health window with the agent's credentials, and every
`TICK_S` it renews the file that the agent's pre-flight and trial read (`shell.ros2_conditions`).
"""

import argparse
import contextlib
import importlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot_interfaces.srv import OtaTrigger
from sensor_msgs.msg import BatteryState
from std_msgs.msg import Bool

from surefoot.shell.agent_config import AgentConfig, read_config
from surefoot.shell.health_sender import HealthSender, post_of, window_of
from surefoot.shell.ros2_conditions import uptime_s, write_conditions
from surefoot.shell.ros2_folding import RobotWatch
from surefoot.shell.ros2_trigger import answer_trigger
from surefoot.wire.errors import SurefootError
from surefoot.wire.health import is_topic_name

NODE_NAME = "surefoot"
TICK_S = 1.0
WINDOW_S = 60.0
DEPTH = 50
# Such a subscription hears publishers of every kind.
ANY_PUBLISHER = QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
# And this one what a latched topic said before there was a subscription.
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class SurefootNode(Node):  # type: ignore[misc] # rclpy is in another environment
    """The node; `options` are those of the command line."""

    def __init__(self, config: AgentConfig, options: argparse.Namespace) -> None:
        super().__init__(NODE_NAME)
        self._config, self._options = config, options
        self._conditions: Path = options.conditions or options.directory / "conditions.json"
        self._unwatched = set(options.watch)
        self._watch = RobotWatch(
            config.robot_id,
            tuple(options.watch),
            has_battery=bool(options.battery_topic),
            has_estop=bool(options.estop_topic),
            now_s=uptime_s(),
        )
        self._sender = HealthSender(post_of(config).send, self.get_logger().warning)
        self.create_service(OtaTrigger, "/ota/trigger", self._on_trigger)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, ANY_PUBLISHER)
        if options.battery_topic:
            self.create_subscription(BatteryState, options.battery_topic, self._on_battery, ANY_PUBLISHER)
        if options.estop_topic:
            for quality in (ANY_PUBLISHER, LATCHED):
                self.create_subscription(Bool, options.estop_topic, self._on_estop, quality)
        self.create_timer(TICK_S, self._tick)
        self.create_timer(options.window_s, self._send_window)

    def _on_trigger(self, request: Any, response: Any) -> Any:
        conditions = self._watch.conditions(uptime_s())
        answer = answer_trigger(request.url, self._config.server, self._options.directory, conditions)
        response.accepted, response.message = answer
        self.get_logger().info(f"/ota/trigger: {response.message}")
        return response

    def _on_diagnostics(self, message: Any) -> None:
        now_s = uptime_s()
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            self._watch.statuses.hear(status.name, status.level[0], values, now_s)

    def _on_battery(self, message: Any) -> None:
        self._watch.hear_battery(message.percentage, message.power_supply_status, uptime_s())

    def _on_estop(self, message: Any) -> None:
        self._watch.hear_estop(message.data, uptime_s())

    def _tick(self) -> None:
        now_s = uptime_s()
        self._find_topics()
        self._watch.tick(now_s)
        try:
            write_conditions(self._conditions, self._watch.conditions(now_s), self._watch.checks(now_s))
        except OSError as error:
            self.get_logger().error(f"Cannot write {self._conditions}: {error.strerror}.", throttle_duration_sec=60.0)

    def _send_window(self) -> None:
        now_s = uptime_s()
        # The agent counts its boots, and the machine's uptime rises within each of them.
        window = window_of(self._options.directory, self._config.robot_id, int(now_s), self._watch.take(now_s))
        if window is not None:
            self._sender.put(window)

    def _find_topics(self) -> None:
        """Listen to the watched topics that somebody publishes by now; a topic's type is known only then."""
        if not self._unwatched:
            return
        for name, types in self.get_topic_names_and_types():
            if name in self._unwatched:
                self._unwatched.discard(name)
                try:
                    package, _, kind = types[0].split("/")
                    found = getattr(importlib.import_module(f"{package}.msg"), kind)
                except (ImportError, AttributeError):
                    self.get_logger().error(f"{name} is of {types[0]}, which is not installed here: install it.")
                    continue
                heard = partial(self._on_topic, name)
                self.create_subscription(found, name, heard, ANY_PUBLISHER, raw=True)

    def _on_topic(self, name: str, _raw: Any) -> None:
        self._watch.hear_topic(name, uptime_s())


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ros2_node", description="Surefoot's ROS 2 node.", allow_abbrev=False)
    parser.add_argument("--directory", type=Path, required=True, help="the agent's directory")
    parser.add_argument("--conditions", type=Path, help="file for the conditions; DIRECTORY/conditions.json if not set")
    parser.add_argument("--battery-topic", default="/battery_state", help="sensor_msgs/BatteryState; '' for none")
    parser.add_argument("--estop-topic", default="", help="std_msgs/Bool, true in a stop; none if not set")
    parser.add_argument("--watch", action="append", default=[], metavar="TOPIC", help="measure its rate; repeatable")
    parser.add_argument("--window-s", type=float, default=WINDOW_S, help=f"seconds of a window, {WINDOW_S:g}")
    options = parser.parse_args(words)
    for name in options.watch:
        if not is_topic_name(name):
            parser.error(f"{name} cannot be watched: a window tells of names of at most 64 characters.")
    return options


def main(words: list[str]) -> int:
    """Run the node until it is stopped; return the exit code."""
    options = _options(words)
    try:
        config = read_config(options.directory)
    except SurefootError as error:
        sys.stderr.write(f"error: {error.message} [{error.code}]\n")
        return 1
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(SurefootNode(config, options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
