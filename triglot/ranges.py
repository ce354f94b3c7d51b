"""What a setting may be, declared once, with the field of the dataclass or the option of the command that takes it: a
range of numbers, or a name out of a table.

    dim: Annotated[int, Range(1, 2**16)] = 512
    method: Annotated[str, OneOf(METHODS)] = "none"

`check_ranges` in a dataclass' `__post_init__` reads them, so that settings from a file, from the command line and from
Python are held to the same. The names below are ranges that several places share.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Protocol, cast, get_args, get_origin, get_type_hints

from triglot.files import SettingError, check_choice


def shown(value: Any) -> str:
    """A value for a message; Python writes no integer of more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of about {int(value.bit_length() * 0.30103) + 1:,} digits"
    plain: Any = value
    text = repr(plain.item() if hasattr(plain, "item") and getattr(plain, "ndim", 1) == 0 else plain)
    return text if len(text) <= 100 else f"{text[:97]}..."


@dataclass(frozen=True)
class Range:
    """What a number may be.

    Attributes:
        low, high: the ends.
        above, below: the low end, the high end itself is not allowed.
        hint: said beside the range: `half a point is 0.005`.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    hint: str = ""

    def in_words(self, whole: bool) -> str:
        """`a whole number from 1 to 65536`; `a number above 0, at most 1000`."""
        kind = "a whole number" if whole else "a number"
        if self.above and self.below:
            return f"{kind} between {self.low:g} and {self.high:g}, neither of them"
        if self.above:
            return f"{kind} above {self.low:g}, at most {self._end(self.high)}"
        return f"{kind} from {self._end(self.low)} to {'below ' if self.below else ''}{self._end(self.high)}"

    @staticmethod
    def _end(end: float) -> str:
        return str(end) if isinstance(end, int) else f"{end:g}"

    def complaint(self, value: Any, whole: bool) -> str:
        """What is wrong with a value; empty if nothing is. A Boolean is no number."""
        if isinstance(value, bool) or not isinstance(value, Real):
            return f"{shown(value)} is not {'a whole number' if whole else 'a number'}"
        value = cast(Any, value)
        inside = (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.below else value <= self.high
        )
        if inside and (not whole or isinstance(value, Integral)):
            return ""
        if inside:
            return f"{shown(value)} is not a whole number"
        rest = "".join(f"; {part}" for part in (self.hint,) if part)
        ends = (self.low, self.high)
        if value != value or value in (float("inf"), float("-inf")):
            what = "is not a finite number"
        elif whole and ends == (0, 1):
            return f"{shown(value)} is neither 0 nor 1{rest}"
        elif ends == (0, 1):
            what = "is not between 0 and 1"
        elif value > self.high or (self.below and value == self.high):
            what = "is too large"
        elif self.low == 0 or (not whole and self.low > 0 and value <= 0):
            what = "is not a positive number" if self.above or self.low else "is negative"
        else:
            what = f"is below {self._end(self.low)}"
        return f"{shown(value)} {what}{rest}; {self.in_words(whole)} is wanted"


class _Row(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...


class Table(Protocol):
    """A table of `triglot.registry`."""

    def names(self) -> tuple[str, ...]:
        """Of its rows."""
        ...

    @property
    def own(self) -> Sequence[_Row]:
        """Its rows without those of other packages."""
        ...


@dataclass(frozen=True)
class OneOf:
    """A name out of a table.

    Attributes:
        table: the rows, those of other packages included.
        none: what stands for none of them; None where one must be chosen.
        only: attribute that a row must have as true to be shown among the choices; whoever takes the name checks it,
            since that may import the row's package.
    """

    table: Table
    none: str | None = None
    only: str = ""

    @property
    def rows(self) -> list[_Row]:
        """The rows to choose from, without those of other packages."""
        return [row for row in self.table.own if not self.only or getattr(row, self.only)]

    def check(self, key: str, value: Any) -> None:
        """Raises SettingError that names key, value and the nearest known name."""
        if value != self.none or self.none is None:
            check_choice(key, value, self.table.names())


def choices_in(hint: Any) -> Iterator[OneOf]:
    """The table of the name that an annotation allows, if there is one."""
    if get_origin(hint) is Annotated:
        yield from (note for note in get_args(hint)[1:] if isinstance(note, OneOf))


def ranges_in(hint: Any) -> Iterator[tuple[Range, bool]]:
    """The range of the number that an annotation allows, alone or beside other types, and whether the number must be
    whole."""
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        yield from ((note, kind is int) for note in notes if isinstance(note, Range))
    elif get_origin(hint) in (typing.Union, types.UnionType):
        for option in get_args(hint):
            yield from ranges_in(option)


def _numbers(hint: Any, value: Any, key: str) -> Iterator[tuple[str, Any, bool, Range]]:
    """Yield (key, number, whether it must be whole, its range) for every number with a range that an annotation sees in
    a value."""
    origin = get_origin(hint)
    if origin is Annotated:
        kind, *notes = get_args(hint)
        for note in notes:
            if isinstance(note, Range):
                yield key, value, kind is int, note
                return
        yield from _numbers(kind, value, key)
    elif origin in (typing.Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        words = {word for option in options if get_origin(option) is Literal for word in get_args(option)}
        if value is not None and not (isinstance(value, str) and (str in options or value in words)):
            lists = [option for option in options if get_origin(option) in (tuple, list, Sequence)]
            for option in lists if lists and isinstance(value, (tuple, list)) else options:
                if option is not str:
                    yield from _numbers(option, value, key)
    elif origin in (tuple, list, Sequence) and isinstance(value, (tuple, list)):
        for number, item in enumerate(value):
            yield from _numbers(get_args(hint)[0], item, f"{key}.{number}")
    elif origin in (dict, Mapping) and isinstance(value, Mapping):
        for name, item in value.items():
            yield from _numbers(get_args(hint)[1], item, f"{key}.{name}")


@cache
def hints_of(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass, with their ranges."""
    return get_type_hints(kind, include_extras=True)


