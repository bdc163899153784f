import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from asgi_driver import Answered, call
from server.robot_keys import NOW, OtherCa, csr, new_key
from server_bench import NOW_S, SKU, Bench, report
from surefoot.fleet.enrolment import RobotCertificate
from surefoot.server.certificates import FleetCa, ensure_certificates
from surefoot.server.composition import Application

PROXY, HEADER = "10.0.0.5", "x-client-certificate"


@pytest.fixture
def factory() -> OtherCa:
    return OtherCa()


@pytest.fixture
def fleet(bench: Bench, tmp_path: Path, factory: OtherCa) -> Bench:
    ensure_certificates(tmp_path / "tls", ("localhost",), NOW)
    (tmp_path / "factory.pem").write_bytes(factory.pem)
    changed = {
        "factory_ca": tmp_path / "factory.pem",
        "proxy_certificate_header": "X-Client-Certificate",
        "proxy_addresses": f"{PROXY}, fd00::/8",
    }
    settings = bench.services.settings.model_copy(update=changed)
    services = replace(bench.services, settings=settings, ca=FleetCa(tmp_path / "tls"))
    return replace(bench, services=services, app=Application(services))


def invite(fleet: Bench, robot_id: str = "robot-1", sku: str = SKU) -> str:
    answer = fleet.operate("POST", "/enrolment-codes", {"robot_id": robot_id, "sku": sku})
    assert answer.status == 201 and answer.headers["cache-control"] == "no-store"
    return str(answer.json["code"])


def enrol(fleet: Bench, request: str, code: str | None = None, **options: Any) -> Answered:
    body = {"csr": request} | ({} if code is None else {"code": code})
    return fleet.call("POST", "/v1/enrol", body=json.dumps(body).encode(), **options)


def certificate_of(fleet: Bench, robot_id: str = "robot-1") -> str:
    answer = enrol(fleet, csr(robot_id), invite(fleet, robot_id))
    assert answer.status == 200, answer.body
    return str(answer.json["certificate_chain"])


def check(fleet: Bench, **options: Any) -> Answered:
    return fleet.call("GET", f"/v1/check?sku={SKU}&version=0.2.0", **options)


def test_a_code_and_a_request_become_a_certificate_that_opens_the_robot_s_door(fleet: Bench) -> None:
    key = new_key()
    answer = enrol(fleet, csr("robot-1", key), invite(fleet))
    assert (answer.status, answer.json["robot_id"], answer.json["sku"]) == (200, "robot-1", SKU)
    issued, ca = x509.load_pem_x509_certificates(answer.json["certificate_chain"].encode())
    issued.verify_directly_issued_by(ca)
    assert issued.version is x509.Version.v3 and issued.public_key() == key.public_key()
    usage = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        issued.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert issued.not_valid_after_utc == NOW + timedelta(days=365)
    assert check(fleet, certificate=answer.json["certificate_chain"]).status == 204


def test_a_code_works_once_even_when_many_use_it_at_once(fleet: Bench) -> None:
    code, requests = invite(fleet), [csr("robot-1") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request: enrol(fleet, request, code), requests))
    assert sorted(answer.status for answer in answers) == [200] + [403] * 7
    assert len(fleet.services.store.read(lambda rows: rows.find(RobotCertificate))) == 1


@pytest.mark.parametrize("code", [None, "wrong"])
def test_without_a_good_code_nothing_is_written(fleet: Bench, code: str | None) -> None:
    answer = enrol(fleet, csr("robot-1"), code)
    assert (answer.status, answer.code) == (403, "refused-enrolment-code")
    assert fleet.services.store.read(lambda rows: rows.robot("robot-1")) is None


def test_a_code_is_for_the_robot_it_names(fleet: Bench) -> None:
    code = invite(fleet)
    assert enrol(fleet, csr("robot-2"), code).code == "refused-enrolment-code"
    assert enrol(fleet, csr("robot-1"), code).status == 200


