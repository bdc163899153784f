"""Who may do what: permissions, the roles that bring them, and the dependency by which a route names what it needs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import Depends, Request

from surefoot.fleet.access import PERMISSIONS_OF, Permission, Role
from surefoot.wire.errors import Refused

__all__ = [
    "PERMISSIONS_OF",
    "Actor",
    "How",
    "Needs",
    "Permission",
    "Role",
    "actor_of",
    "find_actor",
    "needs",
    "still_needs",
]


class How(StrEnum):
    """By what an actor proved who they are."""

    TOKEN = "token"  # noqa: S105 - a word
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who sent a request. `permissions` are the role's, or fewer when a token's scopes say so."""

    name: str
    role: Role
    how: How
    permissions: frozenset[Permission]


class Needs:
    """A dependency that lets through who has the permission, and returns who it is."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request) -> Actor:
        """Return the actor; raise `Refused` (`refused-permission`)."""
        actor = actor_of(request)
        if self.permission not in actor.permissions:
            detail = f"This needs the permission {self.permission}, which {actor.name} does not have: ask an admin."
            raise Refused("refused-permission", detail)
        return actor


def needs(permission: Permission) -> Any:
    """Return what a route declares to be reached only with this permission; its value is the `Actor`."""
    return Depends(Needs(permission))


async def find_actor(state: dict[str, Any]) -> None:
    """Let the gate look up who sent the request, as of now; `Refused` when that is nobody any more."""
    state["actor"] = await state["find_actor"]()


async def still_needs(request: Request, permission: Permission) -> Actor:
    """Return the actor as of now, for a handler that took long to read what was sent.

    Raises:
        Refused: `refused-permission`, `refused-token`, `refused-session` when it lost its leave meanwhile.
    """
    await find_actor(request.scope["state"])
    return Needs(permission)(request)


def actor_of(request: Request) -> Actor:
    """Return who sent the request; the operator gate has found that out before any route is reached."""
    actor = request.scope["state"]["actor"]
    assert isinstance(actor, Actor)  # noqa: S101 - tells the type checker what the gate left there
    return actor
