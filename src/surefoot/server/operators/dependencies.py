"""How handlers of the operator plane come by the services."""

from typing import Annotated

from fastapi import Depends, Request

from surefoot.server.services import Services


def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101 - tells the type checker what the application holds
    return services


ServicesDependency = Annotated[Services, Depends(_services)]
