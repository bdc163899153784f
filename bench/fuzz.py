"""Coverage-guided fuzzing of every parser: how many inputs, how many a second, and what came out that may not.

Without flags it goes through a million inputs; `make bench` runs the short form, a few thousand for most parsers. The
parsers and what fuzzing starts from are those of `tests/fuzz/targets.py`; each runs under atheris in a process of its
own. Inputs that fail are kept in `.cache/fuzz`, and belong into `tests/fuzz/regressions` once they are understood.

    .venv/bin/python bench/fuzz.py --only wire.delta --inputs 100000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# In place of this folder, which has a module of the same name.
sys.path[0] = str(ROOT / "tests")

from fuzz.targets import TARGETS, Target  # noqa: E402

INPUTS = 1_000_000
INPUTS_QUICK = 2_000
KEPT = ROOT / ".cache" / "fuzz"


def fuzzed(inputs: dict[str, int], seed: int, jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of each parser as it is done; what failed is kept."""
    with tempfile.TemporaryDirectory() as folder:
        said = [f"{name}={number}" for name, number in inputs.items()]
        command = [sys.executable, "-m", "fuzz.worker", str(seed), str(jobs), folder, *said]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as worker:
            for line in worker.stdout or ():
                yield json.loads(line)
        KEPT.mkdir(parents=True, exist_ok=True)
        for path in Path(folder).glob("*-*"):
            (KEPT / path.name).write_bytes(path.read_bytes())


def shares(targets: list[Target], inputs: int) -> dict[str, int]:
    """Return how many inputs each parser gets, most first so that none is left alone at the end."""
    for_one = inputs / sum(target.share for target in targets)
    # Rounded up, or all together would fall short.
    parts = {target.name: int(for_one * target.share) + 1 for target in targets}
    return dict(sorted(parts.items(), key=lambda part: -part[1]))


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{INPUTS_QUICK} inputs for each parser on average")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="over all parsers (default: a million)")
    parser.add_argument("--seed", type=int, default=1, help="what chance follows from")
    parser.add_argument("--only", default="", metavar="WORD", help="only parsers whose name has this in it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    arguments = parser.parse_args()
    chosen = [target for target in TARGETS if arguments.only in target.name]
    inputs = INPUTS_QUICK * len(chosen) if arguments.quick else arguments.inputs
    started_s = time.perf_counter()
    rows = []
    for row in fuzzed(shares(chosen, inputs), arguments.seed, arguments.jobs):
        row["per_s"] = round(row["inputs"] / max(row["seconds"], 0.01))
        rows.append(row)
        if not arguments.json:
            print(f"{row['target']:<50}{row['inputs']:>9}{row['per_s']:>9}/s{len(row['findings']):>4}", flush=True)
    findings = [(row["target"], finding) for row in rows for finding in row["findings"]]
    total = {
        "parsers": len(rows),
        "inputs": sum(row["inputs"] for row in rows),
        "seconds": round(time.perf_counter() - started_s, 1),
        "findings": len(findings),
    }
    if arguments.json:
        print(json.dumps({**total, "targets": rows}))
    else:
        print(*(f"{name} {value}" for name, value in total.items()), sep=", ")
        for name, finding in findings:
            print(f"{name}: {finding['what']}: {finding['why']} ({KEPT / finding['input']})")
    sys.exit(1 if findings or len(rows) < len(chosen) else 0)


if __name__ == "__main__":
    main()
