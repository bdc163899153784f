"""What signed metadata says of a release: the entry that publisher, server and companion all make for themselves.

The documents around it follow the TUF specification (theupdateframework.github.io/specification/latest), section 4.5.
"""

import binascii
import hashlib

from surefoot.wire.version import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from surefoot.wire.manifest import SignedManifest

ROOT = "root"
TARGETS = "targets"
SNAPSHOT = "snapshot"
TIMESTAMP = "timestamp"

# What is read of a document at most. A list of targets has some 600 bytes for each release.
ROOT_BYTES_MAX = 512 * 1024
TARGETS_BYTES_MAX = 4 * 1024 * 1024
SNAPSHOT_BYTES_MAX = 64 * 1024
TIMESTAMP_BYTES_MAX = 16 * 1024


def target_path(sku: str, version: Version, format_name: str) -> str:
    """Return the name under which metadata lists a release."""
    return f"{sku}/{version}.{format_name}"


def target_entry(
    sku: str, version: Version, digest: str, sha256: str, size_bytes: int, manifest: "SignedManifest"
) -> "dict[str, Any]":
    """Return what metadata says of a release, as a JSON object.

    `sha256` and `size_bytes` are of the file that is downloaded, `digest` of the image inside.
    """
    return {
        "length": size_bytes,
        "hashes": {"sha256": sha256},
        "custom": {
            "sku": sku,
            "version": str(version),
            "digest": digest,
            "manifest": binascii.hexlify(hashlib.sha256(manifest.payload).digest()).decode(),
        },
    }
