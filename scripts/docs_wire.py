"""The pages of what travels: the formats with their limits, and the codes."""

import inspect
import re
import struct

from scripts.docs_markdown import code, doc, fenced, listed, page, table

from surefoot.wire import codes as wire_codes
from surefoot.wire import command, diagnostics, health, image_header, limits, manifest, offer, report, topics
from surefoot.wire.record import Record

_CODE_LINE = re.compile(r'    (?:# (?P<heading>.+)|"(?P<code>[a-z0-9-]+)": ".+",)')

# What travels on each topic.
_SAID = {
    topics.COMMAND: "to the robot: commands",
    topics.REPORT: "from the robot: reports",
    topics.HEALTH: "from the robot: health windows",
    topics.DIAGNOSTICS: "from the robot: diagnostics",
    topics.ONLINE: "from the robot, retained: `1`, and `0` as its last will",
}


def wire() -> str:
    """Return the page of every format on the wire, and its limits."""
    size = struct.calcsize(image_header._LAYOUT)
    layout = (inspect.getdoc(image_header) or "").split("\n\n")
    numbers = [
        (code(name), f"{value:,}".replace(",", " "))
        for name, value in vars(limits).items()
        if name.isupper() and isinstance(value, int)
    ]
    return page(
        "Formats on the wire",
        f"## Signed image: a header of {size} bytes, then the firmware",
        layout[1],
        fenced(inspect.cleandoc(layout[2])),
        layout[3],
        "## Report",
        doc(report),
        *_record(report.Report),
        *_record(report.SlotReport),
        f"`state` of the running slot is one of {listed(report.RUNNING_STATES)}; of the spare slot, one of "
        f"{listed(report.SPARE_STATES)}.",
        *_record(report.AssignmentReport),
        f"`state` is one of {listed(report.ASSIGNMENT_STATES)}; the last {len(report.TERMINAL_STATES)} are endings.",
        "## Answer and offer",
        *_record(offer.Answer),
        "On the wire the offer stands under `order`.",
        *_record(offer.Offer),
        "## MQTT topics",
        doc(topics),
        table(("topic", "what"), [(code(topics.topic_of("ROBOT_ID", leaf)), what) for leaf, what in _SAID.items()]),
        "## Commands",
        doc(command),
        *_record(command.Command),
        "## Health window",
        doc(health),
        *_record(health.HealthWindow),
        "On the wire the sums stand beside the ids, and the topics are an object.",
        *_record(health.HealthSums),
        "## Diagnostics",
        doc(diagnostics),
        "## Manifest",
        doc(manifest),
        *_record(manifest.Manifest),
        *_record(manifest.SignedManifest),
        "## Limits",
        table(("limit", "value"), numbers),
    )


def codes() -> str:
    """Return the page of all codes, under the headings of the list in the source."""
    blocks = [doc(wire_codes), "A code marked *retryable* ends an attempt, not the assignment: the fleet offers again."]
    rows: list[tuple[str, str, str]] = []
    for match in map(_CODE_LINE.fullmatch, inspect.getsource(wire_codes).splitlines()):
        if match and match["heading"]:
            rows = []
            blocks += [f"## {match['heading'].rstrip('.')}", ""]
        elif match and match["code"] in wire_codes.CODES:
            name = match["code"]
            rows.append((code(name), "retryable" if name in wire_codes.RETRYABLE else "", wire_codes.CODES[name]))
            blocks[-1] = table(("code", "", "what it means and what to do"), rows)
    refusals = table(("refusal", "meaning"), [(code(name), text) for name, text in wire_codes.NAMED_REFUSALS.items()])
    why = (
        "Why a robot gets no offer now: a fact, not an error. `paused` and `halted` are shown with a robot that waits."
    )
    return page("Codes", *blocks, "## Named refusals", why, refusals)


def _record(record: type[Record]) -> list[str]:
    rows = [(code(name), code(_type_name(record.__annotations__[name]))) for name in record.__slots__]
    return [f"### {record.__name__}", doc(record), table(("field", "type"), rows)]


def _type_name(annotation: "type | str") -> str:
    return annotation if isinstance(annotation, str) else annotation.__name__
