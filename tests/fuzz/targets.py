"""Every parser of the project once: how it is called, what fuzzing starts from, and what may come out.

Nothing but a refusal with a listed code, whose sentence can be printed, may come out of any of them, and the memory
they take at most is `memory_bytes` and `memory_per_byte` for each byte of the input. What is read through a reader
or in pieces takes no memory for a larger file.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from fuzz import corpus
from fuzz.mutations import Kind
from fuzz.sealing import seal_image, seal_journal, seal_metadata, seal_table
from support import reader_of
from surefoot.cli.inspection import look_into
from surefoot.cli.rollout_plan import read_plan
from surefoot.fleet.aws_files import PREFIX as JOB_FILES_PREFIX
from surefoot.fleet.aws_files import address_of, job_at
from surefoot.fleet.aws_requests import Operation, parse_topic
from surefoot.fleet.aws_requests import parse_request as parse_jobs_request
from surefoot.fleet.aws_stream_access import parse_stream_topic
from surefoot.fleet.aws_streams import StreamError, read_get
from surefoot.fleet.aws_words import JobsError
from surefoot.fleet.documents import read_document
from surefoot.fleet.metadata import store_metadata
from surefoot.fleet.ports import Rows
from surefoot.fleet.settings import FleetSettings
from surefoot.rollout.plan_format import plan_from_object
from surefoot.server.config_file import read_config
from surefoot.server.devices.api import parse_question
from surefoot.server.devices.enrolment_request import parse_request
from surefoot.server.devices.identity import IdentityGate
from surefoot.server.devices.ranges import names_etag, parse_range
from surefoot.server.mqtt.aws_streams import decode
from surefoot.server.mqtt.quick_diagnostics import read_quickly
from surefoot.server.operators import api as operator_api
from surefoot.server.operators.models import Model
from surefoot.server.operators.oidc import parse_roles
from surefoot.server.operators.release_models import ManifestModel
from surefoot.server.operators.sessions import cookie_of
from surefoot.server.tokens import bearer_sha256
from surefoot.shell import agent_config
from surefoot.shell.controller_http import Controller
from surefoot.shell.inflate import inflate
from surefoot.shell.mqtt_packets import PacketReader
from surefoot.shell.patching import open_patched
from surefoot.shell.problems import problem_of
from surefoot.signing.metadata import read_metadata
from surefoot.trust.keys import DER_BYTES, KeyRing, PublicKey
from surefoot.trust.payload import check_payload
from surefoot.wire import embedded_signature, esp_image, esp_signature, formats, linux_bundle, mcuboot_image, otadata
from surefoot.wire.codes import CODES
from surefoot.wire.command import parse_command
from surefoot.wire.delta import PIECE_BYTES, DeltaHead, patched
from surefoot.wire.diagnostics import parse_diagnostics
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.fields import ID_CHARS, parse_object
from surefoot.wire.health import encode_health, parse_health
from surefoot.wire.health_fold import HealthFold
from surefoot.wire.image_header import ImageHeader
from surefoot.wire.journal import load_journal
from surefoot.wire.limits import CODE_CHARS_MAX, REPORT_BYTES_MAX
from surefoot.wire.manifest import parse_manifest, signed_manifest_from_object
from surefoot.wire.offer import Delta, answer_from_object, offer_from_object, parse_answer
from surefoot.wire.partition_table import parse_table
from surefoot.wire.report import parse_report, report_from_object
from surefoot.wire.topics import robot_topic
from surefoot.wire.version import Version
from wire.wire_case import WINDOW

FLASH_BYTES = 4 * 1024 * 1024
# A delta may make an image of four gigabytes; who follows it this far has seen all it can do.
MADE_BYTES_MAX = 64 * 1024
MESSAGE_CHARS_MAX = 1000
KIB = 1024
RING = KeyRing(keys=(corpus.SIGNER.public_key,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One parser, or a few that always go together.

    `names` are those of the functions, from the package on. `seal` makes digests true again in an input that was
    changed. `share` is how many inputs it gets when others get one: less where an input takes long.
    """

    names: tuple[str, ...]
    call: Callable[[bytes], object]
    corpus: Callable[[], tuple[bytes, ...]]
    kind: Kind = Kind.BYTES
    seal: Callable[[bytes], bytes] | None = None
    memory_bytes: int = 64 * KIB
    memory_per_byte: float = 0.0
    bytes_max: int = 12 * KIB
    share: float = 1.0

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    def check(self, data: bytes) -> bool:
        """Parse; return whether it was taken, False if it was refused as it may be. Whatever else comes out, passes."""
        try:
            self.call(data)
        except (Refused, Interrupted) as error:
            assert error.code in CODES, f"{error.code} is not listed"
            assert len(error.message) <= MESSAGE_CHARS_MAX, f"a sentence of {len(error.message)} characters"
            error.message.encode()
            return False
        return True


