#!/usr/bin/env python3
"""Sign a firmware image on a build server: the same code as `surefoot image sign`, run from a checkout.

Exit code 0 when the image is signed, 1 when it is refused (why is one sentence on stderr), 2 for wrong arguments.
"""

import argparse
import getpass
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

try:
    from surefoot.signing.image import sign_file
    from surefoot.signing.secret_file import secret_source
    from surefoot.signing.signers import open_signer
    from surefoot.wire.errors import SurefootError
    from surefoot.wire.version import Version
except ModuleNotFoundError as missing:
    sys.exit(f"This Python lacks the package {missing.name}: run `make setup`, then use .venv/bin/python.")


def main() -> int:
    """Sign as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description="Sign a firmware image for Surefoot robots.")
    parser.add_argument("--input", required=True, type=Path, help="the image that the build made")
    parser.add_argument("--key", required=True, help="the private key: a PEM file (ECDSA P-256) or a signer URI")
    parser.add_argument("--output", required=True, type=Path, help="where to write the signed image")
    parser.add_argument("--version", required=True, help="MAJOR.MINOR.PATCH")
    arguments = parser.parse_args()
    try:
        version = Version.parse(arguments.version)
        signer = open_signer(arguments.key, secret_source(getpass.getpass if sys.stdin.isatty() else None))
        image = sign_file(arguments.input, arguments.output, version, signer)
    except SurefootError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(
        f"Signed {arguments.output}: version {version}, {image.size_bytes} bytes of firmware, "
        f"digest {image.digest}, key {signer.public_key.short_id}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
