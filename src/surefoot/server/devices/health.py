"""Health windows over HTTPS, for robots without MQTT: they count in gates and triggers as well."""

from starlette.types import Receive, Scope

from surefoot.fleet.enrolment import check_speaks_for_itself
from surefoot.fleet.health import take_health
from surefoot.fleet.ports import Rows
from surefoot.server.asgi import Response, read_body
from surefoot.server.devices.identity import Identity, confirm
from surefoot.server.services import Services
from surefoot.wire import limits
from surefoot.wire.health import parse_health


async def health_response(services: Services, scope: Scope, receive: Receive, identity: Identity) -> Response:
    """Take a robot's health window and answer 204, also to one that was counted before.

    Raises:
        Refused: `refused-health-format`, `refused-robot-mismatch`.
    """
    body = await read_body(dict(scope["headers"]), receive, limits.HEALTH_BYTES_MAX, services.settings.body_timeout_s)
    window = parse_health(body)

    def work(rows: Rows) -> None:
        now_s = services.now_s()
        robot = confirm(rows, identity, now_s)
        check_speaks_for_itself(robot.robot_id, window.robot_id)
        take_health(rows, robot.robot_id, window, now_s)

    await services.write(work, about=identity.robot.robot_id)
    return Response(status=204, headers={b"cache-control": b"no-store"})
