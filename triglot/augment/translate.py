"""Machine translation through a local folder of a Marian, M2M100, NLLB or mBART model, as transformers saves them.

Each family names languages in its own way: `>>fra<<` before the text (Marian with several targets), `fr` (M2M100),
`fra_Latn` (NLLB), `fr_XX` (mBART). Here they are called by their usual codes; CLDR's aliases and likely scripts (in
Babel) lead from one to the other.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from babel.core import get_global
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from triglot.files import InputError, beside, nearest, read_json
from triglot.model_files.folder import present, read_plain, stage_transformer
from triglot.model_files.weights import check_finite, check_loaded, reports
from triglot.ranges import Beams, Range, check_ranges

_CODE = re.compile(r"(?:>>|__)?([a-z]{2,3}(?:_[A-Za-z]{2,4})?)(?:<<|__)?")
log = logging.getLogger("triglot")
_WINDOW = 16_384  # sentences sorted together
_FEWEST = 4  # tokens that a model must be able to read and write
_HASHED = (".json", ".safetensors", ".spm", ".model", ".txt")


@dataclass(frozen=True)
class TranslateSettings:
    """How texts are translated.

    Attributes:
        beams: of the search; 1 takes the best token each time.
        longest: new tokens of a sentence at most; sentences of more tokens are cut.
        tokens: of a batch, padding included.
    """

    beams: Beams = 4
    longest: Annotated[int, Range(1, 10_000)] = 256
    tokens: Annotated[int, Range(1, 10**7)] = 2048

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def of_result(self) -> dict[str, int]:
        """What the translation itself depends on."""
        return {"beams": self.beams, "longest": self.longest}


def plain_code(code: str) -> str:
    """A model's code as the usual one, without its script: `>>fra<<`, `fra_Latn`, `fr_XX` -> `fr`.

    Empty if it looks like none.
    """
    match = _CODE.fullmatch(code)
    if match is None:
        return ""
    first = match[1].split("_")[0]
    return get_global("language_aliases").get(first, first)


def _script(code: str) -> str:
    match = re.search(r"_([A-Z][a-z]{3})\b", code)
    return match[1] if match else ""


def find_code(lang: str, codes: Sequence[str]) -> str:
    """The code of a model for a language; of several scripts the language's usual one.

    Args:
        lang: `de`, or one of the codes themselves (`zho_Hant`).
        codes: the model's.

    Raises:
        InputError: the model does not know the language.
    """
    bare = {re.sub(r"^(>>|__)|(<<|__)$", "", code): code for code in codes}
    if lang in bare:
        return bare[lang]
    wanted = get_global("language_aliases").get(lang, lang)
    fitting = [code for code in codes if plain_code(code) == wanted]
    if not fitting:
        raise InputError(
            f"into: the model has no language {lang!r}{nearest(lang, {plain_code(code) for code in codes} - {''})}"
        )
    usual = get_global("likely_subtags").get(wanted, "").split("_")
    return next((code for code in fitting if _script(code) in usual), fitting[0])


class Translator:
    """A model and its tokenizer.

    Attributes:
        family: `marian`, or the way in which languages are named otherwise (`m2m100`, `codes`).
        digest: stands for the content of the folder.

    Args:
        path: the folder.
        settings: how to translate.
        device: of torch; by default the GPU if there is one.

    Raises:
        InputError: no such folder, or it holds no such model.
    """

    def __init__(self, path: str | Path, settings: TranslateSettings | None = None, *, device: str = ""):
        self.path = Path(path)
        self.settings = settings or TranslateSettings()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        _check_folder(self.path)
        with tempfile.TemporaryDirectory(prefix="triglot-model-") as place:
            try:
                self.tokenizer, model = _loaded(self.path, Path(place))
            except InputError as error:
                raise InputError(f"translate: {error}") from None
        self.model: Any = model.to(self.device).eval()
        kind = self.model.config.model_type
        self.family = "m2m100" if hasattr(self.tokenizer, "get_lang_id") else "codes"
        if kind == "marian":
            self.family = "marian"
        if self.family != "marian" and not self.codes:
            raise InputError(
                f"translate: {self.path}: its tokenizer names no languages; a Marian, M2M100, NLLB or mBART "
                "model is needed"
            )
        self.longest = self._room()

    def _room(self) -> int:
        """Tokens that a sentence and its translation may have: `longest`, and no more than the model has positions."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        if not isinstance(positions, int):
            return self.settings.longest
        room = positions - 2  # the first token of a translation, and the language's
        if room < _FEWEST:
            raise InputError(f"translate: {self.path}: a model of {positions} positions is too short for sentences")
        if room < self.settings.longest:
            log.warning(
                "translate: %s reads and writes %d tokens at most, not %d", self.path, room, self.settings.longest
            )
        return min(room, self.settings.longest)

    @property
    def of_result(self) -> dict[str, int]:
        """What a translation depends on beside the files."""
        return self.settings.of_result

    @property
    def digest(self) -> str:
        """Twelve bytes, in hexadecimal, that stand for the content of all its files."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        whole = hashlib.blake2b(digest_size=12)
        for file in sorted(self.path.iterdir()):
            if file.suffix in _HASHED:
                with file.open("rb") as handle:
                    whole.update(f"{file.name}\0{hashlib.file_digest(handle, hashlib.blake2b).hexdigest()}\0".encode())
        return whole.hexdigest()

    @cached_property
    def codes(self) -> list[str]:
        """The model's own codes of the languages that it translates into; empty for a Marian model with one target."""
        if self.family == "marian":
            return list(getattr(self.tokenizer, "supported_language_codes", []))
        if self.family == "m2m100":
            return list(self.tokenizer.lang_code_to_id)
        return [
            token
            for token in self.tokenizer.all_special_tokens
            if re.fullmatch(r"[a-z]{2,3}_[A-Z][A-Za-z]{1,3}", token)
        ]

    @property
    def languages(self) -> list[str]:
        """Usual codes of what it translates into; empty where it does not say."""
        if self.codes:
            return sorted({plain_code(code) for code in self.codes})
        return [code] if (code := _single(getattr(self.tokenizer, "target_lang", None))) else []

    def accepts(self, source: str) -> bool:
        """Whether it translates from a language; a Marian model that does not say so, or names a group, takes every
        one."""
        if self.family == "marian":
            return _single(getattr(self.tokenizer, "source_lang", None)) in ("", source)
        return source in {plain_code(code) for code in self.codes}

    def check(self, target: str) -> None:
        """Raises InputError where it does not translate into a language."""
        if self.codes:
            find_code(target, self.codes)
        elif self.languages and target not in self.languages:
            raise InputError(f"into: the model translates into {self.languages[0]!r}, not into {target!r}")

    def translate(
        self,
        texts: Sequence[str],
        source: str,
        target: str,
        *,
        done: Callable[[Sequence[int], Sequence[str]], Any] = lambda rows, translations: None,
    ) -> list[str]:
        """Translations of sentences, batched by length.

        Args:
            texts: sentences.
            source: their language.
            target: the language wanted.
            done: told each batch as it is finished: which of the texts, and their translations.

        Raises:
            InputError: the model does not know one of the languages.
        """
        self.check(target)
        if not self.accepts(source):
            raise InputError(f"translate: the model does not translate from {source!r}")
        more: dict[str, Any] = {}
        if self.family != "marian":
            self.tokenizer.src_lang = find_code(source, self.codes)
            more["forced_bos_token_id"] = self._language_id(find_code(target, self.codes))
        result = [""] * len(texts)
        for rows, batch in self._batches(self._named(texts, target)):
            options = {
                "num_beams": self.settings.beams,
                "do_sample": False,
                "max_new_tokens": self.longest,
                "max_length": None,
                **more,
            }
            with torch.inference_mode(), _explained(self.path, "cannot translate"):
                ids = self.model.generate(**batch, **options)
            translations = self.tokenizer.batch_decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            translations = [one.strip() for one in translations]
            for row, one in zip(rows, translations, strict=True):
                result[row] = one
            done(rows, translations)
        return result

    def too_long(self, texts: Sequence[str], target: str) -> int:
        """How many sentences have more tokens than the model reads, so that their ends are not translated."""
        named = self._named(texts, target)
        windows = (named[first : first + _WINDOW] for first in range(0, len(named), _WINDOW))
        return sum(len(ids) > self.longest for window in windows for ids in self.tokenizer(window)["input_ids"])

    def _named(self, texts: Sequence[str], target: str) -> list[str]:
        """Sentences as a Marian model of several targets wants them, with the language before each; others stay."""
        before = f"{find_code(target, self.codes)} " if self.family == "marian" and self.codes else ""
        return [before + text for text in texts]

    def _language_id(self, code: str) -> int:
        return (
            self.tokenizer.get_lang_id(code) if self.family == "m2m100" else self.tokenizer.convert_tokens_to_ids(code)
        )

    def _batches(self, texts: list[str]) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Rows and padded ids; long texts first, so that what does not fit fails at once."""
        room = self.longest
        for first in range(0, len(texts), _WINDOW):
            window = texts[first : first + _WINDOW]
            whole = [len(ids) for ids in self.tokenizer(window)["input_ids"]]
            lengths = np.minimum(whole, room)
            order = np.argsort(-lengths, kind="stable")
            start = 0
            while start < len(order):
                rows = order[start : start + max(self.settings.tokens // int(lengths[order[start]]), 1)].tolist()
                batch = self.tokenizer(
                    [window[i] for i in rows], padding=True, truncation=True, max_length=room, return_tensors="pt"
                )
                ids = {
                    key: value.to(self.device) for key, value in batch.items() if key in ("input_ids", "attention_mask")
                }
                yield [first + row for row in rows], ids
                start += len(rows)


@contextmanager
def _explained(path: Path, what: str, staged: Path | None = None) -> Iterator[None]:
    """Whatever goes wrong in other libraries with this folder as an InputError; each broken file ends in an error of
    its own kind."""
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # panics of Rust are no Exception
        message = str(error).replace(str(staged), str(path)).strip().splitlines()
        raise InputError(f"{path} {what} ({message[0] if message else type(error).__name__})") from error


def _loaded(path: Path, place: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a folder, of whose files the checked ones are linked into another."""
    shapes = stage_transformer(path, place)
    if present(file := path / "generation_config.json"):
        (place / file.name).write_text(json.dumps(read_plain(file, shapes)), encoding="utf-8")
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(), reports() as loads, _explained(path, "cannot be loaded", place):
            warnings.simplefilter("ignore")  # Marian's tokenizer asks for a package that only changes quotation marks
            tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
            model = AutoModelForSeq2SeqLM.from_pretrained(place, local_files_only=True, use_safetensors=True)
    finally:
        transformers_logging.set_verbosity(verbosity)
    for one, report in loads:
        check_loaded(report, one, str(path))
    check_finite(model.state_dict().items(), str(path))
    return tokenizer, model


def _single(code: str | None) -> str:
    """The usual code of one language; empty for none and for groups (`ROMANCE`, `roa`, `mul`)."""
    plain = plain_code(code or "")
    return plain if plain in get_global("likely_subtags") else ""


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise InputError(f"translate: {path}: no such folder{beside(path, folders=True)}")
    config = path / "config.json"
    if not config.is_file():
        raise InputError(f"translate: {path}: holds no config.json, so it is no folder of a translation model")
    settings = read_json(config)
    kind = settings.get("model_type", "") if isinstance(settings, dict) else ""
    if kind not in ("marian", "m2m_100", "mbart"):
        raise InputError(f"translate: {path}: holds a model of type {kind!r}; known: marian, m2m_100 (NLLB too), mbart")
    if not any(path.glob("*.safetensors")):
        raise InputError(
            f"translate: {path}: has no weights as safetensors, and pickled ones are not read; transformers' "
            "save_pretrained converts them"
        )
