"""Seeded worlds: fifty of a hundred robots with every kind of fault; how many a second, and whether all promises held.

CI runs the short form. The full form goes through five hundred, each of them another fate.
"""

import argparse
import json
import sys
from dataclasses import asdict

from surefoot.sim.faults import Fault
from surefoot.sim.worlds import run_worlds

ROBOTS = 100


def main() -> None:
    """Run the worlds and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fifty worlds instead of five hundred")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=1, help="of the first world")
    arguments = parser.parse_args()
    totals = run_worlds(arguments.seed, 50 if arguments.quick else 500, ROBOTS, tuple(Fault))
    figures = {name: value for name, value in asdict(totals).items() if name != "stories"}
    figures["worlds_per_s"] = round(totals.worlds / totals.seconds, 2)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<13} {value}")
    sys.exit(1 if totals.broken else 0)


if __name__ == "__main__":
    main()
