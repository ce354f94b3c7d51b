"""The search page at `/`: files of the package, held in memory, with headers under which a browser asks nobody else."""

from __future__ import annotations

from importlib.resources import files

# Scripts, styles and requests of this service alone; nothing inside the page's own text is run.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_KINDS = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "draw.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
START = "index.html"


def read() -> dict[str, tuple[bytes, str]]:
    """Name -> content and media type of each file of the page."""
    here = files(__name__)
    return {name: (here.joinpath(name).read_bytes(), kind) for name, kind in _KINDS.items()}
