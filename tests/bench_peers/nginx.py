"""nginx with the same certificate and the same file, one worker, no log."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_peers.processes import wait_for

PORT = 19443
CONFIG = """
daemon off; worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4000; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    root {folder}/files;
    location = /plain {{ return 200 "ok"; }}
    location = /v1/check {{ return 200 "ok"; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, pem: Path, image: bytes, workers: int) -> Iterator[tuple[int, str]]:
    """Run it; yield process id and address."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "files").chmod(0o755)
    (folder / "files" / "image").write_bytes(image)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, pem=pem, port=PORT, workers=workers))
    process = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(config), "-g", "user root;"], stderr=subprocess.DEVNULL
    )
    try:
        url = f"https://127.0.0.1:{PORT}"
        wait_for(f"{url}/plain", process)
        yield process.pid, url
    finally:
        process.terminate()
        process.wait()
