"""Errors as pages say them: what happened, by its code, and what to do."""

from starlette.requests import Request
from starlette.responses import Response

from surefoot.server.asgi import to_starlette
from surefoot.server.pages.rendering import render
from surefoot.server.problems import TITLES, problem_of, status_of
from surefoot.wire.errors import SurefootError

SERVERS_FAULT = "The server met an error of its own: its log has the details."


def error_response(request: Request, error: Exception) -> Response:
    """Return the error as a page for a browser, and as a problem document for a program.

    What the sender cannot mend is logged and not told.
    """
    problem = problem_of(error, f"{request.method} {request.url.path}")
    if "text/html" not in request.headers.get("accept", ""):
        return to_starlette(problem)
    return render(
        request,
        "error.html",
        title=TITLES[problem.status],
        http_status=problem.status,
        code=error.code if isinstance(error, SurefootError) else "misuse-server",
        sentence=error.message if isinstance(error, SurefootError) else SERVERS_FAULT,
    )


def status_for(error: SurefootError | None) -> int:
    """Return the status of a page that shows a form anew, with the error if there is one."""
    return 200 if error is None else status_of(error)
