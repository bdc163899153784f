"""Everything the wire formats can say, for hypothesis."""

import copy
from typing import Any

from hypothesis import strategies as st

from surefoot.wire import limits
from surefoot.wire.diagnostics import ERROR, OK, STALE, WARN, Diagnostics
from surefoot.wire.fields import ID_CHARS, NAME_CHARS, PRINTABLE_CHARS
from surefoot.wire.health import TOPIC_CHARS, HealthSums, HealthWindow
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import IDLE, STATES, Journal, Label, blank_journal
from surefoot.wire.manifest import COMPANION_CHARS, Manifest, SignedManifest
from surefoot.wire.offer import Answer, Delta, Offer
from surefoot.wire.report import (
    ASSIGNMENT_STATES,
    RUNNING_STATES,
    SPARE_STATES,
    AssignmentReport,
    Report,
    SlotReport,
)
from surefoot.wire.version import Version


def word(alphabet: str, chars_max: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=1, max_size=chars_max)


IDS = word(ID_CHARS, limits.ASSIGNMENT_ID_CHARS_MAX)
NAMES = word(NAME_CHARS, limits.NAME_CHARS_MAX)
CODES = word(ID_CHARS, limits.CODE_CHARS_MAX)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
COUNTS = st.integers(0, limits.INTEGER_MAX)
SIZES = st.integers(0, limits.IMAGE_BYTES_MAX)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
KEYS = st.lists(st.binary(min_size=64, max_size=64), max_size=limits.MANIFEST_KEYS_MAX)
VERSIONS = st.integers(0, 2**32 - 1).map(Version.from_packed)
SIGNATURES = st.binary(min_size=64, max_size=64)

# A version, and a floor that does not lock it out.
VERSIONS_AND_FLOORS = st.tuples(VERSIONS, st.none() | VERSIONS).map(
    lambda pair: pair if pair[1] is None or pair[1] <= pair[0] else (pair[1], pair[0])
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    version, floor = draw(VERSIONS_AND_FLOORS)
    return Manifest(
        name=draw(NAMES),
        sku=draw(NAMES),
        version=version,
        digest=draw(DIGESTS),
        size_bytes=draw(SIZES),
        protocol=draw(st.none() | st.integers(0, 65535)),
        companion_versions=tuple(draw(st.lists(word(COMPANION_CHARS, 9), max_size=3))),
        from_version_min=draw(st.none() | VERSIONS),
        version_floor=floor,
        delta_sources=tuple(draw(st.lists(DIGESTS, max_size=limits.DELTA_SOURCES_MAX))),
        trusted_keys=tuple(draw(KEYS)),
        expires_at_s=draw(st.none() | COUNTS),
        notes=draw(st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)),
    )


MANIFESTS = manifests()
SIGNED = st.builds(
    SignedManifest,
    payload=st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=1, max_size=120).map(
        str.encode
    ),
    key_id=DIGESTS,
    signature=SIGNATURES,
)
DELTAS = st.builds(
    Delta,
    url=word(PRINTABLE_CHARS, 100),
    sha256=DIGESTS,
    size_bytes=SIZES,
    source_digest=DIGESTS,
)
OFFERS = st.builds(
    Offer,
    id=IDS,
    url=word(PRINTABLE_CHARS, 100),
    sha256=DIGESTS,
    size_bytes=st.none() | SIZES,
    digest=st.none() | DIGESTS,
    version=VERSIONS,
    sku=st.none() | NAMES,
    release=st.none() | NAMES,
    manifest=st.none() | SIGNED,
    force=st.booleans(),
    rollback=st.booleans(),
    attempt=COUNTS,
    delta=st.none() | DELTAS,
)
ANSWERS = st.builds(
    Answer,
    acknowledged=st.none() | IDS,
    offer=st.none() | OFFERS,
    cancelled=st.none() | IDS,
    stale=st.booleans(),
    next_check_s=st.none() | COUNTS,
)


def slots(states: tuple[str, ...]) -> st.SearchStrategy[SlotReport]:
    return st.builds(
        SlotReport,
        slot=NAMES,
        version=st.none() | TEXTS,
        digest=st.none() | DIGESTS,
        state=st.sampled_from(states),
    )


