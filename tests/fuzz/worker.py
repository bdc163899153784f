"""Fuzzes parsers with atheris, each in a process of its own as libFuzzer takes the process over.

    python -m fuzz.worker SEED JOBS FOLDER TARGET=INPUTS TARGET=INPUTS ...

Prints the figures of each target as a line of JSON when it is done. An input that makes something come out that may
not is kept in the folder, the shortest of its kind, and the fuzzing goes on. Everything is imported and instrumented
once, and the process copied for each target.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["surefoot", "tomllib", "yaml", "tuf"]):
    from fuzz.targets import BY_NAME, Target
from fuzz.mutations import mutate

# Whoever takes longer for one input, or more memory, has failed: libFuzzer ends the process.
INPUT_TIMEOUT_S = 120
MEMORY_MIB = 2048


class Fuzzing:
    """The inputs of one target, and what was found by them."""

    def __init__(self, target: Target, runs: int, folder: Path) -> None:
        self._target = target
        self._seeds = target.corpus()
        self._runs = runs
        self._folder = folder
        self._done = 0
        self._taken = 0
        self._findings: dict[str, tuple[str, bytes]] = {}
        self._started_s = time.perf_counter()

    def try_input(self, data: bytes) -> None:
        """Parse one input; after the last one, say what became of them and end the process."""
        self._done += 1
        try:
            self._taken += self._target.check(data)
        except BaseException as error:  # noqa: BLE001 - a panic of a library in Rust is no Exception
            self._note(error, data)
        if self._done >= self._runs:
            self._end()

    def change(self, data: bytes, bytes_max: int, seed: int) -> bytes:
        """Return the next input: changed by libFuzzer, or as strangers do, its digests made true now and then."""
        chance = Random(seed)
        match chance.randrange(3):
            case 0:
                data = atheris.Mutate(data, bytes_max)
            case 1:
                data = mutate(chance, data, self._target.kind, bytes_max)
            case _:
                # What libFuzzer keeps drifts away from anything that parses at all.
                data = mutate(chance, chance.choice(self._seeds), self._target.kind, bytes_max)
        if self._target.seal is not None and chance.random() < 0.5:
            data = self._target.seal(data)[:bytes_max]
        return data

    def _note(self, error: BaseException, data: bytes) -> None:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/surefoot/" in frame.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "the harness"
        key = f"{type(error).__name__} at {place}"
        if key not in self._findings or len(data) < len(self._findings[key][1]):
            self._findings[key] = (str(error)[:200], data)

    def _end(self) -> None:
        findings = []
        for number, (key, (why, data)) in enumerate(self._findings.items()):
            path = self._folder / f"{self._target.name}-{number}.bin"
            path.write_bytes(data)
            findings.append({"what": key, "why": why, "input": path.name})
        seconds = time.perf_counter() - self._started_s
        figures = {"inputs": self._done, "taken": self._taken, "seconds": round(seconds, 2), "findings": findings}
        _figures_path(self._folder, self._target).write_text(json.dumps(figures))
        # libFuzzer would go on for ever and knows no other way out.
        os._exit(0)


def _figures_path(folder: Path, target: Target) -> Path:
    return folder / f"{target.name}.json"


def fuzz(target: Target, runs: int, seed: int, folder: Path) -> None:
    """Fuzz one target in this process and end it."""
    seeds = folder / "corpus" / target.name
    seeds.mkdir(parents=True)
    for number, data in enumerate(target.corpus()):
        (seeds / str(number)).write_bytes(data)
    options = (
        f"-seed={seed}",
        f"-max_len={target.bytes_max}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={folder}/{target.name}-",
        "-verbosity=0",
    )
    fuzzing = Fuzzing(target, runs, folder)
    atheris.Setup([sys.argv[0], *options, str(seeds)], fuzzing.try_input, custom_mutator=fuzzing.change)
    atheris.Fuzz()


def figures_of(target: Target, folder: Path, exit_code: int) -> dict[str, Any]:
    """Return what a process left; one that died is a finding too."""
    path = _figures_path(folder, target)
    if exit_code == 0 and path.exists():
        return {"target": target.name, **json.loads(path.read_text())}
    kept = [path.name for path in folder.glob(f"{target.name}-*")]
    died = {"what": f"the process ended with {exit_code}", "why": "see its input", "input": ", ".join(kept)}
    return {"target": target.name, "inputs": 0, "taken": 0, "seconds": 0.0, "findings": [died]}


def main() -> None:
    """Fuzz the targets that the command line names, a few at a time."""
    seed, jobs, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    waiting = [(BY_NAME[name], int(runs)) for name, _, runs in (said.partition("=") for said in sys.argv[4:])]
    running: dict[int, Target] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            target, runs = waiting.pop(0)
            child = os.fork()
            if child == 0:
                fuzz(target, runs, seed, folder)
            running[child] = target
        child, status = os.wait()
        figures = figures_of(running.pop(child), folder, os.waitstatus_to_exitcode(status))
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
