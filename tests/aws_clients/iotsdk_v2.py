"""The Jobs client V2 of awsiotsdk over MQTT 5: it matches answers by client token, and times out without one."""

import queue
from concurrent.futures import Future
from typing import Any

import awsiot
from awscrt.mqtt_request_response import ClientOptions, SubscriptionStatusEventType
from awsiot import iotjobs, mqtt5_client_builder

from aws_clients.conversation import TIMEOUT_S, arguments, converse
from aws_clients.plain import plain


class Client:
    def __init__(self, connection: Any, thing: str) -> None:
        self.thing = thing
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        options = ClientOptions(
            max_request_response_subscriptions=10, max_streaming_subscriptions=2, operation_timeout_in_seconds=TIMEOUT_S
        )
        self.jobs = iotjobs.IotJobsClientV2(connection, options)
        subscribed: Future[None] = Future()

        def on_status(event: Any) -> None:
            if event.type == SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED:
                subscribed.set_result(None)

        self.stream = self.jobs.create_next_job_execution_changed_stream(
            iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing),
            awsiot.ServiceStreamOptions(
                incoming_event_listener=lambda event: self.events.put(plain(event)),
                subscription_status_listener=on_status,
            ),
        )
        self.stream.open()
        subscribed.result(TIMEOUT_S)

    def ask(self, operation: str, request: Any) -> dict[str, Any]:
        try:
            answer: Any = getattr(self.jobs, operation)(request).result(TIMEOUT_S)
        except awsiot.V2ServiceException as error:
            if error.modeled_error is None:
                raise
            answer = error.modeled_error
        told: dict[str, Any] = plain(answer)
        return told

    def get_pending(self) -> dict[str, Any]:
        request = iotjobs.GetPendingJobExecutionsRequest(thing_name=self.thing)
        return self.ask("get_pending_job_executions", request)

    def start_next(self) -> dict[str, Any]:
        request = iotjobs.StartNextPendingJobExecutionRequest(thing_name=self.thing)
        return self.ask("start_next_pending_job_execution", request)

    def describe(self, job_id: str) -> dict[str, Any]:
        request = iotjobs.DescribeJobExecutionRequest(
            thing_name=self.thing, job_id=job_id, include_job_document=True, execution_number=1
        )
        return self.ask("describe_job_execution", request)

    def update(self, job_id: str, status: str, version: int) -> dict[str, Any]:
        request = iotjobs.UpdateJobExecutionRequest(
            thing_name=self.thing,
            job_id=job_id,
            status=status,
            expected_version=version,
            include_job_execution_state=True,
        )
        return self.ask("update_job_execution", request)


port, ca, certificate, key, thing = arguments()
connected: Future[None] = Future()
connection = mqtt5_client_builder.mtls_from_path(
    endpoint="127.0.0.1",
    port=port,
    ca_filepath=ca,
    cert_filepath=certificate,
    pri_key_filepath=key,
    client_id=thing,
    on_lifecycle_connection_success=lambda _: connected.set_result(None),
)
connection.start()
connected.result(TIMEOUT_S)
client = Client(connection, thing)
# Whoever asks what to do is told so.
client.describe("$next")
converse(client)
connection.stop()
