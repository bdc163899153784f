import pytest
from esp_idf_defs.app_description import AppDescription  # type: ignore[import-untyped]
from esptool.bin_image import LoadFirmwareImage  # type: ignore[import-untyped]

from support import code_of, reader_of
from surefoot.sim.images import app_image
from surefoot.wire import esp_image


@pytest.mark.parametrize("size_bytes", [512, 528, 12_000, 65_536, 200_000])
def test_an_image_has_the_wanted_size_and_verifies(size_bytes: int) -> None:
    image = app_image(size_bytes=size_bytes)
    assert esp_image.verify(reader_of(image), len(image)).size_bytes == size_bytes == len(image)


def test_an_image_carries_its_names() -> None:
    data = app_image("", project_name="arm", secure_version=3, chip_id=9)
    image = esp_image.verify(reader_of(data), len(data), 9)
    assert (image.version, image.project_name, image.secure_version, image.segment_count) == ("", "arm", 3, 3)
    data = app_image("0.2.1")
    assert esp_image.measure(reader_of(data), len(data)).version == "0.2.1"


def test_the_vendor_s_tool_finds_the_same_in_it() -> None:
    data = app_image("0.2.1", project_name="arm")
    image = LoadFirmwareImage("esp32", data)
    assert image.calculate_checksum() == image.checksum
    assert image.stored_digest == image.calc_digest == data[-32:]
    description = AppDescription.from_bytes(data[32:])
    assert (description.version, description.project_name) == ("0.2.1", "arm")
    assert description.idf_version == "v5.4.1"


def test_equal_arguments_give_equal_bytes_and_another_seed_others() -> None:
    assert app_image(seed=1) == app_image(seed=1)
    assert app_image(seed=1) != app_image(seed=2)
    assert app_image("0.2.0") != app_image("0.2.1")


def test_an_impossible_size_is_a_mistake() -> None:
    assert code_of(app_image, size_bytes=496) == "misuse-image"
    assert code_of(app_image, size_bytes=1001) == "misuse-image"