REPORTS = st.builds(
    Report,
    robot_id=word(NAME_CHARS, limits.ROBOT_ID_CHARS_MAX),
    sku=NAMES,
    epoch=word(ID_CHARS, limits.NAME_CHARS_MAX),
    boot=COUNTS,
    seq=COUNTS,
    running=slots(RUNNING_STATES),
    spare=st.none() | slots(SPARE_STATES),
    assignment=st.none()
    | st.builds(
        AssignmentReport,
        id=IDS,
        state=st.sampled_from(ASSIGNMENT_STATES),
        attempts=COUNTS,
        received_bytes=COUNTS,
        code=st.none() | CODES,
    ),
    version_floor=st.none() | TEXTS,
    protocol=st.none() | st.integers(0, 65535),
    companion_version=st.none() | TEXTS,
    trusted_keys=st.lists(DIGESTS, max_size=3).map(tuple),
    accepts=st.lists(word(ID_CHARS, 8), max_size=3).map(tuple),
    code=st.none() | CODES,
)
HEADERS = st.builds(
    ImageHeader, version=VERSIONS, size_bytes=st.integers(1, 2**32 - 1), digest=DIGESTS, signature=SIGNATURES
).map(ImageHeader.encode)


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    state = draw(st.sampled_from(STATES))
    return blank_journal(draw(word(ID_CHARS, limits.NAME_CHARS_MAX))).replace(
        boot=draw(COUNTS),
        state=state,
        offer=None if state == IDLE else draw(OFFERS),
        attempts=draw(COUNTS),
        restarts=draw(COUNTS),
        code=draw(st.none() | CODES),
        acknowledged=draw(st.booleans()),
        received_bytes=draw(COUNTS),
        header=draw(st.just(b"") | HEADERS),
        source_slot=draw(st.just("") | NAMES),
        source_digest=draw(st.just("") | DIGESTS),
        version_floor=draw(VERSIONS),
        labels=tuple(
            draw(st.lists(st.builds(Label, digest=DIGESTS, version=VERSIONS.map(str)), max_size=4)),
        ),
        trusted_keys=tuple(draw(KEYS)),
    )


PERCENTS = st.floats(0, 100)
TOPIC_NAMES = word(TOPIC_CHARS, limits.NAME_CHARS_MAX)
RATES = st.dictionaries(TOPIC_NAMES, st.floats(0, limits.RATE_HZ_MAX), max_size=3)


@st.composite
def health_sums(draw: st.DrawFn) -> HealthSums:
    told_s = [draw(st.floats(0, limits.WINDOW_S_MAX / 5)) for _ in range(5)]
    events = st.integers(0, limits.EVENTS_MAX)
    failed, tried = sorted((draw(events), draw(events)))
    return HealthSums(
        length_s=sum(told_s),
        ok_s=told_s[0],
        warn_s=told_s[1],
        error_s=told_s[2],
        stale_s=told_s[3],
        topics=tuple(sorted(draw(RATES).items())),
        battery_start_percent=draw(st.none() | PERCENTS),
        battery_end_percent=draw(st.none() | PERCENTS),
        charging_s=draw(st.floats(0, sum(told_s))),
        stops_operator=draw(events),
        stops_other=draw(events),
        reboots=draw(events),
        handshakes_tried=tried,
        handshakes_failed=failed,
    )


WINDOWS = st.builds(
    HealthWindow,
    robot_id=word(NAME_CHARS, limits.ROBOT_ID_CHARS_MAX),
    epoch=word(ID_CHARS, limits.NAME_CHARS_MAX),
    boot=COUNTS,
    number=COUNTS,
    sums=health_sums(),
)
SMALL_COUNTS = st.none() | st.integers(0, 20)
DIAGNOSTICS = st.builds(
    Diagnostics,
    robot_id=NAMES,
    at_s=st.none(),
    level=st.sampled_from((OK, WARN, ERROR, STALE)),
    name_count=st.just(1),
    unknown_count=st.just(0),
    battery_percent=st.none() | PERCENTS,
    charging=st.none() | st.booleans(),
    estop_active=st.none() | st.booleans(),
    estop_by_operator=st.none() | st.booleans(),
    topics=st.dictionaries(st.sampled_from(("scan", "imu")), st.floats(0, 100), max_size=2).map(
        lambda rates: tuple(rates.items())
    ),
    dtls_tried=SMALL_COUNTS,
    dtls_failed=SMALL_COUNTS,
    boot_count=SMALL_COUNTS,
    uptime_s=st.none() | st.floats(0, 100),
)

# What a stranger may put where something else belongs.
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.just("\ud800"),
    st.lists(st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def _objects_in(value: Any) -> list[Any]:
    found = [value] if isinstance(value, (dict, list)) and value else []
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        found.extend(_objects_in(inner))
    return found


@st.composite
def spoilt(draw: st.DrawFn, source: Any) -> Any:
    """Draw a JSON value that is this one but for a few odd values somewhere inside."""
    value = copy.deepcopy(source)
    for _ in range(draw(st.integers(1, 3))):
        inside = draw(st.sampled_from(_objects_in(value) or [{}]))
        keys = sorted(inside) if isinstance(inside, dict) else list(range(len(inside)))
        if keys:
            inside[draw(st.sampled_from(keys))] = draw(ODD_VALUES)
    return value