def weak_requests() -> dict[str, tuple[str, str]]:
    tampered = csr("robot-1").splitlines()
    tampered[-2] = ("A" if tampered[-2][0] != "A" else "B") + tampered[-2][1:]
    return {
        "another curve": (csr("robot-1", ec.generate_private_key(ec.SECP384R1())), "refused-csr"),
        "short RSA": (csr("robot-1", rsa.generate_private_key(65537, 1024)), "refused-csr"),
        "two names": (csr("robot-1", None, "robot-2"), "refused-csr"),
        "no request": (
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "refused-csr-format",
        ),
        "words": ("hello", "refused-csr-format"),
    }


@pytest.mark.parametrize("which", weak_requests())
def test_a_weak_or_broken_request_is_refused_and_uses_no_code_up(fleet: Bench, which: str) -> None:
    code = invite(fleet)
    request, expected = weak_requests()[which]
    assert enrol(fleet, request, code).code == expected
    assert enrol(fleet, csr("robot-1", rsa.generate_private_key(65537, 2048)), code).status == 200


def test_a_request_signed_with_another_key_is_refused(fleet: Bench) -> None:
    request = x509.load_pem_x509_csr(csr("robot-1").encode())
    foreign = x509.load_pem_x509_csr(csr("robot-1").encode())
    der = request.public_bytes(x509_encoding()).replace(
        request.public_key().public_numbers().x.to_bytes(32, "big"),  # type: ignore[union-attr]
        foreign.public_key().public_numbers().x.to_bytes(32, "big"),  # type: ignore[union-attr]
    )
    pem = pem_of(der)
    assert enrol(fleet, pem, invite(fleet)).code in {"refused-csr", "refused-csr-format"}


def x509_encoding() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def pem_of(der: bytes) -> str:
    import base64

    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"csr": 5}', b"x" * 17000])
def test_a_malformed_enrolment_is_refused(fleet: Bench, body: bytes) -> None:
    answer = fleet.call("POST", "/v1/enrol", body=body)
    assert answer.code in {"refused-enrolment-format", "refused-body-too-large"}


def test_a_certificate_renews_itself_and_only_itself(fleet: Bench) -> None:
    first, other = certificate_of(fleet), certificate_of(fleet, "robot-2")
    renewed = enrol(fleet, csr("robot-1"), certificate=first)
    assert renewed.status == 200
    for chain in (first, renewed.json["certificate_chain"]):
        assert check(fleet, certificate=chain).status == 204
    assert enrol(fleet, csr("robot-1"), certificate=other).code == "refused-robot-mismatch"


def test_enrolling_again_and_revoking_end_the_certificate(fleet: Bench) -> None:
    first = certificate_of(fleet)
    second = certificate_of(fleet)
    refused = check(fleet, certificate=first)
    assert (refused.status, refused.code) == (401, "refused-certificate")
    assert check(fleet, certificate=second).status == 204
    assert fleet.operate("POST", "/robots/robot-1/revoke", {"reason": "stolen"}).status == 200
    assert check(fleet, certificate=second).code == "refused-certificate"
    assert enrol(fleet, csr("robot-1"), certificate=second).code == "refused-certificate"


def test_revoking_ends_a_token_too_and_needs_a_reason(fleet: Bench) -> None:
    token = fleet.enrol("robot-1")
    assert fleet.operate("POST", "/robots/robot-1/revoke", {"reason": " "}).code == "refused-reason-missing"
    assert check(fleet, token=token).status == 204
    assert fleet.operate("POST", "/robots/robot-1/revoke", {"reason": "stolen"}).status == 200
    assert check(fleet, token=token).code == "refused-token"


def test_a_certificate_ends_with_its_time(fleet: Bench) -> None:
    chain = certificate_of(fleet)
    services = replace(fleet.services, now_s=lambda: NOW_S + 365 * 86400)
    answer = call(Application(services), "GET", f"/v1/check?sku={SKU}&version=0.2.0", certificate=chain)
    assert (answer.status, answer.code) == (401, "refused-certificate")


