"""What fuzzing starts from: real images, what the project's own encoders write, and what foreign tools sign.

CSRs and certificates are made anew with each process, as their keys are; everything else is the same every time.
"""

import base64
import json
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from functools import cache
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tuf.api.metadata import Root

from fuzz.sealing import seal_image
from metadata_case import ROOT, TARGETS, Repository, a_signer, signed
from server.robot_keys import OtherCa, csr
from surefoot.rollout.plan import default_plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.shell.mqtt_packets import encode_publish
from surefoot.signing import metadata as offline
from surefoot.signing.delta import make_delta
from surefoot.signing.image import sign_esp_idf, sign_image, sign_mcuboot
from surefoot.sim.firmware import arduino_image, real_images
from surefoot.sim.images import app_image
from surefoot.wire import esp_image
from surefoot.wire.command import answer_command, cancel_command, encode_command, encode_nudge, offer_command
from surefoot.wire.health import encode_health
from surefoot.wire.journal import encode_journal
from surefoot.wire.manifest import encode_manifest, signed_manifest_to_object
from surefoot.wire.offer import encode_answer, offer_to_object
from surefoot.wire.otadata import encode_record
from surefoot.wire.partition_table import APP, APP_OTA_0, DATA, DATA_OTA, PartitionEntry, encode_table
from surefoot.wire.report import encode_report, report_to_object
from surefoot.wire.version import Version
from wire.delta_case import delta_file, patch_of
from wire.image_case import SWU, cpio, mcuboot_image, rauc_bundle, robo_image, signed_esp_image
from wire.wire_case import ANSWER, DIAGNOSTICS, HEADER, JOURNAL, MANIFEST, OFFER, REPORT, SIGNED, WINDOW

SIGNER = a_signer(0)
VERSION = Version.parse("1.2.3")
SEGMENT_BYTES = 512
SOURCE = random.Random(1).randbytes(3000)
TARGET = SOURCE[500:2500] + b"new" * 100 + SOURCE[:700]
BOMB_BYTES = 8 * 1024 * 1024


def shortened(image: bytes) -> bytes:
    """Return a real build with the first bytes of each of its segments, whole again in itself."""
    short, offset = image[: esp_image.HEADER_BYTES], esp_image.HEADER_BYTES
    for _ in range(image[1]):
        address, length = struct.unpack("<II", image[offset : offset + 8])
        kept = min(length, SEGMENT_BYTES)
        short += struct.pack("<II", address, kept) + image[offset + 8 : offset + 8 + kept]
        offset += 8 + length
    return seal_image(short + bytes(16 - len(short) % 16 + 32))


@cache
def builds() -> tuple[bytes, ...]:
    """Return whole builds that none of us made."""
    return (*real_images(), arduino_image())


@cache
def esp_images() -> tuple[bytes, ...]:
    short = tuple(map(shortened, builds()))
    ours = app_image("1.2.3", size_bytes=1024)
    return (*short, ours, sign_esp_idf(ours, VERSION, SIGNER), signed_esp_image(ours), ours + b"\xff" * 100)


@cache
def mcuboot_images() -> tuple[bytes, ...]:
    firmware = b"firmware" * 50
    return (mcuboot_image(), sign_mcuboot(firmware, VERSION, SIGNER), *_foreign_images(firmware))


