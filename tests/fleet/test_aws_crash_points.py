"""Power fails at every step of an AWS-style update: the fleet's record equals what the device runs, each time."""

import pytest

from fleet.aws_agent import AgentV3
from fleet.aws_service_case import NEW, OLD, Service, device_on
from fleet.fleet_case import FleetCase
from surefoot.fleet.model import Status


@pytest.mark.parametrize("allows_downgrade", [False, True])
def test_the_record_equals_the_device_wherever_power_fails(fleet: FleetCase, allows_downgrade: bool) -> None:
    service, device = device_on(fleet, allows_downgrade=allows_downgrade)
    device.live()
    assert fleet.status().verdict.status is Status.INSTALLED
    for cut_at in range(1, device.steps + 1):
        robot_id = f"robot-cut-{cut_at}"
        service = Service(fleet, fleet.enrol(robot_id).robot)
        cut = AgentV3(ask=service.ask, running=OLD, offered=NEW, allows_downgrade=allows_downgrade, cut_at=cut_at)
        cut.live()
        status = fleet.status(robot_id).verdict.status
        assert (status is Status.INSTALLED) == (cut.running == NEW), f"cut at step {cut_at}: {status}"
        assert cut.running == NEW, f"cut at step {cut_at}: the device was left behind"
