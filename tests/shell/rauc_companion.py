"""A companion with the real RAUC: its service on a bus of its own, slots in files, and a script for a bootloader.

The bootloader is of the kind RAUC is made for: an order of slots, and for each how many boots it has left.
"""

import datetime
import os
import shlex
import signal
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BOOT_NAMES = ("A", "B")
BOOTS_LEFT = 2
SLOT_BYTES = 256 * 1024

BACKEND = """#!/bin/sh
# RAUC's custom bootloader backend: what it asks for and sets, in files.
set -e
cd {state}
if [ -e "die.$1$3" ]; then rm "die.$1$3"; kill -9 $PPID; exit 1; fi
if [ -e "linger.$1" ]; then mv "linger.$1" "lingers.$1"; while [ -e "lingers.$1" ]; do sleep 0.05; done; fi
case "$1" in
    get-primary)
        for slot in $(cat order); do
            if [ "$(cat "left.$slot")" -gt 0 ]; then echo "$slot"; exit; fi
        done
        exit 1 ;;
    set-primary)
        echo {boots_left} > left.new; mv left.new "left.$2"
        if [ "$2" = A ]; then echo "A B" > order.new; else echo "B A" > order.new; fi
        mv order.new order ;;
    get-state) if [ "$(cat "left.$2")" -gt 0 ]; then echo good; else echo bad; fi ;;
    set-state)
        if [ "$3" = good ]; then echo {boots_left} > left.new; else echo 0 > left.new; fi
        mv left.new "left.$2" ;;
    get-current) cat booted ;;
esac
"""

SYSTEM = """[system]
compatible=companion
bootloader=custom
statusfile={directory}/rauc.status
mountprefix={directory}/mnt
[keyring]
path={directory}/cert.pem
[handlers]
bootloader-custom-backend={directory}/backend.sh
[slot.rootfs.0]
device={directory}/slot.A
type=raw
bootname=A
[slot.rootfs.1]
device={directory}/slot.B
type=raw
bootname=B
"""

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <servicedir>{directory}/services</servicedir>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""


class RaucCompanion:
    """One companion's disk, and its power switch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "bootloader"
        self._bus: subprocess.Popen[bytes] | None = None
        for part in (self.state, directory / "services"):
            part.mkdir(parents=True)
        _make_certificate(directory)
        for name in BOOT_NAMES:
            (directory / f"slot.{name}").write_bytes(bytes(SLOT_BYTES))
            (self.state / f"left.{name}").write_text(str(BOOTS_LEFT if name == "A" else 0))
        (self.state / "order").write_text("A B")
        (directory / "system.conf").write_text(SYSTEM.format(directory=directory))
        (directory / "bus.conf").write_text(BUS.format(directory=directory))
        self._script("backend.sh", BACKEND.format(state=shlex.quote(str(self.state)), boots_left=BOOTS_LEFT))
        # The bus starts the service when it is first asked for.
        self._script(
            "service.sh",
            f"#!/bin/sh\ncd {shlex.quote(str(directory))}\nexport DBUS_STARTER_BUS_TYPE=session\n"
            'exec rauc -c system.conf service --override-boot-slot="$(cat bootloader/booted)" >>service.log 2>&1\n',
        )
        (directory / "services" / "rauc.service").write_text(
            f"[D-BUS Service]\nName=de.pengutronix.rauc\nExec={directory}/service.sh\n"
        )
        self._script(
            "rauc.sh",
            f"#!/bin/sh\nexport DBUS_STARTER_BUS_TYPE=session DBUS_SESSION_BUS_ADDRESS=unix:path={directory}/bus\n"
            f'exec rauc -c {shlex.quote(str(directory / "system.conf"))} "$@"\n',
        )

    @property
    def command(self) -> tuple[str, ...]:
        """How RAUC is called here."""
        return (str(self.directory / "rauc.sh"),)

    @property
    def booted(self) -> str:
        return (self.state / "booted").read_text().strip()

    @property
    def next_to_boot(self) -> str:
        """Which slot the next restart would start, whoever asks for that."""
        order = (self.state / "order").read_text().split()
        return next(name for name in order if int((self.state / f"left.{name}").read_text()) > 0)

    def image(self, size_bytes: int) -> bytes:
        """What the booted slot really holds."""
        return (self.directory / f"slot.{self.booted}").read_bytes()[:size_bytes]

    def boot(self) -> str:
        """Do the bootloader's part: the first slot of the order that has boots left loses one of them and starts."""
        self.switch_off()
        for name in (self.state / "order").read_text().split():
            left = int((self.state / f"left.{name}").read_text())
            if left > 0:
                (self.state / f"left.{name}").write_text(str(left - 1))
                (self.state / "booted").write_text(name)
                break
        else:
            raise AssertionError("no slot has boots left: a person must come")
        config = str(self.directory / "bus.conf")
        self._bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._bus.stdout is not None
        assert self._bus.stdout.readline(), "the bus does not start"
        return self.booted

    def let_rauc_die_at(self, request: str, state: str) -> None:
        """Let RAUC's service be killed when it next asks the bootloader for this."""
        (self.state / f"die.{request}{state}").touch()

    def let_rauc_linger_at(self, request: str) -> Path:
        """Let RAUC's service wait when it next asks the bootloader for this; return what is there while it waits."""
        (self.state / f"linger.{request}").touch()
        return self.state / f"lingers.{request}"

    def switch_off(self) -> None:
        """End the bus, the service on it, and what that had mounted."""
        if self._bus is not None:
            os.killpg(self._bus.pid, signal.SIGKILL)
            self._bus.wait()
            assert self._bus.stdout is not None
            self._bus.stdout.close()
            self._bus = None
        (self.directory / "bus").unlink(missing_ok=True)
        mounted = self.directory / "mnt" / "bundle"
        if mounted.is_mount():
            # Without power, nothing is mounted.
            subprocess.run(["umount", "--lazy", mounted], check=True)

    def bundle(self, version: str, content: bytes, *, compatible: str = "companion") -> bytes:
        """Make a bundle that writes `content` into the root file system's slot."""
        source = self.directory / f"bundle-{version}"
        source.mkdir()
        (source / "rootfs.img").write_bytes(content)
        (source / "manifest.raucm").write_text(
            f"[update]\ncompatible={compatible}\nversion={version}\n[bundle]\nformat=plain\n"
            "[image.rootfs]\nfilename=rootfs.img\n"
        )
        made = self.directory / f"{version}.raucb"
        subprocess.run(
            [
                "rauc",
                "--cert",
                self.directory / "cert.pem",
                "--key",
                self.directory / "key.pem",
                "bundle",
                source,
                made,
            ],
            check=True,
            capture_output=True,
        )
        return made.read_bytes()

    def _script(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)


def _make_certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "companions")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
