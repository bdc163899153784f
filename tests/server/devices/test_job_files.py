"""A job's file over HTTPS: the address lets a device in, as long as its job lasts, and nobody else."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_driver import Answered, call
from server.mqtt.aws_case import IMAGE, PLAN, JobsCase, over_https
from server_bench import NOW_S, OPERATOR_TOKEN, Bench
from surefoot.fleet.aws_files import PREFIX, address_of, without_word
from surefoot.fleet.aws_jobs import JobExecution
from surefoot.fleet.downloads import DownloadsOfDay
from surefoot.fleet.enrolment import revoke
from surefoot.fleet.keys import find_key
from surefoot.fleet.model import KeyState, Release
from surefoot.fleet.ports import Rows
from surefoot.fleet.rollouts import halt_rollout, pause_rollout, start_rollout
from surefoot.server.certificates import CERTIFICATES_FOLDER, ensure_certificates
from surefoot.server.composition import Application, open_services, prepare_data_dir
from surefoot.server.devices.api import DeviceApi
from surefoot.server.logs import WithoutSecrets
from surefoot.server.settings import load_settings
from surefoot.store.blobs import DirectoryBlobs

DIGEST = hashlib.sha256(IMAGE).hexdigest()


@pytest.fixture
def jobs(bench: Bench) -> JobsCase:
    case = JobsCase(over_https(bench))
    case.roll_out()
    return case


def path_of(job: dict[str, Any]) -> str:
    [file] = job["jobDocument"]["afr_ota"]["files"]
    return str(urlsplit(file["update_data_url"]).path)


def get(jobs: JobsCase, path: str, method: str = "GET", **headers: str) -> Answered:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return jobs.bench.call(method, path, headers=sent)


def refused(answer: Answered) -> bool:
    return (answer.status, answer.code) == (404, "not-found-job-file")


def test_the_address_in_the_document_gives_the_bytes_of_the_slot_and_nothing_stored_holds_it(jobs: JobsCase) -> None:
    job = jobs.ask("start-next", {})["execution"]
    known, [file] = job["jobDocument"]["afr_ota"], job["jobDocument"]["afr_ota"]["files"]
    assert (known["protocols"], file["auth_scheme"], file["filesize"]) == (["HTTP"], "aws.s3.presigned", len(IMAGE))
    assert file["update_data_url"].startswith(f"https://fleet.test{PREFIX}{job['jobId']}/")
    answer = get(jobs, path_of(job))
    assert (answer.status, answer.body) == (200, IMAGE)
    assert answer.headers["cache-control"] == "no-store"
    [stored] = jobs.run(lambda rows: rows.find(JobExecution))
    assert "update_data_url" not in json.dumps(stored.document)
    assert path_of(job).rpartition("/")[2] not in repr(jobs.run(lambda rows: rows.history("robot-1", 50)))


def test_every_way_to_be_told_the_document_tells_the_same_address(jobs: JobsCase) -> None:
    job = jobs.ask("start-next", {})["execution"]
    job_id, path = job["jobId"], path_of(job)
    assert path_of(jobs.ask(f"{job_id}/get", {})["execution"]) == path
    update = {"status": "IN_PROGRESS", "includeJobDocument": True}
    assert path_of(jobs.ask(f"{job_id}/update", update)) == path
    [told] = [payload for topic, payload in jobs.broker.published if topic.endswith("/notify-next")]
    assert path_of(json.loads(told)["execution"]) == path
    bare = jobs.ask(f"{job_id}/get", {"includeJobDocument": False})["execution"]
    assert "jobDocument" not in bare


def test_it_answers_ranges_as_images_do(jobs: JobsCase) -> None:
    path, size = path_of(jobs.ask("start-next", {})["execution"]), len(IMAGE)
    first = get(jobs, path, range="bytes=0-0")
    assert (first.status, first.body, first.headers["content-range"]) == (206, IMAGE[:1], f"bytes 0-0/{size}")
    # Across two of the pieces that the server holds.
    middle = get(jobs, path, range="bytes=262000-262200")
    assert (middle.status, middle.body) == (206, IMAGE[262000:262201])
    assert get(jobs, path, range=f"bytes={size - 5}-{size + 9}").body == IMAGE[-5:]
    past = get(jobs, path, range=f"bytes={size}-{size + 9}")
    assert (past.status, past.code, past.headers["content-range"]) == (416, "refused-range", f"bytes */{size}")
    head = get(jobs, path, "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))
    assert head.headers["etag"] == f'"{DIGEST}"'
    assert get(jobs, path, range="bytes=9-", if_range=f'"{DIGEST}"').body == IMAGE[9:]
    assert get(jobs, path, range="bytes=9-", if_range='"another"').body == IMAGE
    assert get(jobs, path, if_none_match=f'"{DIGEST}"').status == 304
    assert get(jobs, path, "POST").headers["allow"] == "GET, HEAD"


def test_who_asks_beside_it_makes_no_difference(jobs: JobsCase) -> None:
    """Devices show nothing; what others show lets nobody in."""
    path, other = path_of(jobs.ask("start-next", {})["execution"]), jobs.bench.enrol("robot-2")
    for token in (None, other, OPERATOR_TOKEN, "no token"):
        assert jobs.bench.call("GET", path, token=token).status == 200
        assert refused(jobs.bench.call("GET", path[:-1], token=token))


class Untouched:
    """A store that nobody may ask."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was called")


