"""The shape of what was read from JSON: checked in one way for every reader that expects a certain document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from triglot.files import InputError

T = TypeVar("T")


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False))
    except Exception:  # a TypedDict or dataclass brings its own settings (`with_config(STRICT)`)
        return TypeAdapter(kind)


STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
strict = with_config(STRICT)


def shaped(value: Any, kind: type[T] | Any, where: str) -> T:
    """A value that was read from JSON, if it has the expected shape.

    Args:
        value: what was read.
        kind: a TypedDict of typing_extensions, decorated with `strict`, or `dict[str, float]`, `list[str]` and the
            like. Keys that it does not name may be there. Booleans are no numbers, infinities and NaN neither.
        where: the file, or file and line, that the message begins with.

    Raises:
        InputError: names the file and the first key that is missing or has a wrong value.
    """
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = (
            "is missing"
            if first["type"] == "missing"
            else f"{first.get('input')!r:.60}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        )
        raise InputError(f"{where}: {key}{': ' if key else ''}{what}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deeply") from None
