"""goosebit from PyPI in a virtual environment of its own, with as many devices that are up to date."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_peers.processes import wait_for

PORT = 19444
FILL = """
import sys
from tortoise import Tortoise, run_async
from goosebit.db.config import TORTOISE_CONF
from goosebit.db.models import Device, Hardware, UpdateStateEnum

async def main():
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas()
    hardware = await Hardware.create(model="standard", revision="1")
    devices = [
        Device(id=f"robot-{n:07}", hardware=hardware, sw_version="0.2.0", last_state=UpdateStateEnum.FINISHED)
        for n in range(int(sys.argv[1]))
    ]
    await Device.bulk_create(devices, batch_size=500)
    await Tortoise.close_connections()

run_async(main())
"""


@contextmanager
def goosebit(folder: Path, pem: Path, robots: int, workers: int) -> Iterator[tuple[int, str]]:
    """Install and run it; yield process id and the address below which devices ask."""
    python = folder / "venv" / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "goosebit", "uvloop", "httptools"], check=True)
    database = folder / "db.sqlite3"
    database.unlink(missing_ok=True)
    environment = {**os.environ, "GOOSEBIT_DB_URI": f"sqlite://{database}", "GOOSEBIT_TENANT": "fleet"}
    subprocess.run([str(python), "-c", FILL, str(robots)], check=True, env=environment, cwd=folder)
    command = [str(python), "-m", "uvicorn", "goosebit:app", "--port", str(PORT), "--workers", str(workers)]
    tls = ["--ssl-certfile", str(pem), "--ssl-keyfile", str(pem), "--log-level", "error", "--no-access-log"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, *tls], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"https://127.0.0.1:{PORT}/fleet/controller/v1"
        wait_for(url, process)
        yield process.pid, url
    finally:
        process.terminate()
        process.wait()