def check_ranges(settings: Any) -> None:
    """Hold every number of a dataclass to the range of its field, and every name to its table.

    Raises:
        SettingError: names the first field that is out of its range, the value and the range; or an unknown name, with
            the nearest known one.
    """
    hints = hints_of(type(settings))
    for field in fields(settings):
        for choice in choices_in(hints[field.name]):
            choice.check(field.name, getattr(settings, field.name))
        for place, value, whole, allowed in _numbers(hints[field.name], getattr(settings, field.name), field.name):
            if complaint := allowed.complaint(value, whole):
                raise SettingError(place, complaint)


def check_number(key: str, value: Any, kind: Any) -> None:
    """Hold one number to a range: `check_number("--top-k", k, Top)`.

    Raises SettingError that names key, value and range.
    """
    for _, number, whole, allowed in _numbers(kind, value, key):
        if complaint := allowed.complaint(number, whole):
            raise SettingError(key, complaint)


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter  # not needed where no option is given

    return TypeAdapter(kind, config=ConfigDict(strict=True, arbitrary_types_allowed=True))


def check_options(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Hold keyword arguments to a function's annotations: their types, without conversion, and their ranges.

    What has no annotation, or one that cannot be resolved, is passed over. So are mappings and the words of a choice:
    whoever reads them knows what may stand there.

    Raises:
        SettingError: names the first argument that does not fit, and what is wanted.
    """
    from pydantic import ValidationError

    function = inspect.unwrap(function)
    for key, value in given.items():
        bare = types.SimpleNamespace(__annotations__={key: getattr(function, "__annotations__", {}).get(key, Any)})
        try:
            kind = get_type_hints(bare, globalns=getattr(function, "__globals__", {}), include_extras=True)[key]
        except NameError:
            continue
        check_number(key, value, kind)
        if isinstance(value, Mapping):
            continue
        try:
            _adapter(kind).validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "literal_error" and isinstance(value, str):
                continue
            wanted = first["msg"].removeprefix("Input ")
            raise SettingError(key, f"{shown(value)}: {wanted}") from None


Share = Annotated[float, Range(0, 1)]
Portion = Annotated[float, Range(0, 1, above=True, below=True)]
Half = Annotated[int, Range(0, 1)]  # of word lists
Seed = Annotated[int, Range(0, 2**32 - 1)]
Texts = Annotated[int, Range(0, 10**8)]  # 0 for all
Depth = Annotated[int, Range(1, 10**6)]  # passages a query
Count = Annotated[int, Range(0, 10**9)]  # steps, rows, texts, ...; 0 for none, or for all
Several = Annotated[int, Range(1, 10**9)]
Weight = Annotated[float, Range(0, 10**6)]
Positive = Annotated[float, Range(0, 10**6, above=True)]
Dim = Annotated[int, Range(1, 2**14)]  # of vectors
Vocab = Annotated[int, Range(1, 2**21)]  # tokens
Layers = Annotated[int, Range(1, 1000)]
Heads = Annotated[int, Range(1, 1000)]
Rank = Annotated[int, Range(0, 2**14)]  # directions of a space; 0 for the method's default
Beams = Annotated[int, Range(1, 100)]
MostWords = Annotated[int, Range(1, 1000)]  # translations of a word
BatchTexts = Annotated[int, Range(0, 2**20)]  # texts of a batch; 0 for what suits the device
Port = Annotated[int, Range(0, 65535)]
Top = Annotated[int, Range(1, 10**6)]  # passages that are shown
