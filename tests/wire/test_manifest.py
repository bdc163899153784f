from support import code_of
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.limits import MANIFEST_BYTES_MAX
from surefoot.wire.manifest import (
    encode_manifest,
    parse_manifest,
    signed_manifest_from_object,
    signed_manifest_to_object,
)
from surefoot.wire.version import Version
from wire.wire_case import MANIFEST, SIGNED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODE = "refused-manifest-format"


def changed(**changes: "Any") -> bytes:
    source = parse_object(encode_manifest(MANIFEST), CODE, MANIFEST_BYTES_MAX)
    source.update(changes)
    return encode_object(source)


def envelope(**changes: "Any") -> "dict[str, Any]":
    source = signed_manifest_to_object(SIGNED)
    source.update(changes)
    return source


def test_a_manifest_comes_back_as_it_was() -> None:
    assert parse_manifest(encode_manifest(MANIFEST)) == MANIFEST
    bare = MANIFEST.replace(
        protocol=None,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )
    assert parse_manifest(encode_manifest(bare)) == bare
    names = set(parse_object(encode_manifest(bare), CODE, MANIFEST_BYTES_MAX))
    assert names == {"name", "sku", "version", "digest", "size_bytes"}


def test_a_manifest_signed_before_it_could_say_more_is_still_read() -> None:
    parsed = parse_manifest(
        b'{"name": "n", "sku": "s", "version": "1.0.0", "size_bytes": 1, "version_floor": "0.1.0", "protocol": 1, '
        b'"digest": "' + b"ab" * 32 + b'"}'
    )
    assert (parsed.companion_versions, parsed.delta_sources, parsed.from_version_min) == ((), (), None)
    assert (parsed.expires_at_s, str(parsed.version_floor)) == (None, "0.1.0")


def test_a_malformed_manifest_is_refused() -> None:
    for name, value in (
        ("name", ""),
        ("name", "a b"),
        ("sku", None),
        ("sku", 7),
        ("digest", "0" * 63),
        ("size_bytes", -1),
        ("size_bytes", 64 * 1024 * 1024 + 1),
        ("size_bytes", "1"),
        ("protocol", 65536),
        ("notes", 7),
        ("version", 3),
        ("version_floor", 3),
        ("from_version_min", 3),
        ("expires_at_s", -1),
        ("expires_at_s", "soon"),
        ("companion_versions", "0.1"),
        ("companion_versions", ["v0.1"]),
        ("companion_versions", [""]),
        ("companion_versions", ["0.1"] * 9),
        ("delta_sources", ["ab" * 31]),
        ("delta_sources", ["ab" * 33]),
        ("delta_sources", [7]),
        ("delta_sources", ["ab" * 32] * 9),
        ("trusted_keys", ["ab" * 63]),
        ("trusted_keys", ["AB" * 64]),
        ("trusted_keys", ["ab" * 64] * 4),
    ):
        assert code_of(parse_manifest, changed(**{name: value})) == CODE, (name, value)
    for name in ("version", "version_floor", "from_version_min"):
        assert code_of(parse_manifest, changed(**{name: "1.2"})) == "refused-version-format"
    for data in (b"", b"[]", b"\xff", b"{}", changed() + b" " * MANIFEST_BYTES_MAX):
        assert code_of(parse_manifest, data) == CODE


def test_a_floor_above_its_own_version_is_refused() -> None:
    floor = Version(major=0, minor=3, patch=1)
    assert code_of(MANIFEST.replace, version_floor=floor) == CODE
    assert code_of(parse_manifest, changed(version_floor=str(floor))) == CODE
    lowest_left = MANIFEST.replace(version_floor=MANIFEST.version)
    assert parse_manifest(encode_manifest(lowest_left)) == lowest_left


def test_the_signed_bytes_travel_unchanged() -> None:
    odd = b'{ "name" :\t"\\u00e4\\ud83d\\ude42 \xc3\xa4\xe2\x82\xac",\n"x": [1,  2] }'
    signed = SIGNED.replace(payload=odd)
    sent = encode_object(signed_manifest_to_object(signed))
    assert signed_manifest_from_object(parse_object(sent, CODE, 8192)) == signed


def test_a_payload_whose_bytes_a_robot_would_not_get_back_is_refused() -> None:
    # MicroPython's JSON parser does not put surrogate pairs together.
    for payload in ("\ud800", "\U0001f642"):
        assert code_of(signed_manifest_from_object, envelope(payload=payload)) == CODE


def test_notes_may_be_in_any_language() -> None:
    parsed = parse_manifest(
        b'{"name": "n", "sku": "s", "version": "1.0.0", "size_bytes": 1, "digest": "'
        + b"ab" * 32
        + b'", "notes": "\\u00e4"}'
    )
    assert parsed.notes == "\u00e4"


def test_a_malformed_envelope_is_refused() -> None:
    for name, value in (
        ("signature", "ab" * 63),
        ("signature", "AB" * 64),
        ("signature", None),
        ("key_id", "ab" * 31),
        ("payload", ""),
        ("payload", {"name": "firmware"}),
        ("payload", "x" * (MANIFEST_BYTES_MAX + 1)),
    ):
        assert code_of(signed_manifest_from_object, envelope(**{name: value})) == CODE, (name, value)
    sources: "list[Any]" = [None, [], "signed"]
    for source in sources:
        assert code_of(signed_manifest_from_object, source) == CODE
