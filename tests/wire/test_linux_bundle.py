import struct

from support import code_of, reader_of
from surefoot.wire.linux_bundle import RaucBundle, is_swu, parse_rauc, parse_swu
from wire.image_case import SWU, cpio, rauc_bundle

FILES = [(b"sw-description", b"software = {};"), (b"root.ext4", b"x" * 99)]


def rauc(data: bytes) -> "RaucBundle | None":
    return parse_rauc(reader_of(data), len(data))


def swu_code(data: bytes) -> str:
    return code_of(parse_swu, reader_of(data), len(data))


def test_an_archive_lists_its_files_and_whether_its_description_is_signed() -> None:
    archive = parse_swu(reader_of(SWU), len(SWU))
    assert archive.names == ("sw-description", "sw-description.sig", "root.ext4")
    assert archive.signed
    plain = cpio(FILES, b"070701")
    assert is_swu(plain) and not parse_swu(reader_of(plain), len(plain)).signed


def test_only_an_archive_that_begins_with_its_description_is_one() -> None:
    assert is_swu(SWU)
    assert not is_swu(cpio([(b"root.ext4", b"x"), (b"sw-description", b"")]))
    assert not is_swu(cpio([(b"sw-descriptions", b"")]))
    assert not is_swu(b"070701")


def test_an_archive_cut_off_anywhere_is_refused() -> None:
    end = len(SWU.rstrip(b"\0"))
    for length in range(0, end, 5):
        assert swu_code(SWU[:length]) == "refused-image-format", length


def test_an_archive_with_something_behind_its_end_is_refused() -> None:
    assert swu_code(SWU + b"more") == "refused-image-format"


def test_impossible_headers_are_refused() -> None:
    for offset, value in ((54, b"FFFFFFFF"), (94, b"FFFFFFFF"), (94, b"00000001"), (54, b"     -12"), (110, b"\x1b")):
        changed = SWU[:offset] + value + SWU[offset + len(value) :]
        assert swu_code(changed) == "refused-image-format", (offset, value)
    assert swu_code(cpio([(b"sw-description", b"")] * 1100)) == "refused-image-format"


def test_the_layouts_of_a_bundle_are_told_apart() -> None:
    assert rauc(rauc_bundle()) == RaucBundle(layout="plain", payload_bytes=8192, signature_bytes=415)
    assert rauc(rauc_bundle(tree_bytes=4096)) == RaucBundle(layout="verity", payload_bytes=12288, signature_bytes=415)
    crypt = b"?" * 8192 + rauc_bundle(oid=3)[8192:]
    assert rauc(crypt) == RaucBundle(layout="crypt", payload_bytes=8192, signature_bytes=415)


def test_what_does_not_end_in_a_signature_is_no_bundle() -> None:
    bundle = rauc_bundle()
    for other in (
        b"",
        bundle[:8192],  # a file system alone
        bundle[:-1],
        bundle + b"\0",
        bundle[:-8] + struct.pack(">Q", 416),
        bundle[:-8] + struct.pack(">Q", 1 << 40),
        bundle[:-8] + bytes(8),
        rauc_bundle(oid=4),
        b"shsq" + bundle[4:],
        bundle[:40] + struct.pack("<Q", 8193) + bundle[48:],
    ):
        assert rauc(other) is None