class _HeldFile:
    """A file's content with the little of `Path` that reading it needs, and without a disk."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __truediv__(self, _name: str) -> "_HeldFile":
        return self

    def __str__(self) -> str:
        return "a file"

    def read_bytes(self) -> bytes:
        return self._data

    def read_text(self, encoding: str) -> str:
        return io.TextIOWrapper(io.BytesIO(self._data), encoding).read()


def _from_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    return lambda data: read(cast(Path, _HeldFile(data)))


def _from_object(build: Callable[[Any], object]) -> Callable[[bytes], object]:
    """Call it with what is written there as JSON; what is not JSON never gets so far."""

    def call(data: bytes) -> object:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return build(value)

    return call


def _from_reader(parse: Callable[..., object]) -> Callable[[bytes], object]:
    return lambda data: parse(reader_of(data), len(data))


def _from_text(parse: Callable[..., object], *arguments: object) -> Callable[[bytes], object]:
    """Call it with what a header or a form can hold: any character of one byte."""
    return lambda data: parse(data.decode("latin-1"), *arguments)


def _version(data: bytes) -> None:
    text = data.decode("utf-8", "surrogatepass") if data.isascii() else data.decode("latin-1")
    for parse in (Version.parse, Version.parse_descriptor):
        try:
            parse(text)
        except Refused as error:
            error.message.encode()
    Version.from_packed(int.from_bytes(data[:4], "little"))


def _follow(pieces: Any) -> None:
    made = 0
    for piece in pieces:
        assert 0 < len(piece) <= PIECE_BYTES
        made += len(piece)
        if made > MADE_BYTES_MAX:
            return


def _jobs_request(data: bytes) -> None:
    refused = None
    for operation in Operation:
        try:
            parse_jobs_request(operation, data)
        except JobsError as error:
            refused = Refused("refused-command-format", f"{error.code}: {error.message}")
    if refused is not None:
        raise refused


def _stream_request(form: str) -> Callable[[bytes], object]:
    def call(data: bytes) -> object:
        try:
            blocks = read_get(decode(data, form), FLASH_BYTES)
        except StreamError as error:
            json.dumps(error.to_object())
            raise Refused("refused-command-format", f"{error.code}: {error.message}") from None
        assert sum(length for _, _, length in blocks.ranges(FLASH_BYTES)) <= 128 * KIB
        return blocks

    return call


def _patch(data: bytes) -> None:
    _follow(patched(io.BytesIO(data).read, reader_of(corpus.SOURCE), len(corpus.TARGET)))


class _Download:
    """A delta that is already here. Fills `shell.ports.Download`."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, length_bytes: int) -> bytes:
        return self._stream.read(length_bytes)

    def close(self) -> None:
        """Nothing is open."""


def _delta(data: bytes) -> None:
    said = Delta(url="x", sha256="0" * 64, size_bytes=len(data), source_digest=data[4:36].hex())
    download = open_patched(_Download(data), said, reader_of(corpus.SOURCE), inflate, first_byte=0)
    _follow(iter(lambda: download.read(PIECE_BYTES), b""))


