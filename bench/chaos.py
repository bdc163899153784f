"""Two server processes on PostgreSQL under the traffic of a fleet, one or the other killed at random moments.

Five minutes by default. Counts requests, kills and takeovers, and every promise that was seen broken; none may be.
Needs Debian's postgresql.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from postgres import new_database  # noqa: E402 - it lies beside the tests
from surefoot.sim.process_chaos import run_process_chaos  # noqa: E402
from surefoot.sim.process_totals import SHORT, Size  # noqa: E402

# Between two lines of progress.
TELL_S = 5.0


def main() -> None:
    """Run it and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="twenty seconds instead of five minutes")
    parser.add_argument("--seconds", type=float, default=300, help="how long to kill")
    parser.add_argument("--robots", type=int, default=60, help="how many robots report")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    size = SHORT if arguments.quick else Size(seconds=arguments.seconds, robots=arguments.robots)

    told_s = -TELL_S

    def tell(at_s: float, line: str) -> None:
        nonlocal told_s
        if at_s - told_s >= TELL_S:
            told_s = at_s
            print(f"{at_s:4.0f} s: {line}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="surefoot-chaos-") as directory:
        found = run_process_chaos(Path(directory), new_database(), size, arguments.seed, tell)
    figures = {**asdict(found), "violations": found.violations}
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<21} {value}")
    sys.exit(1 if found.broken else 0)


if __name__ == "__main__":
    main()
