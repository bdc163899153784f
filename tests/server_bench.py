"""What tests of the server share: the application with what is behind it, signed builds, and reports."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from asgi_driver import Answered, call
from surefoot.fleet.keys import trust_key
from surefoot.fleet.releases import publish
from surefoot.fleet.robots import enrol_robot
from surefoot.server.services import Services
from surefoot.server.tokens import token_sha256
from surefoot.signing.image import sign_image
from surefoot.signing.signers import FileSigner
from surefoot.wire.manifest import Manifest, SignedManifest, encode_manifest
from surefoot.wire.version import Version

SKU = "standard"
NOW_S = 1_800_000_000.0
OPERATOR_TOKEN = "operator-token-for-tests"
# More than one piece of a download, and no multiple of one.
FIRMWARE = bytes(range(256)) * 1200 + b"end"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBuild:
    """A signed image with its manifest, as an engineer would publish it."""

    data: bytes
    manifest: SignedManifest

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def release_body(self, sku: str = SKU, sha256: str | None = None) -> dict[str, Any]:
        signed = self.manifest
        envelope = {
            "payload": signed.payload.decode(),
            "key_id": signed.key_id,
            "signature": signed.signature.hex(),
        }
        return {"sku": sku, "sha256": sha256 or self.sha256, "manifest": envelope}


def build(signer: FileSigner, version: str, sku: str = SKU, firmware: bytes = FIRMWARE) -> SignedBuild:
    firmware = firmware + version.encode()
    manifest = Manifest(
        name="firmware",
        sku=sku,
        version=Version.parse(version),
        digest=hashlib.sha256(firmware).hexdigest(),
        size_bytes=len(firmware),
        protocol=None,
        companion_versions=(),
        from_version_min=None,
        version_floor=None,
        delta_sources=(),
        trusted_keys=(),
        expires_at_s=None,
        notes=None,
    )
    payload = encode_manifest(manifest)
    return SignedBuild(
        data=sign_image(firmware, Version.parse(version), signer),
        manifest=SignedManifest(
            payload=payload,
            key_id=signer.public_key.key_id,
            signature=signer.sign(payload),
        ),
    )


def report(robot_id: str, *, sku: str = SKU, seq: int = 1, **changes: object) -> bytes:
    running = {"slot": "ota_0", "version": "0.2.0", "digest": "aa" * 32, "state": "confirmed"}
    return json.dumps({"robot_id": robot_id, "sku": sku, "boot": 1, "seq": seq, "running": running, **changes}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The application with direct access to what is behind it."""

    services: Services
    app: ASGIApp
    signer: FileSigner

    def call(self, method: str, target: str, **options: Any) -> Answered:
        return call(self.app, method, target, **options)

    def operate(self, method: str, target: str, body: object = None) -> Answered:
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        return call(self.app, method, f"/api/v1{target}", token=OPERATOR_TOKEN, headers=headers, body=content)

    def enrol(self, robot_id: str, sku: str = SKU) -> str:
        token = f"token-of-{robot_id}"
        work = self.services.store.submit
        work(lambda rows: enrol_robot(rows, robot_id, sku, token_sha256(token), NOW_S)).result()
        return token

    def trust(self, signer: FileSigner) -> None:
        self.services.store.submit(lambda rows: trust_key(rows, "test", signer.public_key.der, NOW_S)).result()

    def publish(self, version: str) -> SignedBuild:
        self.trust(self.signer)
        signed, blobs = build(self.signer, version), self.services.blobs
        blobs.put(signed.sha256, signed.data)
        self.services.store.submit(
            lambda rows: publish(rows, blobs, f"release-{version}", SKU, signed.sha256, signed.manifest, NOW_S)
        ).result()
        return signed
