from pathlib import Path

import pytest

from support import code_of
from surefoot.signing.secret_file import secret_source


def test_the_person_is_asked_where_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUREFOOT_SIGNER_SECRET_FILE", raising=False)
    assert secret_source(None) is None
    assert secret_source(str.upper) is str.upper


@pytest.mark.parametrize("content", [b"correct horse\n", b"correct horse", b"correct horse\r\nanother line\n"])
def test_the_secret_is_the_first_line_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("SUREFOOT_SIGNER_SECRET_FILE", str(tmp_path / "secret"))
    source = secret_source(None)
    assert source is not None and source("PIN: ") == "correct horse"


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_SIGNER_SECRET_FILE", str(tmp_path / "secret"))
    source = secret_source(None)
    assert source is not None
    assert code_of(source, "PIN: ") == "refused-file-unreadable"
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    assert code_of(source, "PIN: ") == "refused-passphrase"