def test_an_address_that_the_server_did_not_make_is_known_without_a_look_at_the_rows(jobs: JobsCase) -> None:
    job = jobs.ask("start-next", {})["execution"]
    path = path_of(job)
    whole, word = path.rsplit("/", 1)
    untouched = DeviceApi(replace(jobs.bench.services, store=Untouched()))
    wrong = ["", word[:-1], word + "A", word.swapcase(), "A" * len(word), "\u00e9" * 22, word + "/", "/" + word]
    others = [f"{PREFIX}{job['jobId']}x/{word}", f"{PREFIX}/{word}", PREFIX, whole, f"{PREFIX}{'a' * 65}/{word}"]
    for tried in [*(f"{whole}/{word}" for word in wrong), *others]:
        assert refused(call(untouched, "GET", tried)), tried
    closed = replace(jobs.bench.services, fleet=replace(jobs.bench.services.fleet, file_key=None))
    assert refused(call(Application(closed), "GET", path))


def ends(update: dict[str, Any]) -> Callable[[JobsCase, str], object]:
    return lambda jobs, job_id: jobs.ask(f"{job_id}/update", update)


def with_rows(work: Callable[[Rows], object]) -> Callable[[JobsCase, str], object]:
    return lambda jobs, _job_id: jobs.run(work)


def recalled(rows: Rows) -> None:
    [release] = rows.find(Release)
    rows.put(replace(release, recalled_at_s=NOW_S))


def key_revoked(rows: Rows) -> None:
    [release] = rows.find(Release)
    rows.put(replace(find_key(rows, release.key_id), state=KeyState.REVOKED))


@pytest.mark.parametrize(
    "end",
    [
        ends({"status": "SUCCEEDED"}),
        ends({"status": "FAILED"}),
        ends({"status": "REJECTED"}),
        with_rows(lambda rows: halt_rollout(rows, "rollout-1", "smoke", NOW_S)),
        with_rows(lambda rows: revoke(rows, "robot-1", "ab" * 32, NOW_S)),
        with_rows(recalled),
        with_rows(key_revoked),
    ],
    ids=["succeeded", "failed", "rejected", "halted", "robot revoked", "recalled", "key revoked"],
)
def test_the_address_ends_with_its_job(jobs: JobsCase, end: Callable[[JobsCase, str], object]) -> None:
    job = jobs.ask("start-next", {})["execution"]
    assert get(jobs, path_of(job), "HEAD").status == 200
    end(jobs, job["jobId"])
    for headers in ({}, {"range": "bytes=0-0"}, {"if_none_match": "*"}):
        assert refused(get(jobs, path_of(job), **headers))


