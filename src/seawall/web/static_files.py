"""Scripts, styles and pictures: read once, kept in memory, named by what is in them."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from seawall.errors import ServiceError

STATIC_DIR: Final = Path(__file__).parent / "static"
FOREVER: Final = "public, max-age=31536000, immutable"
REQUIRED: Final = ("vendor/uPlot.esm.js", "vendor/uPlot.min.css", "vendor/uPlot.LICENSE.txt")
_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes
    media_type: str


class StaticFiles:
    """All files below a folder, served under one name made of all their contents.

    ES modules name each other relatively, so one hash stands in front of all:
    ``/static/HASH/js/fleet.js``. A new release has a new hash; the old one is not found.

    Raises:
        ServiceError: a file that the pages need is missing.
    """

    def __init__(self, folder: Path = STATIC_DIR) -> None:
        self._files: dict[str, _File] = {}
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")):
            media_type = _TYPES.get(path.suffix)
            if media_type is None or not path.is_file():
                continue
            content = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
            self._files[name] = _File(content, gzip.compress(content, 9, mtime=0), media_type)
        missing = [name for name in REQUIRED if name not in self._files]
        if missing:
            raise ServiceError(
                f"the pages' files are incomplete: {', '.join(missing)} missing in {folder}",
                reference="web-files-missing",
                hint="in a checkout run 'python hatch_build.py'; else install the package again",
            )
        self.revision = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Return the address of a file.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.revision}/{name}"

    def answer(self, request: Request, revision: str, name: str) -> Response | None:
        """Return a file, packed if the client takes that; None if there is none."""
        file = self._files.get(name) if revision == self.revision else None
        if file is None:
            return None
        headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
        content = file.content
        if "gzip" in request.headers.get("accept-encoding", "") and len(file.packed) < len(content):
            headers["content-encoding"] = "gzip"
            content = file.packed
        return Response(content, headers=headers, media_type=file.media_type)
