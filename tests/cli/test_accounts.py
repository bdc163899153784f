"""Accounts, tokens and the audit log as people use them: by command, against a real server."""

import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from live_server import LiveServer

Run = Callable[..., Any]
PASSWORD, NEW = "correct horse battery", "another good sentence"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("accounts") / "data").start() as started:
        yield started


@pytest.fixture
def operate(surefoot: Run, server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*words: object, typed: str = "") -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return surefoot(*words, "--data", server.data_dir)

    return run


@pytest.fixture
def ask(operate: Run) -> Run:
    """Run a command that must succeed, and return its JSON."""

    def run(*words: object, typed: str = "") -> Any:
        outcome = operate(*words, "--json", typed=typed)
        assert outcome.code == 0, outcome.stdout
        return outcome.json

    return run


def test_a_person_s_account_from_first_to_last_day(ask: Run, operate: Run, tmp_path: Path) -> None:
    made = ask("account", "add", "anna", "--role", "operator", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (made["role"], made["has_password"]) == ("operator", True)
    mine = tmp_path / "my.token"
    login = ask("login", "anna", "--token-output", mine, "--password-stdin", typed=f"{PASSWORD}\n")
    assert login["account"] == "anna" and "token" not in login
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    assert ask("robot", "add", "robot-1", "--sku", "s", "--token-file", mine)["robot_id"] == "robot-1"
    refused = operate("account", "list", "--token-file", mine)
    assert (refused.code, refused.error_code) == (1, "refused-permission")
    own = ["account", "passwd", "anna", "--own", "--password-stdin", "--token-file", mine]
    assert "Its tokens stay valid, 1 of them" in operate(*own, typed=f"{PASSWORD}\n{NEW}\n").stdout
    wrong = operate("login", "anna", "--token-output", tmp_path / "x", "--password-stdin", typed=f"{PASSWORD}\n")
    assert wrong.error_code == "refused-login" and not (tmp_path / "x").exists()
    assert ask("account", "set-role", "anna", "--role", "viewer", "--reason", "new duty")["role"] == "viewer"
    assert ask("account", "disable", "anna", "--reason", "left")["disabled"]
    assert operate("robot", "list", "--token-file", mine).error_code == "refused-token"
    assert not ask("account", "enable", "anna")["disabled"]
    assert ask("robot", "list", "--token-file", mine)["robots"]


def test_a_machine_s_token_is_made_used_listed_and_revoked(ask: Run, operate: Run, tmp_path: Path) -> None:
    assert not ask("account", "add", "ci", "--role", "publisher", "--no-password")["has_password"]
    path = tmp_path / "build.token"
    create = ["token", "create", "--account", "ci", "--label", "build", "--scope", "read", "--days", "7"]
    made = ask(*create, "--token-output", path)
    assert made["scopes"] == ["read"] and "token" not in made
    assert "keys" in ask("key", "list", "--token-file", path)
    again = operate(*create, "--token-output", path)
    assert again.error_code == "refused-file-exists"
    listed = {token["token_id"]: token for token in ask("token", "list", "--account", "ci")["tokens"]}
    assert [token["revoked_at_s"] is None for token in listed.values()] == [False, True]
    assert listed[made["token_id"]]["used_at_s"] is not None
    shown = operate("token", "list").stdout
    assert path.read_text().strip() not in shown and "build" in shown
    assert ask("token", "revoke", made["token_id"])["revoked_at_s"] is not None
    assert operate("key", "list", "--token-file", path).error_code == "refused-token"
    printed = operate("token", "create", "--account", "ci", "--label", "by hand").stdout.splitlines()
    assert printed[-1].startswith("sfo_")


def test_a_password_is_never_on_the_command_line(operate: Run) -> None:
    assert operate("account", "add", "bert", "--password", PASSWORD).code == 2
    assert operate("account", "add", "bert").error_code == "refused-password-missing"
    assert operate("account", "add", "bert", "--password-stdin").error_code == "refused-password-missing"
    assert "bert" not in operate("account", "list").stdout


def test_the_record_is_shown_verified_and_its_first_broken_entry_named(
    ask: Run, operate: Run, server: LiveServer
) -> None:
    for name in ("one", "two", "three"):
        ask("account", "add", name, "--no-password")
    entries = ask("audit", "list", "--action", "account.create", "--limit", "2")["entries"]
    assert [entry["target"] for entry in entries] == ["three", "two"]
    whole = ask("audit", "verify")
    assert whole["entries"] == entries[0]["number"] and whole["head"] == entries[0]["sha256"]
    assert ask("audit", "verify", "--head", entries[1]["sha256"])["entries"] == whole["entries"]
    assert operate("audit", "verify", "--head", "0" * 63).error_code == "refused-usage"
    cut_off = operate("audit", "verify", "--head", "0" * 64)
    assert (cut_off.code, cut_off.error_code) == (1, "damaged-audit")
    assert f"The audit log is whole: {whole['entries']} entries." in operate("audit", "verify").stdout

    def edit(statement: str, **values: object) -> None:
        engine = create_engine(server.database_url)
        with engine.begin() as database:
            database.execute(text(statement), values)
        engine.dispose()

    number, after = entries[1]["number"], json.dumps(entries[1]["after"])
    update = "UPDATE audit SET after = :after WHERE number = :number"
    edit(update, after=after.replace("viewer", "admin"), number=number)
    broken = operate("audit", "verify")
    assert broken.code == 1 and f"breaks at entry {number}: It was edited" in broken.stderr
    edit(update, after=after, number=number)
    assert operate("audit", "verify").code == 0
    edit("DELETE FROM audit WHERE number = :number", number=number - 1)
    removed = operate("audit", "verify")
    assert removed.code == 1 and f"breaks at entry {number - 1}: The entry is missing" in removed.stderr