def test_it_lasts_through_a_pause_and_through_the_self_test(jobs: JobsCase) -> None:
    """A device whose bootloader went back in the self-test may download again for the same job."""
    job = jobs.ask("start-next", {})["execution"]
    jobs.run(lambda rows: pause_rollout(rows, "rollout-1", "lunch", NOW_S))
    ready = {"self_test": "ready", "updatedBy": "0x00020000"}
    jobs.ask(f"{job['jobId']}/update", {"status": "IN_PROGRESS", "statusDetails": ready})
    assert get(jobs, path_of(job)).body == IMAGE


def test_what_is_fetched_counts_as_the_robots_and_the_limit_says_when_to_come_back(bench: Bench) -> None:
    limited = bench.services.settings.model_copy(update={"downloads_per_day": 2})
    jobs = JobsCase(over_https(bench, settings=limited))
    jobs.roll_out()
    path = path_of(jobs.ask("start-next", {})["execution"])
    for first in range(0, len(IMAGE), 40_000):
        assert get(jobs, path, range=f"bytes={first}-{first + 1000}").status == 206
    taken = jobs.run(lambda rows: rows.get(DownloadsOfDay, "robot-1"))
    assert taken is not None and taken.downloads == 1
    assert get(jobs, path).status == 200
    answer = get(jobs, path)
    assert (answer.status, answer.code) == (429, "refused-download-limit")
    assert 0 < int(answer.headers["retry-after"]) <= 86400
    assert get(jobs, path, "HEAD").status == 200


def test_every_process_makes_the_same_addresses_and_shows_its_key_to_nobody(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, aws_delivery="arm=HTTP")
    ensure_certificates(tmp_path / CERTIFICATES_FOLDER, ("localhost",), datetime.now(UTC))
    prepare_data_dir(settings)
    fleets = []
    for _ in range(2):
        services = open_services(settings, "https://fleet.test")
        services.store.close()
        fleets.append(services.fleet)
    assert address_of("AFR_OTA-1", fleets[0]) == address_of("AFR_OTA-1", fleets[1])
    assert fleets[0].aws_protocols("arm") == ("HTTP",)
    assert fleets[0].file_key is not None and fleets[0].file_key.decode() not in repr(fleets[0])


class Elsewhere(DirectoryBlobs):
    """Its files have addresses of their own."""

    def redirect_url(self, sha256: str, valid_s: int) -> str | None:
        return f"https://store.test/{sha256}"


def test_a_file_that_lies_elsewhere_comes_from_here_as_these_devices_follow_no_redirect(bench: Bench) -> None:
    blobs = Elsewhere(bench.services.settings.data_dir / "images")
    jobs = JobsCase(over_https(bench, blobs=blobs))
    jobs.roll_out()
    assert get(jobs, path_of(jobs.ask("start-next", {})["execution"])).body == IMAGE


def test_the_sku_says_by_what_a_device_gets_its_image(bench: Bench) -> None:
    jobs = JobsCase(over_https(bench, "standard=MQTT+HTTP"))
    jobs.roll_out()
    job = jobs.ask("start-next", {})["execution"]
    assert job["jobDocument"]["afr_ota"]["protocols"] == ["MQTT", "HTTP"]
    assert get(jobs, path_of(job)).body == IMAGE
    [(word, _)] = jobs.stream(job, b'{"f":0,"l":256}', "json")
    assert word == "data"


def test_other_skus_are_told_no_address(bench: Bench) -> None:
    jobs = JobsCase(over_https(bench, "arm=HTTP"))
    jobs.roll_out()
    document = jobs.ask("start-next", {})["execution"]["jobDocument"]["afr_ota"]
    assert document["protocols"] == ["MQTT"]
    assert "update_data_url" not in json.dumps(document)


