"""A whole companion that goes by signed metadata, against a real server over TLS."""

import base64
import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Targets
from tuf.ngclient import FetcherInterface, Updater

from live_server import LiveServer
from metadata_case import ONLINE, ROOT, STRANGER, TARGETS, keys, signed
from surefoot.cli.client import OperatorClient, connect
from surefoot.cli.publishing import sign_release, sign_targets
from surefoot.rollout.plan import Phase, Plan
from surefoot.rollout.plan_format import plan_to_object
from surefoot.shell.agent_config import AgentConfig, read_config
from surefoot.shell.posix import Companion, make_companion
from surefoot.signing import metadata as offline
from surefoot.signing.image import sign_image
from surefoot.sim.images import app_image
from surefoot.trust.keys import PublicKey
from surefoot.wire.version import Version

EVERYONE = plan_to_object(Plan(phases=(Phase(name="full", percent=100, soak_s=0),)))
OLD, NEW = app_image("0.2.0", seed=1), app_image("0.3.0", seed=2)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("fleet") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def operator(server: LiveServer) -> Iterator[OperatorClient]:
    with connect(server=server.url, token_file=None, ca=None, data=server.data_dir) as operator:
        yield operator


@pytest.fixture(scope="module")
def root(operator: OperatorClient) -> bytes:
    """The first root of the fleet, with metadata set up, and the targets key trusted as a release key too."""
    der = base64.b64encode(TARGETS.public_key.der).decode()
    operator.post("/api/v1/keys", {"name": "release", "der_base64": der})
    online = PublicKey.from_der(base64.b64decode(operator.get("/api/v1/metadata")["online_key_der_base64"]))
    root = signed(offline.make_root(keys(ROOT), keys(TARGETS), online, NOW), ROOT)
    targets = signed(offline.make_targets(NOW), TARGETS)
    operator.post("/api/v1/metadata", {"root": root.decode(), "targets": targets.decode()})
    return root


def publish(operator: OperatorClient, sku: str) -> None:
    image = sign_image(NEW, Version.parse("0.3.0"), TARGETS)
    publication = sign_release(image, TARGETS, sku)
    operator.put_bytes(f"/api/v1/images/{publication.sha256}", image)
    targets = sign_targets(operator, publication, [TARGETS], None)
    assert targets is not None
    release = operator.post("/api/v1/releases", publication.body(targets))
    assert sign_targets(operator, publication, [TARGETS], None) is None, "it is listed now"
    operator.post("/api/v1/rollouts", {"release_id": release["release_id"], "plan": EVERYONE})


def make_robot(
    directory: Path, server: LiveServer, operator: OperatorClient, root: bytes, lines: list[str]
) -> Companion:
    robot_id = directory.name
    token = operator.post("/api/v1/robots", {"robot_id": robot_id, "sku": robot_id})["token"]
    names = {name: directory.with_suffix(f".{name}") for name in ("token", "der", "root")}
    names["token"].write_text(token)
    names["der"].write_bytes(TARGETS.public_key.der)
    names["root"].write_bytes(root)
    config = AgentConfig(
        robot_id=robot_id,
        sku=robot_id,
        server=server.url,
        token_file=names["token"],
        trusted_keys=(names["der"],),
        ca_file=server.ca_path,
        metadata_root=names["root"],
    )
    make_companion(directory, config, OLD, Version.parse("0.2.0"))
    assert read_config(directory) == config
    return Companion(directory, lines.append)


def test_a_companion_installs_what_offline_keys_vouch_for(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, root: bytes
) -> None:
    companion = make_robot(tmp_path / "vouched", server, operator, root, [])
    publish(operator, "vouched")
    assert companion.run_once().journal.state == "installed"
    robot = operator.get("/api/v1/robots/vouched")
    assert (robot["status"], robot["running_digest"]) == ("installed", hashlib.sha256(NEW).hexdigest())
    assert Targets.type in {path.name.split(".")[0] for path in (tmp_path / "vouched" / "metadata").iterdir()}


class PlainFetcher(FetcherInterface):
    """Any TUF client's way to fetch, with a robot's token for what needs one."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = self._client.get(url)
        if answer.status_code != 200:
            raise DownloadHTTPError(url, answer.status_code)
        return iter((answer.content,))


def test_any_tuf_client_finds_the_release_where_the_specification_puts_it(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, root: bytes
) -> None:
    token = operator.post("/api/v1/robots", {"robot_id": "plain", "sku": "plain"})["token"]
    publish(operator, "plain")
    with server.client(token) as client:
        updater = Updater(
            metadata_dir=str(tmp_path / "metadata"),
            metadata_base_url=f"{server.url}/v1/metadata/",
            target_dir=str(tmp_path / "targets"),
            target_base_url=f"{server.url}/v1/targets/",
            fetcher=PlainFetcher(client),
            bootstrap=root,
        )
        target = updater.get_targetinfo("plain/0.3.0.robo")
        assert target is not None and target.custom["sku"] == "plain"
        assert Path(updater.download_target(target)).read_bytes().endswith(NEW)


def test_a_companion_of_another_root_refuses_and_the_record_says_why(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, root: bytes
) -> None:
    other = signed(offline.make_root(keys(STRANGER), keys(STRANGER), ONLINE.public_key, NOW), STRANGER)
    companion = make_robot(tmp_path / "astray", server, operator, other, [])
    publish(operator, "astray")
    state = companion.run_once()
    assert (state.journal.state, state.journal.code) == ("refused", "refused-metadata-signature")
    robot = operator.get("/api/v1/robots/astray")
    assert (robot["status"], robot["code"]) == ("refused", "refused-metadata-signature")
    assert robot["report"]["code"] == "refused-metadata-signature"


def test_a_companion_that_gets_no_metadata_begins_nothing_and_still_reports(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, root: bytes
) -> None:
    lines: list[str] = []
    companion = make_robot(tmp_path / "blind", server, operator, root, lines)
    publish(operator, "blind")
    # Its folder for what it believed is a file: nothing can be remembered, so nothing can be believed.
    (tmp_path / "blind" / "metadata").write_text("in the way")
    assert companion.run_once().journal.state == "idle"
    assert any(line.startswith("interrupted-metadata") for line in lines)
    assert operator.get("/api/v1/robots/blind")["report"]["code"] == "refused-metadata-expired"


def test_stale_news_spends_no_attempt_and_the_offer_is_taken_once_the_news_is_fresh(
    tmp_path: Path, server: LiveServer, operator: OperatorClient, root: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    companion = make_robot(tmp_path / "stale", server, operator, root, lines)
    publish(operator, "stale")
    with monkeypatch.context() as ahead:
        # Two days ahead, all the news that the server signs for one day is over.
        clock_s = time.time
        ahead.setattr(time, "time", lambda: clock_s() + 2 * 86400)
        wrong = Companion(tmp_path / "stale", lines.append)
        for _ in range(EVERYONE["attempts_max"] + 1):
            assert wrong.run_once().journal.offer is None
            robot = operator.get("/api/v1/robots/stale")
            assert (robot["status"], robot["report"]["code"]) == ("waiting", "refused-metadata-expired")
            assert "assignment" not in robot["report"]
    state = companion.run_once()
    assert (state.journal.state, state.journal.attempts) == ("installed", 1)
    robot = operator.get("/api/v1/robots/stale")
    assert (robot["status"], robot["report"].get("code")) == ("installed", None)
