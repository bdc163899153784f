"""Values for the store's tests, with what does not matter filled in, and a store that is not empty."""

from dataclasses import replace
from typing import Any

from surefoot.fleet.model import (
    Assignment,
    Facts,
    HistoryEntry,
    Key,
    KeyState,
    Release,
    Robot,
    Rollout,
    RolloutState,
    Status,
)
from surefoot.fleet.ports import Rows
from surefoot.rollout.plan import default_plan
from surefoot.wire.manifest import SignedManifest
from surefoot.wire.report import Report, SlotReport
from surefoot.wire.version import Version

KEY_ID = "aa" * 32


def a_robot(robot_id: str = "robot-1", **changes: Any) -> Robot:
    token = f"token of {robot_id}"
    return replace(Robot(robot_id=robot_id, sku="standard", token_sha256=token, enrolled_at_s=1.5), **changes)


def a_report(robot_id: str = "robot-1", **changes: Any) -> Report:
    return Report(
        robot_id=robot_id,
        sku="standard",
        epoch="0",
        boot=17,
        seq=42,
        running=SlotReport(slot="ota_0", version="0.2.1", digest="9f" * 32, state="confirmed"),
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(KEY_ID,),
        accepts=(),
        code=None,
    ).replace(**changes)


def some_facts(robot_id: str = "robot-1", **changes: Any) -> Facts:
    return replace(Facts(report=a_report(robot_id), received_at_s=10.25, heard_at_s=11.5), **changes)


def an_entry(robot_id: str = "robot-1", **changes: Any) -> HistoryEntry:
    return replace(HistoryEntry(robot_id=robot_id, at_s=5.0, kind="note", text="Something."), **changes)


def a_key(key_id: str = KEY_ID, **changes: Any) -> Key:
    public_key_xy = bytes(range(64))
    return replace(
        Key(key_id=key_id, name="ci", public_key_xy=public_key_xy, state=KeyState.ACTIVE, added_at_s=0.5), **changes
    )


def a_release(release_id: str = "release-1", **changes: Any) -> Release:
    release = Release(
        release_id=release_id,
        sku="standard",
        version=Version(major=1, minor=4, patch=2),
        sha256="bb" * 32,
        size_bytes=2**40,
        digest="cc" * 32,
        key_id=KEY_ID,
        manifest=SignedManifest(payload='{"na\u00efve": "\u2028"}'.encode(), key_id=KEY_ID, signature=bytes(range(64))),
        published_at_s=2.0,
    )
    return replace(release, **changes)


def a_rollout(rollout_id: str = "rollout-1", **changes: Any) -> Rollout:
    rollout = Rollout(
        rollout_id=rollout_id,
        release_id="release-1",
        sku="standard",
        plan=default_plan(("robot-1",)),
        salt=b"\x00\xffsalt",
        state=RolloutState.RUNNING,
        phase=0,
        phase_opened_at_s=3.0,
        started_at_s=3.0,
        looked_at_s=1.5,
        watched_since_s=1.25,
        soaked_s=0.5,
        reason="Started by a test.",
    )
    return replace(rollout, **changes)


def an_assignment(assignment_id: str = "assignment-1", **changes: Any) -> Assignment:
    assignment = Assignment(
        assignment_id=assignment_id,
        rollout_id="rollout-1",
        release_id="release-1",
        robot_id="robot-1",
        assigned_at_s=4.0,
        attempt=1,
        status=Status.WAITING,
        code=None,
        status_since_s=4.0,
        installed_at_s=None,
        is_open=True,
    )
    return replace(assignment, **changes)


def put_a_fleet(rows: Rows) -> None:
    """Store three robots, a key, a release and two rollouts of it, for rows that refer to them."""
    for robot_id in ("robot-1", "robot-2", "robot-3"):
        rows.put_robot(a_robot(robot_id))
    rows.put(a_key())
    rows.put(a_release())
    rows.put(a_rollout("rollout-1"))
    rows.put(a_rollout("rollout-2"))
