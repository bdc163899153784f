from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.fleet.yaml_lines import BYTES_MAX, DEPTH_MAX, plain_value, read_yaml
from surefoot.wire.errors import Refused

CODE = "refused-plan-format"
TEXT = b"""# a comment
first: 1

second:
  - name: a
    on: yes
  - name: "b"
    at: 22:00
third: [x, {y: 2.5}]
"""


def refusal_of(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_yaml(data, "file.yaml", CODE)
    assert caught.value.code == CODE
    return caught.value.message


def test_everything_is_read_with_its_line() -> None:
    document = read_yaml(TEXT, "file.yaml", CODE)
    assert document.value == {
        "first": 1,
        "second": [{"name": "a", "on": True}, {"name": "b", "at": "22:00"}],
        "third": ["x", {"y": 2.5}],
    }
    lines = {(): 2, ("second",): 4, ("second", 0): 5, ("second", 1, "at"): 8, ("third", 1, "y"): 9}
    assert {path: document.line(path) for path in lines} == lines


def test_what_is_missing_is_looked_for_where_it_should_be() -> None:
    document = read_yaml(TEXT, "file.yaml", CODE)
    assert document.line(("second", 1, "percent")) == 7
    assert document.line(("nothing", 0, "here")) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("null", None),
        ("Off", False),
        ("yes", True),
        ("86_400", 86400),
        ("-3", -3),
        ("1.0e+5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("22:00", "22:00"),
        ("0x10", "0x10"),
        ("1" * 33, "1" * 33),
        ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"),
        ("24 h", "24 h"),
    ],
)
def test_plain_text_means_what_it_looks_like(text: str, value: object) -> None:
    assert plain_value(text) == value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a: [1\nb: 2\n", "line 2"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: a is said twice"),
        (b"a: &x 1\nb: *x\n", "line 2: an alias"),
        (b"a: !!python/object:os.system x\n", "line 1: a tag"),
        (b"? [a]\n: b\n", "line 1: a key must be plain text"),
        (b"a: 1\n---\nb: 2\n", "line 3: a second document"),
        (b"a:\n " + b"[" * (DEPTH_MAX + 1), f"line 2: this is nested deeper than {DEPTH_MAX}"),
        (b"[" * 100_000, "nested deeper"),
        (b"\xff", "not YAML"),
        (b"a: \x00", "not YAML"),
        (b"#" * (BYTES_MAX + 1), "keep it below"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_with_its_line(data: bytes, said: str) -> None:
    message = refusal_of(data)
    assert message.startswith("file.yaml") and said in message


def test_json_is_read_however_it_is_indented() -> None:
    assert read_yaml(b'{\n\t"a": [\n\t\t1, "\\u0041"\n\t]\n}\n', "file.json", CODE).value == {"a": [1, "A"]}


def test_an_empty_file_says_nothing() -> None:
    assert read_yaml(b"# nothing\n", "file.yaml", CODE).value is None


@given(data=st.binary(max_size=40) | st.text("a:-[]{}&*!|>'\"#%@,?\n\t 1", max_size=40).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with suppress(Refused):
        read_yaml(data, "file.yaml", CODE)
