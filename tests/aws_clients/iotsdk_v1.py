"""The Jobs client V1 of awsiotsdk: it publishes, and hears answers on topics that it subscribed to before."""

import queue
from typing import Any

from awscrt.mqtt import QoS
from awsiot import iotjobs, mqtt_connection_builder

from aws_clients.conversation import TIMEOUT_S, arguments, converse
from aws_clients.plain import plain


class Client:
    def __init__(self, connection: Any, thing: str) -> None:
        self.thing = thing
        self.jobs = iotjobs.IotJobsClient(connection)
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.subscribed: set[tuple[str, str | None]] = set()
        request = iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing)
        self.wait(
            self.jobs.subscribe_to_next_job_execution_changed_events(
                request, QoS.AT_LEAST_ONCE, lambda event: self.events.put(plain(event))
            )
        )

    def wait(self, subscribing: Any) -> None:
        subscribing[0].result(TIMEOUT_S)

    def ask(self, operation: str, subscription: type, request: Any, job_id: str | None = None) -> dict[str, Any]:
        about = {} if job_id is None else {"job_id": job_id}
        if (operation, job_id) not in self.subscribed:
            self.subscribed.add((operation, job_id))
            for word in ("accepted", "rejected"):
                subscribe = getattr(self.jobs, f"subscribe_to_{operation}_{word}")
                made = subscription(thing_name=self.thing, **about)
                self.wait(subscribe(made, QoS.AT_LEAST_ONCE, lambda answer: self.answers.put(plain(answer))))
        getattr(self.jobs, f"publish_{operation}")(request, QoS.AT_LEAST_ONCE).result(TIMEOUT_S)
        return self.answers.get(timeout=TIMEOUT_S)

    def get_pending(self) -> dict[str, Any]:
        request = iotjobs.GetPendingJobExecutionsRequest(thing_name=self.thing)
        subscription = iotjobs.GetPendingJobExecutionsSubscriptionRequest
        return self.ask("get_pending_job_executions", subscription, request)

    def start_next(self) -> dict[str, Any]:
        request = iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.thing)
        subscription = iotjobs.StartNextPendingJobExecutionSubscriptionRequest
        return self.ask("start_next_pending_job_execution", subscription, request)

    def describe(self, job_id: str) -> dict[str, Any]:
        request = iotjobs.DescribeJobExecutionRequest(
            thing_name=self.thing, job_id=job_id, include_job_document=True, execution_number=1
        )
        subscription = iotjobs.DescribeJobExecutionSubscriptionRequest
        return self.ask("describe_job_execution", subscription, request, job_id)

    def update(self, job_id: str, status: str, version: int) -> dict[str, Any]:
        request = iotjobs.UpdateJobExecutionRequest(
            thing_name=self.thing,
            job_id=job_id,
            status=status,
            expected_version=version,
            include_job_execution_state=True,
        )
        return self.ask("update_job_execution", iotjobs.UpdateJobExecutionSubscriptionRequest, request, job_id)


port, ca, certificate, key, thing = arguments()
connection = mqtt_connection_builder.mtls_from_path(
    endpoint="127.0.0.1",
    port=port,
    ca_filepath=ca,
    cert_filepath=certificate,
    pri_key_filepath=key,
    client_id=thing,
    clean_session=True,
    keep_alive_secs=30,
)
connection.connect().result(TIMEOUT_S)
client = Client(connection, thing)
# Whoever asks what to do is told so.
client.describe("$next")
converse(client)
connection.disconnect().result(TIMEOUT_S)
