"""One process under load: its CPU time and memory, and how it ends, and what loads it with questions."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of a load: answers, seconds, bytes, CPU seconds of the server, and answers that were no success."""

    answers: int
    time_s: float
    bytes_read: float
    cpu_s: float
    failed: int

    @property
    def per_s(self) -> float:
        """Answers per second of wall time."""
        return self.answers / self.time_s

    @property
    def per_core(self) -> float:
        """Answers per second of the server's own CPU time."""
        return self.answers / self.cpu_s


def processes_of(pid: int) -> list[int]:
    """Return a process and those it started."""
    # A child belongs to the thread that started it.
    children = [
        child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(one for child in children for one in processes_of(int(child)))]


def cpu_s(pid: int) -> float:
    """Return the CPU time a process and its children have used."""
    total = 0
    for one in processes_of(pid):
        words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / CLOCK_TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and its children."""
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in processes_of(pid)]
    return sum(pages) * PAGE_BYTES


def load(
    pid: int, url: str, time_s: float, *, script: Path | None = None, connections: int = 50, start: int = 0
) -> Load:
    """Ask with wrk from one thread, robot `start` first, and count what the server spends on it."""
    lua = [] if script is None else ["-s", str(script)]
    before_s = cpu_s(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{time_s:g}s", "--timeout", "30s", *lua, url]
    environment = {**os.environ, "START": str(start)}
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    spent_s = cpu_s(pid) - before_s
    answers, seconds, size = re.search(r"(\d+) requests in ([\d.]+)s, ([\d.]+[KMGT]?B) read", said).groups()  # type: ignore[union-attr]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Load(
        answers=int(answers),
        time_s=float(seconds),
        bytes_read=_bytes(size),
        cpu_s=max(spent_s, 1 / CLOCK_TICKS),
        failed=0 if failed is None else int(failed[1]),
    )


def _bytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([KMGT]?)B", text).groups()  # type: ignore[union-attr]
    return float(number) * 1024.0 ** " KMGT".index(unit or " ")


def lua(path: Path, method: str, target: str, *, robots: int, body: str = "", token: str = "") -> Path:
    """Write a script in which robots ask in turn; N stands for a robot's number, SEQ for what rises."""
    path.write_text(f"""
local i, seq, made = tonumber(os.getenv("START")) - 1, os.time(), {{}}
function request()
  i = (i + 1) % {robots}
  if i == 0 then seq = seq + 1 end
  -- What never changes is made once: the client must not be what is measured.
  if made[i] then return made[i] end
  local n = string.format("%07d", i)
  local headers = {{["Content-Type"] = "application/json"}}
  local token = "{token}"
  if token ~= "" then headers["Authorization"] = "Bearer " .. token:gsub("N", n) end
  local body = [[{body}]]
  if body ~= "" then body = body:gsub("NUMBER", n):gsub("SEQ", tostring(seq)) else body = nil end
  local asked = wrk.format("{method}", (("{target}"):gsub("NUMBER", n)), headers, body)
  if body == nil then made[i] = asked end
  return asked
end
""")
    return path


def wait_for(url: str, process: subprocess.Popen[bytes], ca: Sequence[str] = ("-k",)) -> None:
    """Return when the server answers anything; fail when it ends instead."""
    while subprocess.run(["curl", "-s", "-o", "/dev/null", *ca, url], check=False).returncode != 0:
        if process.poll() is not None:
            raise ChildProcessError(f"{process.args!r} ended with {process.returncode}.")
        time.sleep(0.05)
