"""Deltas between two real firmware builds: how large each tool makes them, how long that takes, and what a robot needs.

The pair is two builds of MicroPython for ESP32, months and an ESP-IDF release apart, from the PyPI package that
`surefoot.sim.firmware` names. The small edit is the newer one with 256 bytes put in at a third of it. Every delta is
applied and compared. The first row is what Surefoot makes; the script fails if that is a quarter of the image or more.

`window` is the memory that unpacking takes by the format alone: what was unpacked last and may be repeated.
"""

import argparse
import hashlib
import io
import json
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass

import bsdiff4  # type: ignore[import-untyped]
import hdiffpatch
import zstandard

from surefoot.shell.inflate import inflate
from surefoot.signing.delta import make_delta
from surefoot.sim.firmware import real_images
from surefoot.wire.delta import HEAD_BYTES, WINDOW_BITS, DeltaHead, patched
from surefoot.wire.image_header import SIGNATURE_BYTES, ImageHeader
from surefoot.wire.version import Version

SHARE_MAX = 0.25
EDIT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(8))
VERSION = Version(major=0, minor=2, patch=1)
ZLIB_WINDOW_BYTES = 1 << zlib.MAX_WBITS
# What bzip2's own documentation asks for at its largest blocks.
BZIP2_BYTES = 3_700_000
ZSTD_WINDOW_LOG = 22

Make = Callable[[bytes, bytes], bytes]
Apply = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One way to make and apply a delta; `window_bytes` is what applying holds by the format alone."""

    name: str
    make: Make
    apply: Apply
    window_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one tool made of the real pair and of the small edit."""

    tool: str
    real_bytes: int
    share: float
    edit_bytes: int
    make_s: float
    window_bytes: int


def ours() -> Tool:
    """Return the way robots are offered."""

    def signed(firmware: bytes) -> bytes:
        digest = hashlib.sha256(firmware).hexdigest()
        # Who signed it makes no difference to a delta's size.
        header = ImageHeader(version=VERSION, size_bytes=len(firmware), digest=digest, signature=bytes(SIGNATURE_BYTES))
        return header.encode() + firmware

    def apply(old: bytes, delta: bytes) -> bytes:
        read = inflate(io.BytesIO(delta[HEAD_BYTES:]).read)
        size_bytes = ImageHeader.parse(DeltaHead.parse(delta[:HEAD_BYTES]).header).size_bytes
        return b"".join(patched(read, lambda at, length: old[at : at + length], size_bytes))

    return Tool(
        name="detools, zlib 1 KiB (Surefoot)",
        make=lambda old, new: make_delta(signed(old), signed(new)),
        apply=apply,
        window_bytes=1 << WINDOW_BITS,
    )


def others() -> list[Tool]:
    """Return what it is compared with."""
    tuz = hdiffpatch.TuzConfig(dict_size=1 << WINDOW_BITS)
    found = [
        Tool(
            name="bsdiff4",
            make=bsdiff4.diff,
            apply=bsdiff4.patch,
            window_bytes=BZIP2_BYTES,
        ),
        Tool(name="zstd --patch-from", make=_zstd, apply=_unzstd, window_bytes=1 << ZSTD_WINDOW_LOG),
        Tool(
            name="hdiffpatch lite, tinyuz 1 KiB",
            make=lambda old, new: hdiffpatch.diff_lite(old, new, compression=tuz),
            apply=hdiffpatch.apply_lite,
            window_bytes=1 << WINDOW_BITS,
        ),
    ]
    for codec, window_bytes in (
        (hdiffpatch.COMPRESSION_ZLIB, ZLIB_WINDOW_BYTES),
        (hdiffpatch.COMPRESSION_ZSTD, 1 << ZSTD_WINDOW_LOG),
    ):
        found.append(
            Tool(
                name=f"hdiffpatch, {codec}",
                make=lambda old, new, codec=codec: hdiffpatch.diff(old, new, codec),  # type: ignore[misc]
                apply=hdiffpatch.apply,
                window_bytes=window_bytes,
            )
        )
    return found


def full() -> Tool:
    """Return the full image, packed: what a delta has to beat."""
    return Tool(
        name="the full image, zlib",
        make=lambda old, new: zlib.compress(new, 9),
        apply=lambda old, packed: zlib.decompress(packed),
        window_bytes=ZLIB_WINDOW_BYTES,
    )


def _zstd(old: bytes, new: bytes) -> bytes:
    known = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=ZSTD_WINDOW_LOG, enable_ldm=True)
    return zstandard.ZstdCompressor(dict_data=known, compression_params=parameters).compress(new)


def _unzstd(old: bytes, delta: bytes) -> bytes:
    known = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdDecompressor(dict_data=known).decompress(delta)


def measure(tool: Tool, old: bytes, new: bytes, edited: bytes) -> Row:
    """Make both deltas, apply them, and return the figures."""
    started_s = time.perf_counter()
    delta = tool.make(old, new)
    make_s = time.perf_counter() - started_s
    edit = tool.make(new, edited)
    if tool.apply(old, delta) != new or tool.apply(new, edit) != edited:
        raise AssertionError(f"{tool.name} leads to other bytes")
    return Row(
        tool=tool.name,
        real_bytes=len(delta),
        share=round(len(delta) / len(new), 4),
        edit_bytes=len(edit),
        make_s=round(make_s, 2),
        window_bytes=tool.window_bytes,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Surefoot's own deltas and the full image only")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    old, new = real_images()
    third = len(new) // 3
    edited = new[:third] + EDIT + new[third:]
    tools = [ours(), *([] if arguments.quick else others()), full()]
    rows = [measure(tool, old, new, edited) for tool in tools]
    if arguments.json:
        print(json.dumps({"image_bytes": len(new), "rows": [asdict(row) for row in rows]}))
    else:
        print(f"{len(old)} to {len(new)} bytes\n")
        print(f"{'tool':<32}{'real pair':>12}{'share':>9}{'small edit':>12}{'made in':>10}{'window':>12}")
        for row in rows:
            sizes = f"{row.real_bytes:>12}{row.share:>9.1%}{row.edit_bytes:>12}"
            print(f"{row.tool:<32}{sizes}{row.make_s:>8.2f} s{row.window_bytes:>12}")
    sys.exit(0 if rows[0].share < SHARE_MAX else 1)


if __name__ == "__main__":
    main()