def test_a_whole_reply_fits_into_the_firmware_with_an_address_as_long_as_they_get(bench: Bench) -> None:
    made = over_https(bench, "*=MQTT+HTTP")
    public_url = f"https://{'a' * 63}.{'b' * 63}.example:8443"
    fleet = replace(made.services.fleet, public_url=public_url)
    ids = iter(f"01J{number:023}" for number in range(99))
    services = replace(made.services, fleet=fleet, new_id=lambda: next(ids))
    jobs = JobsCase(replace(made, services=services, app=Application(services)))
    jobs.roll_out()
    [(topic, payload), *_] = jobs.say(
        "$aws/things/robot-1/jobs/start-next", b'{"clientToken":"0:thing-of-some-length"}'
    )
    assert topic.endswith("/start-next/accepted")
    assert b"update_data_url" in payload and len(payload) < 2048


def test_a_later_job_has_another_address_and_the_earlier_one_ends(jobs: JobsCase) -> None:
    first = jobs.ask("start-next", {})["execution"]
    jobs.run(lambda rows: halt_rollout(rows, "rollout-1", "smoke", NOW_S))
    jobs.run(lambda rows: start_rollout(rows, "release-0.2.1", PLAN, "rollout-2", b"salt", NOW_S))
    second = jobs.ask("start-next", {})["execution"]
    assert path_of(second) != path_of(first)
    assert refused(get(jobs, path_of(first)))
    assert get(jobs, path_of(second), "HEAD").status == 200


def test_no_log_line_and_no_answer_holds_what_lets_a_device_in(
    jobs: JobsCase, caplog: pytest.LogCaptureFixture
) -> None:
    path = path_of(jobs.ask("start-next", {})["execution"])
    shutil.rmtree(jobs.bench.services.settings.data_dir / "images")
    word = path.rpartition("/")[2]
    with caplog.at_level(logging.DEBUG):
        get(jobs, path)
        assert word not in get(jobs, path, range="bytes=999999999-").body.decode()
        untouched = DeviceApi(replace(jobs.bench.services, store=Untouched()))
        failed = call(untouched, "GET", path)
        assert (failed.status, failed.code) == (500, "misuse-server")
    assert "download-cut" in caplog.text and "failed where=GET" in caplog.text
    assert word not in caplog.text
    args = ("127.0.0.1:1", "GET", path, "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, __file__, 1, '%s - "%s %s HTTP/%s" %d', args, None)
    assert WithoutSecrets().filter(record)
    assert record.getMessage() == f'127.0.0.1:1 - "GET {PREFIX}… HTTP/1.1" 200'
    assert without_word("/v1/check") == "/v1/check"


@pytest.mark.parametrize("before", ["/", "/V1/AWS/FILES/../..", "/fleet", "/ui?next=", "/v1/."])
def test_an_address_that_went_wrong_is_not_in_the_log_either(before: str) -> None:
    assert "word" not in without_word(f"{before}{PREFIX}job/word")
    assert "word" not in without_word(f"{before}{PREFIX.upper()}job/word")


@given(part=st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{0,64}/[A-Za-z0-9_-]{0,30}", fullmatch=True))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_strange_address_is_answered_with_anything_but_that_it_is_not_there(jobs: JobsCase, part: str) -> None:
    assert refused(call(jobs.bench.app, "GET", PREFIX + quote(part, errors="replace")))
    assert refused(_plain(jobs, part))


def _plain(jobs: JobsCase, part: str) -> Answered:
    # As the path reaches the application: taken out of its percent signs.
    return jobs.bench.call("GET", (PREFIX + part).replace("?", ""))


@given(value=st.text(st.characters(codec="latin-1"), max_size=40) | st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}"))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strange_range_gets_bytes_of_the_image_or_is_told_that_they_are_not_there(jobs: JobsCase, value: str) -> None:
    path = path_of(jobs.ask("start-next", {})["execution"])
    answer = jobs.bench.call("HEAD", path, headers={"range": value.encode().decode("latin-1")})
    assert answer.status == 200
    answer = jobs.bench.call("GET", path, headers={"range": value.encode().decode("latin-1")})
    assert answer.status in {200, 206, 416, 429}
    if answer.status in {200, 206}:
        assert answer.body in IMAGE and len(answer.body) == int(answer.headers["content-length"])
