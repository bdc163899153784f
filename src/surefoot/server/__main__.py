"""`python -m surefoot.server`: the server alone, set by environment variables; for containers and supervisors."""

import logging
import sys

from surefoot.server.logs import configure_logging
from surefoot.server.serve import serve
from surefoot.server.settings import load_settings
from surefoot.wire.errors import SurefootError


def main() -> int:
    """Serve until a signal; print the url on standard output once ready."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        serve(settings, on_ready=_say)
    except SurefootError as error:
        logging.getLogger(__name__).error("%s: %s", error.code, error.message)
        return 1
    return 0


def _say(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
