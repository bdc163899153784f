"""`surefoot agent`: one robot's agent, with its two slots in a directory."""

import contextlib
import shlex
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.cli import output
from surefoot.cli.noun import example, noun
from surefoot.cli.options import AsJson
from surefoot.shell.files import read_file
from surefoot.wire.errors import Refused

DEFAULT_DIRECTORY = Path("var/agent")

Directory = Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The robot's directory.")]

ConditionsFile = Annotated[Path, typer.Argument(metavar="FILE", help="What the ROS 2 node writes.")]

Ca = Annotated[Path | None, typer.Option("--ca", help="Certificate (PEM) that vouches for the server.")]

app = noun("Run the agent that updates one robot.")


@app.command(
    epilog=example(
        "surefoot agent init --robot-id robot-001 --sku standard --server https://127.0.0.1:8443"
        " --ca var/surefoot/tls/ca.pem --token-file robot-001.token --trust key.pem.pub.der"
        " --image firmware-0.2.0.bin --version 0.2.0",
        "surefoot agent init --robot-id thing-001 --sku standard"
        " --server aws-iot://EXAMPLE-ats.iot.eu-central-1.amazonaws.com --ca AmazonRootCA1.pem"
        " --certificate-file thing-001.pem --trust key.pem.pub.der --image firmware-0.2.0.bin --version 0.2.0",
    )
)
def init(
    directory: Directory = DEFAULT_DIRECTORY,
    *,
    robot_id: Annotated[str, typer.Option("--robot-id", help="The id it was enrolled with.")],
    sku: Annotated[str, typer.Option("--sku", help="Its hardware type.")],
    server: Annotated[
        str, typer.Option("--server", help="Address of its server, https://…, or of AWS IoT Core, aws-iot://…")
    ],
    trust: Annotated[
        list[Path],
        typer.Option("--trust", metavar="<path>", help="Public key (DER) whose images it installs; repeatable."),
    ],
    image: Annotated[Path, typer.Option("--image", help="The firmware it leaves the factory with.")],
    version: Annotated[str, typer.Option("--version", help="That firmware's version.")],
    token_file: Annotated[Path | None, typer.Option("--token-file", help="File with its token.")] = None,
    certificate_file: Annotated[
        Path | None, typer.Option("--certificate-file", help="In place of a token: what `agent enrol` wrote.")
    ] = None,
    metadata_root: Annotated[
        Path | None,
        typer.Option("--metadata-root", help="First root.json of signed metadata, which must then list every offer."),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            "--mqtt", metavar="URL", help="Address of the fleet's broker, mqtts://…, to hear commands at once."
        ),
    ] = None,
    ca: Ca = None,
    self_test: Annotated[
        str | None,
        typer.Option(
            "--self-test",
            help="Command to run on trial, once for each check with its name behind it; exit code 0 passes.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a robot: a directory with two slots, the first image in one of them, and the agent's configuration."""
    from surefoot.shell.agent_config import AgentConfig, mqtt_address
    from surefoot.shell.posix import make_companion
    from surefoot.wire.image_header import has_magic
    from surefoot.wire.version import Version

    firmware = read_file(image)
    if has_magic(firmware):
        raise Refused("refused-image-format", f"{image} is a signed image: name the bare firmware it was made from.")
    if (token_file is None) == (certificate_file is None):
        raise Refused("refused-usage", "The robot needs one of --token-file and --certificate-file.")
    if mqtt is not None:
        mqtt_address(mqtt, "--mqtt")
    config = AgentConfig(
        robot_id=robot_id,
        sku=sku,
        server=server,
        token_file=None if token_file is None else token_file.resolve(),
        certificate_file=None if certificate_file is None else certificate_file.resolve(),
        trusted_keys=tuple(path.resolve() for path in trust),
        ca_file=None if ca is None else ca.resolve(),
        metadata_root=None if metadata_root is None else metadata_root.resolve(),
        mqtt=mqtt,
        self_test_command=tuple(shlex.split(self_test or "")),
    )
    make_companion(directory, config, firmware, Version.parse(version))
    value = {"directory": str(directory), "robot_id": robot_id, "version": version}
    where = "" if directory == DEFAULT_DIRECTORY else f" {directory}"
    following = f"Next: surefoot agent run{where} --once"
    output.show(value, as_json, f"Robot {robot_id} runs {version} in {directory}. {following}")


@app.command(
    epilog=example(
        "surefoot agent enrol --robot-id robot-001 --server https://127.0.0.1:8443 --ca var/surefoot/tls/ca.pem"
        " --code-file robot-001.code --certificate-file robot-001.pem",
        "surefoot agent enrol --robot-id robot-001 --server https://127.0.0.1:8443 --ca var/surefoot/tls/ca.pem"
        " --certificate-file robot-001.pem",
    )
)
def enrol(
    *,
    robot_id: Annotated[str, typer.Option("--robot-id", help="The id it was invited with.")],
    server: Annotated[str, typer.Option("--server", help="Address of its server, https://…")],
    certificate_file: Annotated[
        Path, typer.Option("--certificate-file", help="File (mode 0600) for the robot's key and certificate.")
    ],
    code_file: Annotated[
        Path | None,
        typer.Option("--code-file", help="File with its one-time code.", show_default="renew the certificate"),
    ] = None,
    ca: Ca = None,
    as_json: AsJson = False,
) -> None:
    """Get the certificate by which the server knows this robot, or renew it; the private key is made here and stays."""
    from surefoot.shell.enrolment import enrol as get_certificate

    code = None if code_file is None else read_file(code_file).decode("ascii", "replace").strip()
    expires_at_s = get_certificate(server, ca, robot_id, code, certificate_file)
    value = {"robot_id": robot_id, "certificate_file": str(certificate_file), "expires_at_s": expires_at_s}
    text = f"Robot {robot_id} has a certificate in {certificate_file}, good until {output.time_text(expires_at_s)}."
    output.show(value, as_json, text)


@app.command(epilog=example("surefoot agent run --once", "surefoot agent run robots/robot-001"))
def run(
    directory: Directory = DEFAULT_DIRECTORY,
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what there is to do now, then stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Boot the robot and keep it up to date; Ctrl-C stops, and the next start counts as a boot.

    A running agent asks its server at once when it gets SIGUSR1: `kill -USR1 PID`, or `systemctl kill -s USR1`.
    """
    from surefoot.shell.agent_process import only_agent
    from surefoot.shell.posix import Companion

    with contextlib.closing(Companion(directory, output.warn)) as companion:
        if not once:
            signal.signal(signal.SIGUSR1, lambda *_: companion.ask_now())
        with only_agent(directory, listens=not once):
            if not once:
                companion.run_forever()
            state = companion.run_once()
    value = _facts(state)
    what = f"{value['version'] or 'an image'} in slot {value['slot']} ({value['state']})"
    output.show(value, as_json, f"Robot {value['robot_id']} runs {what}; assignment: {value['assignment'] or 'none'}.")


@app.command(epilog=example("surefoot agent conditions /run/surefoot/conditions.json --json"))
def conditions(path: ConditionsFile, *, as_json: AsJson = False) -> None:
    """Show how the robot is, as its ROS 2 node says; with --json a `conditions_command` for agent.toml."""
    from surefoot.shell.ros2_conditions import read_conditions

    value = read_conditions(path)["conditions"]
    output.show(value, as_json, output.facts(list(value.items())))


@app.command(epilog=example("surefoot agent check /run/surefoot/conditions.json safety"))
def check(
    path: ConditionsFile,
    name: Annotated[str, typer.Argument(metavar="CHECK", help="safety, relay or sensors.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Wait until a check of the trial passes, as the robot's ROS 2 node says; a `self_test_command` for agent.toml."""
    from surefoot.agent.trial import CHECKS
    from surefoot.shell.ros2_conditions import await_check

    if name not in [known.name for known in CHECKS]:
        raise Refused("refused-usage", f"There is no check {name}: name safety, relay or sensors.")
    await_check(path, name)
    output.show({"check": name, "passes": True}, as_json, f"The check {name} passes.")


def _facts(state: Any) -> dict[str, Any]:
    from surefoot.agent.steps import report_of

    report = report_of(state)
    return {
        "robot_id": report.robot_id,
        "slot": report.running.slot,
        "version": report.running.version,
        "digest": report.running.digest,
        "state": report.running.state,
        "assignment": None if report.assignment is None else report.assignment.state,
        "code": None if report.assignment is None else report.assignment.code,
    }
