import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import code_of
from surefoot.shell.agent_process import PID_FILE, ask_agent, only_agent

# Blocked, a signal waits until it is asked for; unhandled, it would end the process.
AGENT = """
import signal, sys
from pathlib import Path
from surefoot.shell.agent_process import only_agent
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
with only_agent(Path(sys.argv[1]), listens=sys.argv[2] == "listens"):
    print("runs", flush=True)
    if sys.argv[2] == "listens":
        print(signal.sigwait([signal.SIGUSR1]).name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def agent(directory: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", AGENT, str(directory), how]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def hold(directory: Path) -> None:
    with only_agent(directory, listens=False):
        pass


def test_an_agent_that_runs_is_asked(tmp_path: Path) -> None:
    with agent(tmp_path, "listens") as process:
        assert ask_agent(tmp_path) is None
        assert process.stdout is not None
        assert process.stdout.readline() == "SIGUSR1\n"


def test_an_agent_that_does_not_listen_is_left_to_what_it_does(tmp_path: Path) -> None:
    with agent(tmp_path, "once") as process:
        assert ask_agent(tmp_path) is None
        assert process.poll() is None


def test_there_is_one_agent_at_a_time(tmp_path: Path) -> None:
    with agent(tmp_path, "listens"):
        assert code_of(hold, tmp_path) == "refused-agent-running"
    hold(tmp_path)
    assert code_of(hold, tmp_path / "nowhere") == "refused-file-unwritable"


def test_after_a_crash_nobody_is_asked_by_a_number_that_may_be_anothers(tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as another:
        (tmp_path / PID_FILE).write_text(str(another.pid))
        said = ask_agent(tmp_path)
        assert said is not None
        assert "no agent runs" in said
        assert another.poll() is None
        assert another.stdin is not None
        another.stdin.close()
        assert another.wait() != -signal.SIGUSR1


def test_where_no_agent_ever_ran_it_says_so(tmp_path: Path) -> None:
    said = ask_agent(tmp_path)
    assert said is not None
    assert "no agent has run" in said
