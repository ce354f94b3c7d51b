"""The search as a service: HTTP in the shapes that clients know, within limits, with languages in its metrics."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.serve.app import create_app
    from triglot.serve.run import serve
    from triglot.serve.settings import ServeSettings
    from triglot.serve.tokens import Tokens

__all__ = ["ServeSettings", "Tokens", "create_app", "serve"]
__getattr__ = face(
    __name__,
    {
        "app": ("create_app",),
        "run": ("serve",),
        "settings": ("ServeSettings",),
        "tokens": ("Tokens",),
    },
)
