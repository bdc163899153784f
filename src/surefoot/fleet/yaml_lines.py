"""Reading YAML that people wrote, knowing the line of everything in it.

A small, plain YAML: mappings, sequences, text, numbers, true and false. Tags, aliases and repeated keys are refused,
and depth and size have bounds, so that a file can be neither a program nor a bomb. `22:00` is text, not a number of
base 60.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, Event, MappingStartEvent, ScalarEvent, SequenceStartEvent

from surefoot.wire.errors import Refused

BYTES_MAX = 1024 * 1024
DEPTH_MAX = 16
# Where something stands: keys and positions, from the outside in.
Path = tuple[str | int, ...]

_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null"), None),
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
_NUMBER_CHARS_MAX = 32
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*)?\.?[0-9]+([eE][-+]?[0-9]+)?|[-+]?[0-9]+\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says, as plain values, and the lines on which each part of it begins, counted from 1."""

    name: str
    value: object
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of what stands at the path, or of the nearest thing around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(data: bytes, name: str, code: str) -> Document:
    """Read a document; raise `Refused(code)` naming the file and the line."""
    if len(data) > BYTES_MAX:
        raise Refused(code, f"{name} has {len(data)} bytes: keep it below {BYTES_MAX}.")
    try:
        text = data.decode("utf-8-sig")
        # JSON may be indented by tabs, which YAML may not; inside its strings there are none.
        events = yaml.parse(text.replace("\t", " ") if text.startswith("{") else text, Loader=yaml.SafeLoader)
        return _Reader(name, code, events).document()
    except yaml.MarkedYAMLError as error:
        raise Refused(code, f"{name}, line {_line(error.problem_mark)}: {error.problem}: correct the YAML.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(code, f"{name} is not YAML: write it as text in UTF-8.") from error


def plain_value(text: str) -> object:
    """Return what unquoted text means."""
    word = text.lower()
    if word in _WORDS:
        return _WORDS[word]
    if len(text) > _NUMBER_CHARS_MAX:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _line(mark: Any) -> int:
    # Counted from 0 there.
    return 1 if mark is None else int(mark.line) + 1


class _Reader:
    """Builds values from the parser's events, which come one at a time however deep they nest."""

    def __init__(self, name: str, code: str, events: Iterator[Event]) -> None:
        self._name = name
        self._code = code
        self._events = events
        self._lines: dict[Path, int] = {}

    def document(self) -> Document:
        value: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, ScalarEvent | AliasEvent | MappingStartEvent | SequenceStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refuse(event, "a second document begins: keep one in a file")
                value = self._value(event, ())
        return Document(name=self._name, value=value, lines=self._lines)

    def _refuse(self, event: Event, sentence: str) -> Refused:
        return Refused(self._code, f"{self._name}, line {_line(event.start_mark)}: {sentence}.")

    def _value(self, event: Event, path: Path) -> Any:
        self._lines.setdefault(path, _line(event.start_mark))
        if len(path) > DEPTH_MAX:
            raise self._refuse(event, f"this is nested deeper than {DEPTH_MAX}: write it flatter")
        if isinstance(event, AliasEvent):
            raise self._refuse(event, "an alias is not followed: write it out")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "a tag has no meaning here: leave it out")
        if isinstance(event, ScalarEvent):
            return plain_value(event.value) if event.style is None else event.value
        if isinstance(event, SequenceStartEvent):
            return [self._value(item, (*path, index)) for index, item in enumerate(self._until_end())]
        return self._mapping(path)

    def _mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in self._until_end():
            if not isinstance(event, ScalarEvent) or event.tag is not None:
                raise self._refuse(event, "a key must be plain text")
            if event.value in found:
                raise self._refuse(event, f"{event.value} is said twice: leave one out")
            self._lines[*path, event.value] = _line(event.start_mark)
            found[event.value] = self._value(next(self._events), (*path, event.value))
        return found

    def _until_end(self) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, CollectionEndEvent):
                return
            yield event
