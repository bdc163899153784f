from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from surefoot.wire.codes import CODES
from surefoot.wire.errors import Refused
from surefoot.wire.fields import encode_object, parse_object
from surefoot.wire.manifest import (
    Manifest,
    SignedManifest,
    encode_manifest,
    parse_manifest,
    signed_manifest_from_object,
    signed_manifest_to_object,
)
from wire.strategies import MANIFESTS, SIGNED, spoilt
from wire.wire_case import MANIFEST
from wire.wire_case import SIGNED as ONE_SIGNED


@given(MANIFESTS)
def test_any_manifest_comes_back_as_it_was_and_can_travel(manifest: Manifest) -> None:
    payload = encode_manifest(manifest)
    assert parse_manifest(payload) == manifest
    signed = ONE_SIGNED.replace(payload=payload)
    assert signed_manifest_from_object(signed_manifest_to_object(signed)) == signed


@given(SIGNED)
def test_any_signed_bytes_travel_unchanged(signed: SignedManifest) -> None:
    sent = encode_object(signed_manifest_to_object(signed))
    assert signed_manifest_from_object(parse_object(sent, "refused-manifest-format", 8192)) == signed


@given(st.binary(max_size=300))
def test_any_bytes_are_a_manifest_or_refused(data: bytes) -> None:
    try:
        parse_manifest(data)
    except Refused as refusal:
        assert refusal.code in CODES


@given(spoilt(signed_manifest_to_object(ONE_SIGNED)))
def test_a_spoilt_envelope_is_refused_or_still_travels(source: Any) -> None:
    try:
        signed = signed_manifest_from_object(source)
    except Refused as refusal:
        assert refusal.code == "refused-manifest-format"
    else:
        assert signed_manifest_from_object(signed_manifest_to_object(signed)) == signed


@given(st.data())
def test_a_spoilt_manifest_is_refused_or_read(data: st.DataObject) -> None:
    source = parse_object(encode_manifest(MANIFEST), "refused-manifest-format", 2048)
    spoilt_source: Any = data.draw(spoilt(source))
    try:
        parse_manifest(encode_object(spoilt_source))
    except Refused as refusal:
        assert refusal.code in CODES