def _documents(data: bytes) -> None:
    refusals, taken = [], False
    for read, kinds in ((read_document, (Root, Targets, Snapshot, Timestamp)), (read_metadata, (Root, Targets))):
        for kind in kinds:
            try:
                read(cast(Any, kind), data)
                taken = True
            except Refused as error:
                refusals.append(error)
    if not taken:
        raise refusals[0]


class _UndoneError(Exception):
    """Takes a transaction back that went well."""


def _store(data: bytes) -> None:
    held = corpus.repository()
    refused = None
    for root, targets in ((None, data), (data, None)):

        def work(rows: Rows, root: bytes | None = root, targets: bytes | None = targets) -> None:
            store_metadata(rows, root, targets, held.online, held.now_s)
            raise _UndoneError

        try:
            held.write(work)
        except _UndoneError:
            return
        except Refused as error:
            refused = error
    assert refused is not None
    raise refused


def _gate() -> IdentityGate:
    settings = SimpleNamespace(proxy_certificate_header="x-cert", proxy_addresses="10.0.0.5")
    return IdentityGate(cast(Any, SimpleNamespace(settings=settings)))


def _certificate(data: bytes) -> None:
    data = corpus.pem_of(b"CERTIFICATE", data)
    _gate().client_certificate({"type": "http", "client": ("10.0.0.5", 1)}, {b"x-cert": data})
    pem = data.decode("latin-1")
    extension = {"tls": {"client_cert_chain": [pem]}}
    _gate().client_certificate({"type": "http", "client": ("::1", 1), "extensions": extension}, {})


def _headers(data: bytes) -> None:
    cookie_of({b"cookie": data})
    names_etag(data.decode("latin-1"), '"etag"')
    bearer_sha256(data)


MODELS: list[type[BaseModel]] = [model for model in Model.__subclasses__() if model.__name__.endswith("In")]


def _body(value: object) -> None:
    """Take an operator's body as each of those there are; a refusal is made into its answer."""
    models: list[type[BaseModel]] = [*MODELS, ManifestModel]
    for model in models:
        try:
            found = model.model_validate(value)
        except ValidationError as error:
            operator_api._on_validation_error(cast(Any, None), RequestValidationError(error.errors()))
        else:
            if isinstance(found, ManifestModel):
                found.signed()


class _SaidController(Controller):
    """A controller that says this."""

    def __init__(self, data: bytes) -> None:
        super().__init__("http://controller", "token")
        self._data = data

    def _ask(self, *_request: object) -> tuple[int, bytes]:
        return 200, self._data


def _packets(data: bytes) -> None:
    reader = PacketReader(1000)
    for at in range(0, len(data), 100):
        reader.feed(data[at : at + 100])


def _problem(data: bytes) -> None:
    code, detail = problem_of(data, 500)
    assert 0 < len(code) <= CODE_CHARS_MAX and not code.strip(ID_CHARS), f"{code!r} is no code that a report can carry"
    detail.encode()


def _fold(data: bytes) -> None:
    """Whatever diagnostics say, the window that comes of them can be sent."""
    fold = HealthFold(0.0)
    read_quickly(data)
    for second in range(3):
        fold.add(parse_diagnostics(data), float(second))
    window = WINDOW.replace(sums=fold.take(3.0))
    assert parse_health(encode_health(window)) == window


FILE_SETTINGS = FleetSettings(public_url="https://fleet.test", file_key=b"a key")
# JSON takes most memory for the least bytes as arrays in arrays; YAML's reader keeps a note of each place.
JSON_PER_BYTE = 120.0
TEXT_PER_BYTE = 1500.0
IMAGE = {"seal": seal_image, "memory_bytes": 256 * KIB}
OBJECT: dict[str, Any] = {"kind": Kind.JSON, "memory_per_byte": JSON_PER_BYTE}