def _foreign_images(firmware: bytes) -> tuple[bytes, ...]:
    """Return what imgtool signs, in all its ways."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = ec.derive_private_key(0x5EED, ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        (folder / "build.bin").write_bytes(firmware)
        tool = str(Path(sys.executable).with_name("imgtool"))
        fixed = ("sign", "--version", "1.2.3+7", "--align", "4", "--header-size", "32", "--pad-header")
        slot = ("--slot-size", "0x1000", "--key", "key.pem")
        for options in ("", "--security-counter 9 --public-key-format full", "--pad --confirm"):
            command = [tool, *fixed, *slot, *options.split(), "build.bin", "image.bin"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            found.append((folder / "image.bin").read_bytes())
    return tuple(found)


@cache
def images() -> tuple[bytes, ...]:
    """Return files of every format."""
    firmware = app_image("1.2.3", size_bytes=1024)
    robo = (sign_image(firmware, VERSION, SIGNER), robo_image(b"anything"), robo_image(mcuboot_image()))
    return (*robo, *esp_images(), *mcuboot_images(), *archives(), *bundles())


def archives() -> tuple[bytes, ...]:
    return (SWU, cpio([(b"sw-description", b"software = {};"), (b"root.ext4", b"x" * 99)], b"070701"))


def bundles() -> tuple[bytes, ...]:
    return (rauc_bundle(200), rauc_bundle(200, tree_bytes=4096), b"?" * 4096 + rauc_bundle(100, oid=3)[4096:])


@cache
def deltas() -> tuple[bytes, ...]:
    """Return deltas of `SOURCE`: made by detools, by hand, and one that unpacks to a thousand times its size."""
    target = robo_image(TARGET)
    packer = zlib.compressobj(9, zlib.DEFLATED, 10)
    bomb = packer.compress(patch_of(len(TARGET)) + bytes(BOMB_BYTES)) + packer.flush()
    made = make_delta(robo_image(SOURCE), target)
    return (made, delta_file(SOURCE, target), delta_file(SOURCE, target)[:172] + bomb)


def patches() -> tuple[bytes, ...]:
    """Return what deltas unpack to."""
    size_bytes = len(TARGET)
    rounds = ((bytes(600), b"new" * 100, -400), (bytes(700), b"", 5), (b"", b"plain" * 10, 0))
    return (zlib.decompress(deltas()[0][172:]), patch_of(size_bytes, *rounds), patch_of(size_bytes))


def header_bytes() -> tuple[bytes, ...]:
    return (HEADER, images()[0][:136])


def journals() -> tuple[bytes, ...]:
    whole = encode_journal(JOURNAL, 7)
    return (whole, whole.ljust(4096, b"\xff") + encode_journal(JOURNAL.replace(boot=18), 8), b"\xff" * 4096)


def tables() -> tuple[bytes, ...]:
    entries = tuple(
        PartitionEntry(kind=kind, subtype=subtype, offset_bytes=at, size_bytes=0x10000, label=label, flags=0)
        for label, kind, subtype, at in (
            ("otadata", DATA, DATA_OTA, 0x10000),
            ("ota_0", APP, APP_OTA_0, 0x20000),
            ("ota_1", APP, APP_OTA_0 + 1, 0x30000),
        )
    )
    table = encode_table(entries)
    return (table, table[: 32 * 5])


def records() -> tuple[bytes, ...]:
    return (encode_record(1, 2), encode_record(0xFFFFFFFF, 0xFFFFFFFF))


def reports() -> tuple[bytes, ...]:
    bare = {"robot_id": "r", "sku": "s", "boot": 1, "seq": 2, "running": {"slot": "a", "state": "trial"}}
    return (encode_report(REPORT), _json(bare), _json(report_to_object(REPORT.replace(spare=None))))


def manifests() -> tuple[bytes, ...]:
    return (encode_manifest(MANIFEST), encode_manifest(MANIFEST.replace(notes=None, delta_sources=())))


def signed_manifests() -> tuple[bytes, ...]:
    return (_json(signed_manifest_to_object(SIGNED)),)


def offers() -> tuple[bytes, ...]:
    minimal = {"url": "https://x.test/1", "sha256": "ab" * 32, "version": "1.0.0"}
    return (_json(offer_to_object(OFFER)), _json(minimal))


def answers() -> tuple[bytes, ...]:
    return (encode_answer(ANSWER), encode_answer(ANSWER.replace(offer=None, cancelled="01J")))


def plans() -> tuple[bytes, ...]:
    return (_json(plan_to_object(default_plan(("robot-001",)))), _json({"phases": [{"name": "full", "percent": 100}]}))


def yaml_plans() -> tuple[bytes, ...]:
    written = (
        b"# a plan\ncapacity: 10\nphases:\n  - name: first\n    robots: [robot-001, robot-002]\n    soak_s: 3600\n"
        b"  - &full {name: full, percent: 100.0, soak_s: 86_400}\nsilence_deadline_s: 1.0e+5\nrepair_drift: yes\n"
    )
    return (written, *plans())


@cache
def requests() -> tuple[bytes, ...]:
    """Return certificate requests with keys that are taken, and with others."""
    keys = (None, rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()))
    found = tuple(csr("robot-001", key).encode() for key in keys)
    return (*found, *map(_der, found))


@cache
def certificates() -> tuple[bytes, ...]:
    authority = OtherCa()
    found = (authority.pem, authority.issue("robot-001").encode())
    return (*found, *map(_der, found))


def pem_of(label: bytes, data: bytes) -> bytes:
    """Return DER as PEM; what is PEM already stays as it is."""
    if data.startswith(b"--"):
        return data
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, base64.encodebytes(data), label)


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


@cache
def repository() -> Repository:
    """Return signed metadata with one release in it."""
    made = Repository()
    made.set_up()
    made.publish("1.0.0")
    return made


def documents() -> tuple[bytes, ...]:
    return tuple(repository().files().values())


@cache
def next_documents() -> tuple[bytes, ...]:
    """Return what may be stored next: a list of targets with a release more in it, and a root."""
    held = repository()
    held.write(lambda rows: rows.put(held.release("1.1.0")))
    listing = held.listing(held.release("1.1.0"))
    root = offline.renewed(held.newest(Root), held.now)
    return (signed(listing, TARGETS), signed(root, ROOT))


def settings() -> tuple[bytes, ...]:
    text = b'# server\nport = 8443\nhost = "::"\n"access_log" = true\nrate = 1.5\nsince = 2026-01-01T00:00:00Z\n'
    return (text, text + b"many = [1, 2, { a = 'b' }]\nlong = '''\na = 1\n'''\n")


def agent_settings() -> tuple[bytes, ...]:
    text = (
        b'robot_id = "robot-001"\nsku = "standard"\nserver = "https://fleet.test"\ntrusted_keys = ["key.der"]\n'
        b'token_file = "token"\nversion_floor = "0.0.0"\ndriver = "directory"\nself_test_command = ["true", "x"]\n'
        b'mqtt = "mqtts://broker.test:8883"\n'
    )
    return (text,)


def mqtt_packets() -> tuple[bytes, ...]:
    """Return what brokers say: an answer to CONNECT, acknowledgements, a message, one too long to be held."""
    answers = (b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01\x40\x02\x00\x02\xd0\x00")
    messages = (encode_publish(7, "fleet/robot-001/commands/ota", bytes(size), retain=False) for size in (30, 2000))
    return (*answers, *messages)


def bodies() -> tuple[bytes, ...]:
    """Return what operators send."""
    manifest = signed_manifest_to_object(SIGNED)
    return tuple(
        _json(body)
        for body in (
            {"sku": "standard", "sha256": "ab" * 32, "manifest": manifest, "targets": "{}"},
            {"release_id": "r", "plan": plan_to_object(default_plan())},
            {"robot_id": "robot-001", "sku": "standard", "internal": True},
            {"name": "anna", "role": "admin", "password": "long enough for anyone", "reason": "why", "days": 30},
            {"url": "https://x.test/", "events": ["rollout-halted"]},
        )
    )


def statuses() -> tuple[bytes, ...]:
    body = {"status": "idle", "progress": 100, "version": "0.2.1", "error": None, "digest": "ab" * 32, "slot": "ota_0"}
    return (_json(body), _json({"status": "error", "version": "1.0.0", "error": {"why": ["no"]}}))


def commands() -> tuple[bytes, ...]:
    said = (answer_command(ANSWER, REPORT), cancel_command("01J"), offer_command(OFFER))
    return (*map(encode_command, said), encode_nudge(OFFER), b'{"rollback": true}')


def jobs_requests() -> tuple[bytes, ...]:
    update = {"status": "IN_PROGRESS", "statusDetails": {"self_test": "ready", "updatedBy": "0x01000000"}}
    counted = {"expectedVersion": "2", "executionNumber": 1, "includeJobExecutionState": True, "clientToken": "t"}
    return (_json(update | counted), _json({"status": "FAILED", "statusDetails": {"reason": "rejected: 0x00000011"}}))


def stream_requests(form: str) -> tuple[bytes, ...]:
    found = []
    for bitmap in ("0x0580", "MQ=="):
        request = {"c": "t", "s": 1, "f": 0, "l": 4096, "o": 3, "n": 4, "b": bitmap}
        request["b"] = bitmap if form == "json" else bitmap.encode()
        found.append(_json(request) if form == "json" else cbor2.dumps(request))
    # A map that does not say how long it is.
    return (*found, b"{}") if form == "json" else (*found, b"\xbf\x61f\x00\x61l\x19\x10\x00\xff")


def windows() -> tuple[bytes, ...]:
    return (encode_health(WINDOW),)


def diagnostics() -> tuple[bytes, ...]:
    """Return what bridges publish, once as it is today and once with everything that is understood."""
    known = {"charging": "true", "estop_active": "true", "estop_source": "button", "dtls_tried": "9", "boot_count": "2"}
    pairs = [{"key": "rate_hz", "value": "9.5"}, {"key": "uptime_s", "value": "70.5"}]
    status = [{"name": "r/link", "level": 1, "values": known}, {"name": "r/topic/scan", "level": 3, "values": pairs}]
    return (_json(DIAGNOSTICS), _json({"robot_id": "r", "status": status}))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
