"""How handlers of pages come by what they work with."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from surefoot.server.operators.dependencies import ServicesDependency
from surefoot.server.operators.permissions import Actor, Permission, needs
from surefoot.server.pages.snapshots import Snapshots

__all__ = ["Admin", "FormDependency", "Operator", "Publisher", "Reader", "ServicesDependency", "SnapshotsDependency"]

Reader = Annotated[Actor, needs(Permission.READ)]
Publisher = Annotated[Actor, needs(Permission.PUBLISH)]
Operator = Annotated[Actor, needs(Permission.OPERATE)]
Admin = Annotated[Actor, needs(Permission.ADMIN)]


def _snapshots(request: Request) -> Snapshots:
    snapshots = request.app.state.snapshots
    assert isinstance(snapshots, Snapshots)  # noqa: S101 - tells the type checker what the application holds
    return snapshots


def _form(request: Request) -> Mapping[str, str]:
    form: Mapping[str, str] = request.scope["state"]["form"]
    return form


SnapshotsDependency = Annotated[Snapshots, Depends(_snapshots)]
FormDependency = Annotated[Mapping[str, str], Depends(_form)]
