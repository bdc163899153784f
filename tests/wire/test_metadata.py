from surefoot.wire.metadata import target_entry, target_path
from wire.wire_case import DIGEST, SIGNED, VERSION


def test_a_release_has_a_name_of_its_own() -> None:
    assert target_path("standard", VERSION, "robo") == "standard/0.3.0.robo"


def test_what_is_listed_of_a_release_names_file_image_and_manifest() -> None:
    entry = target_entry("standard", VERSION, DIGEST, "ef" * 32, 5, SIGNED)
    assert (entry["length"], entry["hashes"]) == (5, {"sha256": "ef" * 32})
    custom = entry["custom"]
    assert (custom["sku"], custom["version"], custom["digest"]) == ("standard", "0.3.0", DIGEST)
    altered = target_entry("standard", VERSION, DIGEST, "ef" * 32, 5, SIGNED.replace(payload=SIGNED.payload + b" "))
    assert len(custom["manifest"]) == 64 and altered["custom"]["manifest"] != custom["manifest"]
