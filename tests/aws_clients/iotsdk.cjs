// aws-iot-device-sdk-v2 for Node.js, its Jobs client V2 over MQTT 5; the same conversation as conversation.py.

const { iot, mqtt5, iotjobs } = require("aws-iot-device-sdk-v2");

const TIMEOUT_S = 20;
const [port, ca, certificate, key, thing] = process.argv.slice(2);

const tell = (step, value) => console.log(JSON.stringify([step, value === undefined ? null : value]));

/** Return an answer, or the rejection that the library made an error of. */
async function answerOf(asking) {
  try {
    return await asking;
  } catch (error) {
    if (!error.modeledError) throw error;
    return error.modeledError;
  }
}

/** Things that come one by one, and whoever waits for them. */
class Events {
  #come = [];
  #waiting = [];
  put(event) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(event);
    else this.#come.push(event);
  }
  get() {
    return this.#come.length
      ? Promise.resolve(this.#come.shift())
      : new Promise((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error("nothing came")), TIMEOUT_S * 1000);
          this.#waiting.push((event) => (clearTimeout(timer), resolve(event)));
        });
  }
}

async function connect() {
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath("127.0.0.1", certificate, key);
  builder.withCertificateAuthorityFromPath(undefined, ca);
  builder.withPort(Number(port));
  builder.withConnectProperties({ clientId: thing, keepAliveIntervalSeconds: 30 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = new Promise((resolve, reject) => {
    client.once("connectionSuccess", resolve);
    client.once("connectionFailure", (event) => reject(event.error));
  });
  client.start();
  await connected;
  return client;
}

async function main() {
  const client = await connect();
  const options = { maxRequestResponseSubscriptions: 10, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: TIMEOUT_S };
  const jobs = iotjobs.IotJobsClientv2.newFromMqtt5(client, options);
  const events = new Events();
  const stream = jobs.createNextJobExecutionChangedStream({ thingName: thing });
  stream.on("incomingPublish", (event) => events.put(event.message));
  const subscribed = new Promise((resolve) => stream.once("subscriptionStatus", resolve));
  stream.open();
  await subscribed;

  const getPending = () => answerOf(jobs.getPendingJobExecutions({ thingName: thing }));
  const describe = (jobId) =>
    answerOf(jobs.describeJobExecution({ thingName: thing, jobId, includeJobDocument: true, executionNumber: 1 }));
  const update = (jobId, status, expectedVersion) =>
    answerOf(jobs.updateJobExecution({ thingName: thing, jobId, status, expectedVersion, includeJobExecutionState: true }));

  // Whoever asks what to do is told so.
  await describe("$next");
  const { execution } = await events.get();
  const jobId = execution.jobId;
  tell("notify-next", execution.status);
  tell("get", (await getPending()).queuedJobs.map((one) => one.jobId === jobId));
  const started = (await answerOf(jobs.startNextPendingJobExecution({ thingName: thing }))).execution;
  tell("start-next", started.status);
  tell("start-next version", started.versionNumber);
  tell("describe", (await describe(jobId)).execution.jobDocument.surefoot.version);
  tell("describe $next", (await describe("$next")).execution.versionNumber);
  tell("update", (await update(jobId, "IN_PROGRESS", 2)).executionState.versionNumber);
  tell("update with an old version", (await update(jobId, "IN_PROGRESS", 2)).code);
  tell("describe what is not there", (await describe("AFR_OTA-nothing")).code);
  tell("update to the end", (await update(jobId, "SUCCEEDED", 3)).executionState.status);
  let event;
  do {
    event = await events.get();
  } while (event.execution);
  tell("notify-next of none", true);
  tell("update past the end", (await update(jobId, "IN_PROGRESS", 4)).code);
  const none = await getPending();
  tell("get of none", [none.inProgressJobs, none.queuedJobs]);
  stream.close();
  jobs.close();
  client.stop();
  client.close();
}

// The library's own threads would keep the process alive.
main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
