"""What pages load: style, scripts and vendored libraries, small enough to be kept in memory, compressed."""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from surefoot.server.problems import unknown_path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
# The address changes with what is behind it, so a browser may keep it.
KEPT = "public, max-age=31536000, immutable"
TAG_CHARS = 12

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file; `tag` stands for its bytes."""

    kind: str
    plain: bytes
    packed: bytes
    tag: str


@cache
def load(name: str) -> Asset | None:
    """Return the asset of a name such as `vendor/htmx.js`; None when there is none."""
    path = (FOLDER / name).resolve()
    if not path.is_relative_to(FOLDER.resolve()) or path.suffix not in KINDS or not path.is_file():
        return None
    data = path.read_bytes()
    tag = sha256(data).hexdigest()[:TAG_CHARS]
    return Asset(kind=KINDS[path.suffix], plain=data, packed=gzip.compress(data, 9, mtime=0), tag=tag)


def asset_url(name: str) -> str:
    """Return the address of an asset."""
    found = load(name)
    return f"/assets/{name}" if found is None else f"/assets/{name}?v={found.tag}"


@router.get("/assets/{name:path}")
async def get_asset(request: Request, name: str) -> Response:
    """Send an asset."""
    found = load(name) if len(name) < 100 else None
    if found is None:
        raise unknown_path()
    headers = {"cache-control": KEPT, "etag": f'"{found.tag}"', "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.kind, headers={**headers, "content-encoding": "gzip"})
    return Response(found.plain, media_type=found.kind, headers=headers)
