"""Power cuts at the flash operations of whole updates: how many worlds, how many broken, how many a second.

The short form looks at everything a little. The full form cuts at every operation, with what each kind of cut leaves,
on three flash geometries, with the bootloader's rollback on and off, for firmware that is well, fails and crashes.
"""

import argparse
import json
import sys
from dataclasses import asdict

from surefoot.sim.sweep import run_sweep


def main() -> None:
    """Run the sweep and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    totals = run_sweep(full=not arguments.quick)
    figures = {name: value for name, value in asdict(totals).items() if name != "faults"}
    figures["worlds_per_s"] = round(totals.worlds / totals.seconds, 1)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<13} {value}")
    sys.exit(1 if totals.faults else 0)


if __name__ == "__main__":
    main()
