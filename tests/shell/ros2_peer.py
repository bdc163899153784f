"""The rest of a robot: a ROS 2 process that knows nothing of Surefoot, told by lines of JSON what to publish and call.

`{"publish": {"battery": 0.8, "estop": false, "statuses": [["robot/safety", 0, {}]]}}` is published ten times a second
from then on, and `/scan` with it; `{"call": "URL"}` calls `/ota/trigger` and prints the response.
"""

import json
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from robot_interfaces.srv import OtaTrigger
from sensor_msgs.msg import BatteryState, LaserScan
from std_msgs.msg import Bool

PERIOD_S = 0.1
CALL_TIMEOUT_S = 30.0


class Peer(Node):  # type: ignore[misc] # rclpy is in another environment
    def __init__(self) -> None:
        super().__init__("robot")
        self.said: dict[str, Any] = {}
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._battery = self.create_publisher(BatteryState, "/battery_state", 10)
        self._estop = self.create_publisher(Bool, "/estop", 10)
        self._scan = self.create_publisher(LaserScan, "/scan", 10)
        self._client = self.create_client(OtaTrigger, "/ota/trigger")
        self.create_timer(PERIOD_S, self._publish)

    def _publish(self) -> None:
        if not self.said:
            return
        self._scan.publish(LaserScan())
        self._estop.publish(Bool(data=self.said["estop"]))
        self._battery.publish(BatteryState(percentage=self.said["battery"], power_supply_status=2))
        statuses = [
            DiagnosticStatus(
                name=name, level=bytes([level]), values=[KeyValue(key=key, value=text) for key, text in values.items()]
            )
            for name, level, values in self.said["statuses"]
        ]
        self._diagnostics.publish(DiagnosticArray(status=statuses))

    def call(self, url: str) -> dict[str, Any]:
        if not self._client.wait_for_service(CALL_TIMEOUT_S):
            return {"error": "nobody offers /ota/trigger"}
        future = self._client.call_async(OtaTrigger.Request(url=url))
        rclpy.spin_until_future_complete(self, future, timeout_sec=CALL_TIMEOUT_S)
        response = future.result()
        return {"accepted": response.accepted, "message": response.message}


def hear(lines: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("")


def main() -> None:
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=hear, args=(lines,), daemon=True).start()
    rclpy.init()
    peer = Peer()
    while True:
        rclpy.spin_once(peer, timeout_sec=PERIOD_S)
        try:
            line = lines.get_nowait()
        except Empty:
            continue
        if not line:
            return
        command = json.loads(line)
        if "publish" in command:
            peer.said = command["publish"]
        else:
            sys.stdout.write(json.dumps(peer.call(command["call"])) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
