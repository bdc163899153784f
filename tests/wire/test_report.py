from support import code_of
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.limits import REPORT_BYTES_MAX, ROBOT_ID_CHARS_MAX
from surefoot.wire.report import (
    ASSIGNMENT_STATES,
    FIRST_EPOCH,
    RUNNING_STATES,
    SPARE_STATES,
    encode_report,
    parse_report,
    report_to_object,
)
from wire.wire_case import DIGEST, REPORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MINIMAL = {"robot_id": "r", "sku": "s", "boot": 0, "seq": 0, "running": {"slot": "a", "state": "confirmed"}}


def changed(path: str, value: "Any") -> bytes:
    """Return the full report with one value changed, nested ones named with a dot."""
    source = report_to_object(REPORT)
    target = source
    names = path.split(".")
    for name in names[:-1]:
        target = target[name]
    target[names[-1]] = value
    return encode_object(source)


def refused(path: str, value: "Any") -> bool:
    return code_of(parse_report, changed(path, value)) == "refused-report-format"


def test_a_report_comes_back_as_it_was() -> None:
    assert parse_report(encode_report(REPORT)) == REPORT
    bare = REPORT.replace(
        spare=None,
        assignment=None,
        version_floor=None,
        protocol=None,
        companion_version=None,
        trusted_keys=(),
        accepts=(),
        code=None,
    )
    assert parse_report(encode_report(bare)) == bare


def test_a_robot_that_can_say_less_says_less() -> None:
    report = parse_report(encode_object(MINIMAL))
    assert report.epoch == FIRST_EPOCH
    assert (report.running.digest, report.running.version) == (None, None)
    assert report.spare is None and report.assignment is None and report.trusted_keys == ()
    assert report.accepts == (), "a robot that says nothing of deltas takes none"
    for name in MINIMAL:
        less = {key: value for key, value in MINIMAL.items() if key != name}
        assert code_of(parse_report, encode_object(less)) == "refused-report-format", name


def test_what_a_newer_robot_says_more_is_ignored() -> None:
    assert parse_report(changed("mood", {"of": ["the", "day"]})) == REPORT


def test_every_state_is_taken_where_it_belongs() -> None:
    for state in RUNNING_STATES:
        assert parse_report(changed("running.state", state)).running.state == state
    for state in SPARE_STATES:
        spare = parse_report(changed("spare.state", state)).spare
        assert spare is not None and spare.state == state
    for state in ASSIGNMENT_STATES:
        assignment = parse_report(changed("assignment.state", state)).assignment
        assert assignment is not None and assignment.state == state
    assert refused("running.state", "empty")
    assert refused("spare.state", "trial")
    assert refused("assignment.state", "idle")


def test_a_field_of_the_wrong_kind_is_refused() -> None:
    for path, value in (
        ("robot_id", "a b"),
        ("robot_id", "r" * (ROBOT_ID_CHARS_MAX + 1)),
        ("robot_id", None),
        ("sku", 7),
        ("epoch", "a.b"),
        ("boot", -1),
        ("boot", 1.5),
        ("seq", True),
        ("seq", "42"),
        ("running", []),
        ("running.digest", DIGEST[:-1]),
        ("running.slot", ""),
        ("spare", "ota_1"),
        ("assignment.id", "a" * 64),
        ("assignment.attempts", -1),
        ("assignment.code", "not a code"),
        ("protocol", 65536),
        ("trusted_keys", ["ab" * 31]),
        ("trusted_keys", ["AB" * 32]),
        ("trusted_keys", ["ab" * 15 + "\u0000\u0000" + "ab" * 16]),
        ("trusted_keys", [7]),
        ("trusted_keys", ["ab" * 32] * 17),
        ("accepts", "sfd1"),
        ("accepts", [""]),
        ("accepts", ["a\u0000b"]),
        ("accepts", [1]),
        ("accepts", ["sfd1"] * 9),
        ("code", ""),
    ):
        assert refused(path, value), (path, value)


def test_text_that_would_break_a_database_is_refused() -> None:
    for path in ("running.version", "spare.version", "version_floor", "companion_version"):
        assert refused(path, "1.0\u0000"), path
    for path in ("running.version", "companion_version"):
        lone = changed(path, "SURROGATE").replace(b"SURROGATE", b"\\ud800")
        assert code_of(parse_report, lone) == "refused-report-format"


def test_old_firmware_may_report_whatever_its_build_called_itself() -> None:
    assert parse_report(changed("running.version", "v1.2-3-g9f3c1ab dirty")).running.version == "v1.2-3-g9f3c1ab dirty"


def test_what_is_unset_is_not_sent() -> None:
    source = parse_object(encode_report(REPORT.replace(spare=None, code=None)), "refused-report-format", 8192)
    assert "spare" not in source and "code" not in source
    source = report_to_object(REPORT.replace(accepts=()))
    assert "accepts" not in source


def test_a_report_has_a_size_limit() -> None:
    padded = changed("padding", "x" * REPORT_BYTES_MAX)
    assert code_of(parse_report, padded) == "refused-report-format"