TARGETS = (
    Target(
        names=("wire.fields.parse_object",),
        call=lambda data: parse_object(data, "refused-report-format", REPORT_BYTES_MAX),
        corpus=corpus.reports,
        **OBJECT,
    ),
    Target(names=("wire.report.parse_report",), call=parse_report, corpus=corpus.reports, **OBJECT),
    Target(
        names=("wire.report.report_from_object",),
        call=_from_object(report_from_object),
        corpus=corpus.reports,
        **OBJECT,
    ),
    Target(names=("wire.manifest.parse_manifest",), call=parse_manifest, corpus=corpus.manifests, **OBJECT),
    Target(
        names=("wire.manifest.signed_manifest_from_object",),
        call=_from_object(signed_manifest_from_object),
        corpus=corpus.signed_manifests,
        **OBJECT,
    ),
    Target(
        names=("wire.offer.offer_from_object",), call=_from_object(offer_from_object), corpus=corpus.offers, **OBJECT
    ),
    Target(names=("wire.offer.parse_answer",), call=parse_answer, corpus=corpus.answers, **OBJECT),
    Target(
        names=("wire.offer.answer_from_object",),
        call=_from_object(answer_from_object),
        corpus=corpus.answers,
        **OBJECT,
    ),
    Target(names=("wire.command.parse_command",), call=parse_command, corpus=corpus.commands, **OBJECT),
    Target(
        names=("fleet.aws_requests.parse_topic", "fleet.aws_stream_access.parse_stream_topic"),
        call=_from_text(lambda topic: (parse_topic(topic), parse_stream_topic(topic))),
        corpus=lambda: (b"$aws/things/robot-1/jobs/$next/get", b"$aws/things/robot-1/streams/AFR_OTA-1-1/get/cbor"),
        kind=Kind.TEXT,
        memory_per_byte=80.0,
    ),
    Target(
        names=("fleet.aws_files.job_at",),
        call=_from_text(job_at, FILE_SETTINGS.file_key),
        corpus=lambda: (str(address_of("AFR_OTA-1-1", FILE_SETTINGS)).partition(JOB_FILES_PREFIX)[2].encode(),),
        kind=Kind.TEXT,
        memory_per_byte=16.0,
    ),
    Target(names=("fleet.aws_requests.parse_request",), call=_jobs_request, corpus=corpus.jobs_requests, **OBJECT),
    Target(
        names=("fleet.aws_streams.read_get", "server.mqtt.aws_streams.decode"),
        call=_stream_request("json"),
        corpus=lambda: corpus.stream_requests("json"),
        **OBJECT,
    ),
    Target(
        names=("server.mqtt.aws_streams.decode of CBOR",),
        call=_stream_request("cbor"),
        corpus=lambda: corpus.stream_requests("cbor"),
        memory_per_byte=JSON_PER_BYTE,
    ),
    Target(
        names=("wire.health.parse_health", "wire.health.health_from_object"),
        call=lambda data: parse_health(encode_health(parse_health(data))),
        corpus=corpus.windows,
        **OBJECT,
    ),
    Target(
        names=(
            "wire.diagnostics.parse_diagnostics",
            "wire.diagnostics.diagnostics_from_object",
            "wire.diagnostics_values.read_values",
            "server.mqtt.quick_diagnostics.read_quickly",
        ),
        call=_fold,
        corpus=corpus.diagnostics,
        **OBJECT,
    ),
    Target(
        names=("wire.topics.robot_topic",),
        call=_from_text(robot_topic),
        corpus=lambda: (b"fleet/robot-001/report", b"fleet/robot-001/commands/ota"),
        kind=Kind.TEXT,
        memory_per_byte=16.0,
    ),
    Target(
        names=("wire.journal.load_journal",),
        call=lambda data: load_journal((data[:4096], data[4096:])),
        corpus=corpus.journals,
        seal=seal_journal,
        memory_per_byte=JSON_PER_BYTE,
    ),
    Target(names=("wire.image_header.ImageHeader.parse",), call=ImageHeader.parse, corpus=corpus.header_bytes),
    Target(
        names=(
            "wire.version.Version.parse",
            "wire.version.Version.parse_descriptor",
            "wire.version.Version.from_packed",
        ),
        call=_version,
        corpus=lambda: (b"0.3.0", b"v1.4.2", b"65535.255.255", b"v1.4.2-12-gdeadbee"),
        kind=Kind.TEXT,
        memory_per_byte=80.0,
    ),
    Target(names=("wire.otadata.parse_record",), call=otadata.parse_record, corpus=corpus.records),
    Target(
        names=("wire.partition_table.parse_table",),
        call=lambda data: parse_table(data, FLASH_BYTES),
        corpus=corpus.tables,
        seal=seal_table,
    ),
    Target(
        names=("wire.esp_image.measure", "wire.esp_image.verify", "wire.esp_image.verify_whole"),
        call=_from_reader(lambda read, size: (esp_image.verify(read, size), esp_image.verify_whole(read, size))),
        corpus=corpus.esp_images,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("wire.esp_signature.read_signatures",),
        call=_from_reader(lambda read, size: esp_signature.read_signatures(read, 1024, size)),
        corpus=corpus.esp_images,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("wire.embedded_signature.decode_der",),
        call=embedded_signature.decode_der,
        corpus=lambda: tuple(map(embedded_signature.encode_der, (bytes(range(64)), bytes(64), b"\xff" * 64))),
    ),
    Target(
        names=("wire.mcuboot_image.parse",),
        call=_from_reader(mcuboot_image.parse),
        corpus=corpus.mcuboot_images,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("wire.linux_bundle.parse_swu", "wire.linux_bundle.is_swu"),
        call=_from_reader(lambda read, size: (linux_bundle.is_swu(read(0, 136)), linux_bundle.parse_swu(read, size))),
        corpus=corpus.archives,
        memory_bytes=512 * KIB,
    ),
    Target(names=("wire.linux_bundle.parse_rauc",), call=_from_reader(linux_bundle.parse_rauc), corpus=corpus.bundles),
    Target(
        names=("wire.formats.recognise", "wire.formats.recognise_inside"),
        call=_from_reader(formats.recognise),
        corpus=corpus.images,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("trust.payload.check_payload", "trust.payload.signer_of"),
        call=lambda data: check_payload(data, RING),
        # The whole builds, too: a megabyte and more each.
        corpus=lambda: (*corpus.images(), *corpus.builds()),
        bytes_max=2 * KIB * KIB,
        share=0.05,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("cli.inspection.look_into",),
        call=lambda data: look_into(data, RING),
        corpus=corpus.images,
        share=0.2,
        memory_per_byte=1.1,
        **cast(Any, IMAGE),
    ),
    Target(
        names=("trust.keys.PublicKey.from_der", "trust.keys.PublicKey.from_xy"),
        call=lambda data: PublicKey.from_der(data) if len(data) == DER_BYTES else PublicKey.from_xy(data),
        corpus=lambda: (RING.keys[0].der, RING.keys[0].xy),
    ),
    Target(names=("wire.delta.DeltaHead.parse",), call=DeltaHead.parse, corpus=lambda: (corpus.deltas()[0][:172],)),
    Target(names=("wire.delta.patched",), call=_patch, corpus=corpus.patches, share=0.5),
    Target(
        names=("shell.patching.open_patched", "shell.inflate.inflate"), call=_delta, corpus=corpus.deltas, share=0.5
    ),
    Target(
        names=("shell.agent_config.read_config",),
        call=_from_file(agent_config.read_config),
        corpus=corpus.agent_settings,
        kind=Kind.TEXT,
        memory_per_byte=TEXT_PER_BYTE,
        share=0.5,
    ),
    Target(
        names=("shell.controller_http.Controller.status",),
        call=lambda data: _SaidController(data).status().error.encode(),
        corpus=corpus.statuses,
        **OBJECT,
    ),
    Target(
        names=("shell.mqtt_packets.PacketReader.feed",),
        call=_packets,
        corpus=corpus.mqtt_packets,
        memory_per_byte=60.0,
    ),
    Target(
        names=("shell.problems.problem_of",),
        call=_problem,
        corpus=lambda: (b'{"type":"urn:surefoot:problem:refused-token","detail":"No."}', b'{"type":"about:blank"}'),
        **OBJECT,
    ),
    Target(
        names=("rollout.plan_format.plan_from_object",),
        call=_from_object(plan_from_object),
        corpus=corpus.plans,
        **OBJECT,
    ),
    Target(
        names=("cli.rollout_plan.read_plan",),
        call=_from_file(read_plan),
        corpus=corpus.yaml_plans,
        kind=Kind.TEXT,
        memory_per_byte=TEXT_PER_BYTE,
        share=0.1,
    ),
    Target(
        names=("fleet.documents.read_document", "signing.metadata.read_metadata"),
        call=_documents,
        corpus=corpus.documents,
        share=0.3,
        memory_bytes=512 * KIB,
        **OBJECT,
    ),
    Target(
        names=("fleet.metadata.store_metadata",),
        call=_store,
        corpus=corpus.next_documents,
        seal=seal_metadata,
        share=0.2,
        memory_bytes=512 * KIB,
        **OBJECT,
    ),
    Target(
        names=("server.devices.ranges.parse_range",),
        call=_from_text(parse_range, 1000),
        corpus=lambda: (b"bytes=0-99", b"bytes=-5", b"bytes=999-", b"bytes=1000-", b"bytes=0-1,3-4", b"items=0-"),
        kind=Kind.TEXT,
        memory_per_byte=16.0,
    ),
    Target(
        names=(
            "server.tokens.bearer_sha256",
            "server.operators.sessions.cookie_of",
            "server.devices.ranges.names_etag",
        ),
        call=_headers,
        corpus=lambda: (b"Bearer 0123", b"Basic eDp5", b"surefoot_session=x; a=b", b'W/"etag", "b", *'),
        kind=Kind.TEXT,
        memory_per_byte=200.0,
    ),
    Target(
        names=("server.devices.api.parse_question",),
        call=parse_question,
        corpus=lambda: (b"sku=standard&version=0.1.0", b"sku=%00&version=%ff", b"a=1&" * 20),
        kind=Kind.TEXT,
        memory_per_byte=300.0,
    ),
    Target(
        names=("server.devices.enrolment_request.parse_request",),
        call=lambda data: parse_request(corpus.pem_of(b"CERTIFICATE REQUEST", data).decode("latin-1")),
        corpus=corpus.requests,
        memory_per_byte=16.0,
        share=0.3,
    ),
    Target(
        names=("server.devices.identity.IdentityGate.client_certificate",),
        call=_certificate,
        corpus=corpus.certificates,
        memory_per_byte=200.0,
        share=0.5,
    ),
    Target(
        names=("server.config_file.read_config",),
        call=_from_file(read_config),
        corpus=corpus.settings,
        kind=Kind.TEXT,
        memory_per_byte=TEXT_PER_BYTE,
        share=0.5,
    ),
    Target(
        names=("server.operators.oidc.parse_roles",),
        call=_from_text(parse_roles),
        corpus=lambda: (b"fleet-admins=admin,engineers=publisher,*=viewer",),
        kind=Kind.TEXT,
        memory_per_byte=200.0,
    ),
    Target(
        names=("server.operators.models.Model",),
        call=_from_object(_body),
        corpus=corpus.bodies,
        memory_bytes=256 * KIB,
        share=0.2,
        **OBJECT,
    ),
)
BY_NAME = {target.name: target for target in TARGETS}
