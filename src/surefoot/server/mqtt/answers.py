"""The answer to a report that came over MQTT, or the refusal of one, on its way back."""

from surefoot.server.mqtt.client import MqttClient
from surefoot.wire.command import answer_command, encode_command, refusal_command
from surefoot.wire.errors import Refused
from surefoot.wire.offer import Answer
from surefoot.wire.report import Report
from surefoot.wire.topics import command_topic

# A robot that has waited for longer has asked over HTTPS.
EXPIRY_S = 60


async def publish_answer(client: MqttClient, answer: Answer, report: Report) -> None:
    """Tell a robot the answer to its report; raise `Interrupted` (`interrupted-broker`)."""
    payload = encode_command(answer_command(answer, report))
    await client.publish(command_topic(report.robot_id), payload, expiry_s=EXPIRY_S)


async def publish_refusal(client: MqttClient, robot_id: str, refusal: Refused, report: Report | None) -> None:
    """Tell a robot why its report was refused; raise `Interrupted` (`interrupted-broker`)."""
    payload = encode_command(refusal_command(refusal, report))
    await client.publish(command_topic(robot_id), payload, expiry_s=EXPIRY_S)
