import json
import logging
import sys

from surefoot.server.logs import JsonLines


def line_of(message: str, *args: object, failed: bool = False) -> str:
    exc_info = None
    if failed:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            exc_info = sys.exc_info()
    record = logging.LogRecord("surefoot.server", logging.INFO, __file__, 1, message, args, exc_info)
    return JsonLines().format(record)


def test_an_event_is_one_json_object_on_one_line() -> None:
    line = line_of("ready url=%s", "https://localhost:1")
    value = json.loads(line)
    assert (value["level"], value["logger"], value["message"]) == (
        "INFO",
        "surefoot.server",
        "ready url=https://localhost:1",
    )
    assert value["at"].endswith("+00:00")


def test_a_line_end_in_a_message_or_a_traceback_does_not_break_the_line() -> None:
    line = line_of("robot said %s", "a\nb", failed=True)
    assert "\n" not in line
    assert "ValueError" in json.loads(line)["exception"]
