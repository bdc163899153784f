"""AWSIoTPythonSDK, the first generation: MQTT 3.1.1, callbacks on topics."""

import json
import queue
from typing import Any

from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionStatus as Status
from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionTopicReplyType as Reply
from AWSIoTPythonSDK.core.jobs.thingJobManager import jobExecutionTopicType as Topic
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTThingJobsClient

from aws_clients.conversation import TIMEOUT_S, arguments, converse

STATUSES = {"IN_PROGRESS": Status.JOB_EXECUTION_IN_PROGRESS, "SUCCEEDED": Status.JOB_EXECUTION_SUCCEEDED}


class Client:
    def __init__(self, jobs: AWSIoTMQTTThingJobsClient) -> None:
        self.jobs = jobs
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.subscribed: set[tuple[Any, str | None]] = set()
        assert jobs.createJobSubscription(
            lambda _client, _data, message: self.events.put(json.loads(message.payload)), Topic.JOB_NOTIFY_NEXT_TOPIC
        )

    def listen(self, topic: Any, job_id: str | None = None) -> None:
        if (topic, job_id) in self.subscribed:
            return
        self.subscribed.add((topic, job_id))
        for reply in (Reply.JOB_ACCEPTED_REPLY_TYPE, Reply.JOB_REJECTED_REPLY_TYPE):
            assert self.jobs.createJobSubscription(
                lambda _client, _data, message: self.answers.put(json.loads(message.payload)), topic, reply, job_id
            )

    def answer(self) -> dict[str, Any]:
        return self.answers.get(timeout=TIMEOUT_S)

    def get_pending(self) -> dict[str, Any]:
        self.listen(Topic.JOB_GET_PENDING_TOPIC)
        assert self.jobs.sendJobsQuery(Topic.JOB_GET_PENDING_TOPIC)
        return self.answer()

    def start_next(self) -> dict[str, Any]:
        self.listen(Topic.JOB_START_NEXT_TOPIC)
        assert self.jobs.sendJobsStartNext()
        return self.answer()

    def describe(self, job_id: str) -> dict[str, Any]:
        self.listen(Topic.JOB_DESCRIBE_TOPIC, job_id)
        assert self.jobs.sendJobsDescribe(job_id)
        return self.answer()

    def update(self, job_id: str, status: str, version: int) -> dict[str, Any]:
        self.listen(Topic.JOB_UPDATE_TOPIC, job_id)
        assert self.jobs.sendJobsUpdate(
            job_id, STATUSES[status], expectedVersion=version, includeJobExecutionState=True
        )
        return self.answer()


port, ca, certificate, key, thing = arguments()
client = AWSIoTMQTTThingJobsClient(thing, thing)
client.configureEndpoint("127.0.0.1", port)
client.configureCredentials(ca, key, certificate)
client.configureConnectDisconnectTimeout(TIMEOUT_S)
client.configureMQTTOperationTimeout(TIMEOUT_S)
assert client.connect()
asking = Client(client)
# Whoever asks what to do is told so.
asking.describe("$next")
converse(asking)
client.disconnect()
