"""Metadata set up and used as two key holders and a publisher would, through nothing but commands."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from live_server import LiveServer
from surefoot.sim.images import app_image

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with LiveServer(tmp_path_factory.mktemp("trust") / "data") as server:
        yield server.data_dir


@pytest.fixture
def operate(surefoot: Run, data: Path) -> Run:
    return lambda *words: surefoot(*words, "--data", data)


@pytest.fixture
def ask(operate: Run) -> Run:
    def run(*words: object) -> Any:
        outcome = operate(*words, "--json")
        assert outcome.code == 0, outcome.stdout
        return outcome.json

    return run


@pytest.fixture
def keys(surefoot: Run, tmp_path: Path) -> dict[str, Path]:
    names = ("root-a", "root-b", "release-a", "release-b", "stranger")
    paths = {name: tmp_path / f"{name}.pem" for name in names}
    for path in paths.values():
        surefoot("key", "new", "--output", path)
    return paths


def public(path: Path) -> Path:
    return path.with_name(path.name + ".pub.der")


def an_image(surefoot: Run, folder: Path, key: Path, version: str) -> Path:
    build, image = folder / f"{version}.bin", folder / f"{version}.img"
    build.write_bytes(app_image(version))
    surefoot("image", "sign", "--input", build, "--key", key, "--output", image, "--version", version)
    return image


def test_two_of_two_set_metadata_up_publish_and_renew(
    ask: Run, operate: Run, surefoot: Run, keys: dict[str, Path], tmp_path: Path
) -> None:
    folder, draft = tmp_path / "metadata", tmp_path / "next.json"
    assert ask("trust", "show")["set_up"] is False
    assert "not set up" in operate("trust", "show").stdout

    # Each holder has one private key of each pair, and the public half of the other's.
    init = ["trust", "init", "--root-key", keys["root-a"], "--root-public", public(keys["root-b"])]
    init += ["--root-threshold", "2", "--targets-key", keys["release-a"], "--targets-public", public(keys["release-b"])]
    init += ["--targets-threshold", "2", "--output", folder]
    ask(*init)
    assert operate(*init).error_code == "refused-file-exists"
    assert operate("trust", "publish", folder).error_code == "refused-metadata-signature"
    shown = surefoot("trust", "sign", folder / "root.json", "--key", keys["root-b"])
    assert "2 of" in shown.stdout and "2 in all" in shown.stdout
    surefoot("trust", "sign", folder / "targets.json", "--key", keys["release-b"])
    assert ask("trust", "publish", folder)["set_up"] is True

    ask("key", "trust", public(keys["release-a"]), "--name", "release")
    image = an_image(surefoot, tmp_path, keys["release-a"], "0.3.0")
    publish = ["release", "publish", "--image", image, "--sku", "arm", "--key", keys["release-a"]]
    assert operate(*publish).error_code == "refused-metadata-threshold"
    assert operate(*publish, "--metadata", draft).error_code == "refused-metadata-threshold"
    assert ask("release", "list")["releases"] == []
    signed = surefoot("trust", "sign", draft, "--key", keys["release-b"], "--json").json
    assert (signed["targets"], len(signed["signatures"])) == ("arm/0.3.0.robo", 2)
    release = ask(*publish, "--metadata", draft)
    assert release["version"] == "0.3.0"
    assert ask(*publish) == release, "it is listed already"

    renewed = ask("trust", "renew", "targets", "--key", keys["release-a"], "--output", tmp_path / "renewed.json")
    assert renewed["version"] == 3
    assert operate("trust", "publish", tmp_path / "renewed.json").error_code == "refused-metadata-signature"
    surefoot("trust", "sign", tmp_path / "renewed.json", "--key", keys["release-b"])
    status = ask("trust", "publish", tmp_path / "renewed.json")
    assert {shown["role"]: shown["version"] for shown in status["documents"]}["targets"] == 3
    assert status["targets"] == 1

    # A key that never signed the server's list must not sign what the server says it is.
    other = an_image(surefoot, tmp_path, keys["release-a"], "0.4.0")
    publish = ["release", "publish", "--image", other, "--sku", "arm", "--key", keys["stranger"]]
    assert operate(*publish).error_code == "refused-metadata-signature"
    renewal = operate("trust", "renew", "root", "--key", keys["stranger"], "--output", tmp_path / "mine.json")
    assert renewal.error_code == "refused-metadata-signature"
    assert operate("trust", "renew", "pages", "--key", keys["root-a"], "--output", draft).error_code == (
        "refused-metadata-missing"
    )
    stale = operate(*publish, "--metadata", draft)
    assert stale.error_code == "refused-metadata-mismatch", "the draft is of another release"


def test_a_threshold_above_the_number_of_keys_is_refused(operate: Run, keys: dict[str, Path], tmp_path: Path) -> None:
    words = ["trust", "init", "--root-key", keys["root-a"], "--root-threshold", "2", "--targets-key", keys["release-a"]]
    assert operate(*words, "--output", tmp_path / "m").error_code == "refused-metadata-threshold"


def test_what_is_no_document_is_not_signed(surefoot: Run, keys: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "strange.json"
    path.write_text(json.dumps({"signed": {}, "signatures": []}))
    assert surefoot("trust", "sign", path, "--key", keys["root-a"]).error_code == "refused-metadata-format"


def test_a_server_that_was_broken_into_gets_a_new_key_of_its_own_and_a_root_that_names_it(
    surefoot: Run, keys: dict[str, Path], tmp_path: Path
) -> None:
    with LiveServer(tmp_path / "robbed" / "data") as server:

        def operate(*words: object) -> Any:
            return surefoot(*words, "--data", server.data_dir)

        def replace(key: str) -> Any:
            return operate("trust", "replace-server-key", "--root-key", keys[key], "--output", tmp_path / "next")

        assert replace("root-a").error_code == "refused-metadata-missing"
        init = ["trust", "init", "--root-key", keys["root-a"], "--targets-key", keys["release-a"]]
        operate(*init, "--output", tmp_path / "first")
        assert operate("trust", "publish", tmp_path / "first").code == 0
        stolen = operate("trust", "show", "--json").json["online_key_id"]
        assert replace("root-a").error_code == "refused-metadata-key", "the server has no other key yet"

        server.stop()
        (server.data_dir / "metadata.pem").unlink()
        server.start()
        shown = operate("trust", "show")
        assert "Next: surefoot trust replace-server-key" in shown.stdout
        renewal = ["trust", "renew", "targets", "--key", keys["release-a"], "--output", tmp_path / "targets.json"]
        operate(*renewal)
        refused = operate("trust", "publish", tmp_path / "targets.json")
        assert refused.error_code == "refused-metadata-key", "nothing is signed by a key that no root names"

        assert replace("stranger").error_code == "refused-metadata-signature"
        assert replace("root-a").code == 0
        after = operate("trust", "publish", tmp_path / "next" / "root.json", "--json").json
        own = after["online_key_id"]
        assert own != stolen
        assert {shown["role"]: (shown["version"], shown["key_ids"] == [own]) for shown in after["documents"]} == {
            "root": (2, False),
            "targets": (1, False),
            "snapshot": (2, True),
            "timestamp": (2, True),
        }
        assert "replace-server-key" not in operate("trust", "show").stdout
        assert operate("trust", "publish", tmp_path / "targets.json").code == 0
