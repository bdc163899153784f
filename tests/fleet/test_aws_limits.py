"""What devices made for AWS IoT cannot hold is said before a rollout brings it, and refused where nobody could."""

from dataclasses import replace

from fleet.fleet_case import SETTINGS, FleetCase
from support import code_of
from surefoot.fleet.aws_document import FILE_BYTES_MAX
from surefoot.fleet.aws_jobs import JobsDevice
from surefoot.fleet.aws_limits import LOOKED_MAX, NAMED_MAX, require_a_robot, warnings
from surefoot.fleet.image_signatures import ImageSignature
from surefoot.fleet.model import Release
from surefoot.fleet.ports import Rows
from surefoot.wire.image_header import HEADER_BYTES


def a_release(fleet: FleetCase, size_bytes: int = FILE_BYTES_MAX + 1) -> Release:
    release = replace(fleet.release("0.2.1"), size_bytes=size_bytes + HEADER_BYTES)
    signature = ImageSignature(release_id=release.release_id, key_id="aa" * 32, der=b"der")
    fleet.run(lambda rows: rows.put(release))
    fleet.run(lambda rows: rows.put(signature))
    return release


def a_device(fleet: FleetCase, robot_id: str) -> None:
    robot = fleet.enrol(robot_id).robot
    fleet.run(lambda rows: rows.put(JobsDevice(robot_id=robot_id, sku=robot.sku, since_s=fleet.now_s)))


def told(fleet: FleetCase, release: Release) -> list[str]:
    return fleet.run(lambda rows: warnings(rows, release, SETTINGS))


def test_the_limit_and_some_devices_are_named(fleet: FleetCase) -> None:
    release = a_release(fleet)
    for number in range(NAMED_MAX + 2):
        a_device(fleet, f"device-{number}")
    [sentence] = told(fleet, release)
    assert f"{FILE_BYTES_MAX + 1} bytes" in sentence and f"{FILE_BYTES_MAX}:" in sentence
    assert "[refused-aws-limit]" in sentence
    assert sentence.count("device-") == NAMED_MAX


def test_who_can_hold_it_and_who_is_no_such_device_is_told_nothing(fleet: FleetCase) -> None:
    release = a_release(fleet)
    fleet.enrol("robot-1")
    assert told(fleet, release) == []
    a_device(fleet, "device-1")
    assert told(fleet, a_release(fleet, FILE_BYTES_MAX)) == []


def test_a_release_without_a_signature_over_its_image_is_named_too(fleet: FleetCase) -> None:
    a_device(fleet, "device-1")
    release = fleet.release("0.2.1")
    [sentence] = told(fleet, release)
    assert "[refused-image-signature]" in sentence


def test_it_is_refused_where_every_robot_of_the_sku_would_be(fleet: FleetCase) -> None:
    release = a_release(fleet)
    a_device(fleet, "device-1")
    a_device(fleet, "device-2")

    def require(rows: Rows) -> None:
        require_a_robot(rows, release.release_id, SETTINGS)

    assert code_of(fleet.run, require) == "refused-aws-limit"
    fleet.enrol("robot-1")
    fleet.run(require)
    assert len(told(fleet, release)) == 1


def test_a_device_that_got_another_agent_since_counts_as_any_robot(fleet: FleetCase) -> None:
    release = a_release(fleet)
    a_device(fleet, "device-1")
    voice = fleet.enrol("robot-1")
    fleet.run(lambda rows: rows.put(JobsDevice(robot_id="robot-1", sku=voice.robot.sku, since_s=1.0)))
    fleet.hear(voice)
    fleet.run(lambda rows: require_a_robot(rows, release.release_id, SETTINGS))
    [sentence] = told(fleet, release)
    assert "such as device-1," in sentence


def test_of_a_large_fleet_few_robots_are_looked_at(fleet: FleetCase) -> None:
    assert LOOKED_MAX <= 1000
    release = a_release(fleet)
    a_device(fleet, "device-1")
    asked: list[str] = []

    def work(rows: object) -> None:
        class Counting:
            def __getattr__(self, name: str) -> object:
                asked.append(name)
                return getattr(rows, name)

            def robot_ids(self, sku: str) -> object:
                return (f"robot-{number:07}" for number in range(1_000_000))

        require_a_robot(Counting(), release.release_id, SETTINGS)  # type: ignore[arg-type]
        warnings(Counting(), release, SETTINGS)  # type: ignore[arg-type]

    fleet.run(work)
    assert len(asked) < 20