def test_another_authority_s_certificate_is_nobody_s(fleet: Bench, factory: OtherCa) -> None:
    certificate_of(fleet)
    assert check(fleet, certificate=factory.issue("robot-1")).code == "refused-certificate"


def test_a_factory_s_certificate_enrols_a_known_robot_and_opens_nothing_else(fleet: Bench, factory: OtherCa) -> None:
    proof = factory.issue("robot-1")
    assert enrol(fleet, csr("robot-1"), certificate=proof).code == "not-found-robot"
    fleet.enrol("robot-1")
    assert enrol(fleet, csr("robot-2"), certificate=proof).code == "refused-robot-mismatch"
    assert enrol(fleet, csr("robot-1"), certificate=OtherCa().issue("robot-1")).code == "refused-certificate"
    past = factory.issue("robot-1", until=NOW - timedelta(days=1))
    assert enrol(fleet, csr("robot-1"), certificate=past).code == "refused-certificate"
    answer = enrol(fleet, csr("robot-1"), certificate=proof)
    assert check(fleet, certificate=answer.json["certificate_chain"]).status == 204
    assert check(fleet, certificate=proof).code == "refused-certificate"


def passed(chain: str) -> dict[str, str]:
    return {HEADER: quote(x509_first(chain))}


def x509_first(chain: str) -> str:
    return chain[: chain.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("address", [PROXY, f"::ffff:{PROXY}", "fd00::7"])
def test_a_configured_proxy_passes_certificates_on(fleet: Bench, address: str) -> None:
    chain = certificate_of(fleet)
    assert check(fleet, headers=passed(chain), address=address).status == 204
    assert enrol(fleet, csr("robot-1"), headers=passed(chain), address=address).status == 200


@pytest.mark.parametrize("address", ["10.0.0.6", "127.0.0.1", "fe80::7", "nowhere"])
def test_from_anywhere_else_that_header_means_nothing(fleet: Bench, address: str) -> None:
    chain = certificate_of(fleet)
    refused = check(fleet, headers=passed(chain), address=address)
    assert (refused.status, refused.code) == (401, "refused-token")
    assert enrol(fleet, csr("robot-1"), headers=passed(chain), address=address).code == "refused-enrolment-code"
    # Who has credentials of its own is answered as who it is, not as whom the header names.
    own = fleet.enrol("robot-2")
    answer = fleet.call("POST", "/v1/report", token=own, headers=passed(chain), address=address, body=report("robot-2"))
    assert answer.status == 200


def test_a_proxy_s_own_certificate_is_not_its_robots_(fleet: Bench) -> None:
    chain = certificate_of(fleet)
    assert check(fleet, certificate=chain, address=PROXY).code == "refused-token"


@pytest.mark.parametrize(
    "garbage", ["x", "-----BEGIN CERTIFICATE-----%0AAAAA%0A-----END CERTIFICATE-----%0A", "%00%ff"]
)
def test_garbage_from_a_proxy_is_a_refusal(fleet: Bench, garbage: str) -> None:
    assert check(fleet, headers={HEADER: garbage}, address=PROXY).code == "refused-certificate"


def test_a_robot_s_certificate_speaks_for_itself_only_and_opens_nothing_of_the_operators(fleet: Bench) -> None:
    chain = certificate_of(fleet)
    answer = fleet.call("POST", "/v1/report", certificate=chain, body=report("robot-2"))
    assert (answer.status, answer.code) == (403, "refused-robot-mismatch")
    assert fleet.call("GET", "/api/v1/robots", certificate=chain).status == 401


def test_codes_and_keys_are_nowhere_in_the_log(fleet: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    code = invite(fleet)
    enrol(fleet, csr("robot-1"), code)
    enrol(fleet, csr("robot-1"), code)
    assert code not in caplog.text
