"""What a robot makes of an answer that is no success: problem+json from its server, or anything from in between."""

import contextlib
import json
import re

from surefoot.wire import limits
from surefoot.wire.errors import Interrupted, Refused
from surefoot.wire.fields import ID_CHARS


def error_of(body: bytes, status: int) -> Interrupted | Refused:
    """Return the error to raise: a server in trouble is asked again, any other is believed with its own code."""
    code, detail = problem_of(body, status)
    if status >= 500 or status == 429:
        return Interrupted("server-unreachable", f"The server could not answer ({code}): {detail}")
    return Refused(code, detail)


def problem_of(body: bytes, status: int) -> tuple[str, str]:
    """Return code and sentence of a problem+json body; what stands between robot and server may send anything."""
    code, detail = "", ""
    with contextlib.suppress(ValueError, RecursionError):
        problem = json.loads(body)
        if isinstance(problem, dict):
            code = re.split("[/:#]", str(problem.get("type", "")))[-1][: limits.CODE_CHARS_MAX]
            detail = "".join(char if char.isprintable() else "?" for char in str(problem.get("detail", ""))[:500])
    # The code goes into journal and reports, which take no others.
    if code.strip(ID_CHARS):
        code = ""
    return code or "refused-answer-format", detail or f"The server answered with status {status}."
