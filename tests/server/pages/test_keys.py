"""Keys and their rotation on pages, with the robots it waits for by name."""

from server.pages.page_case import Page, browser, start, tell
from server_bench import Bench
from surefoot.signing.signers import FileSigner


def test_a_rotation_names_its_stragglers_and_goes_on_when_they_are_excluded(bench: Bench, signer: FileSigner) -> None:
    admin = browser(bench)
    assert "surefoot key new" in admin.see("/keys").text
    start(bench, "0.2.1")
    key_id = signer.public_key.key_id
    tell(bench, "robot-1", trusted_keys=[key_id])
    bench.enrol("robot-2")
    assert f"/keys/{key_id}/rotate" in admin.see("/keys").links
    asked = admin.see(f"/keys/{key_id}/rotate").text
    assert "There is no way back" in asked and "1 rollout of what it signed halts, 1 of them under way." in asked
    assert "refused-reason-missing" in Page(admin.send(f"/keys/{key_id}/rotate").body.decode()).text
    begun = admin.send(f"/keys/{key_id}/rotate", reason="laptop stolen")
    path = begun.headers["location"]
    page = admin.see(path)
    assert "straggler 1" in page.text and "silent 1" in page.text
    assert {"/robots/robot-1", "/robots/robot-2"} <= page.links
    assert "--new-key" in page.text and "laptop stolen" in page.text
    refused = Page(admin.send(f"{path}/verify").body.decode())
    assert "refused-rotation-state" in refused.text
    assert admin.send(f"{path}/nonsense").status == 404
    assert admin.send(f"{path}/cancel", reason="found it").status == 303
    assert "Cancelled" in admin.see(path).text
    assert admin.see(path).forms == {"/search", "/sign-out"}
