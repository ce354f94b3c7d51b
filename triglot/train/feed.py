"""From planned rows to token ids: natural text where a group has it, code-switched text where it has not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from triglot import seeds
from triglot.augment.apply import Augmenter
from triglot.augment.codeswitch import CodeSwitcher
from triglot.batches import Rows, Step, rows_of
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError, nearest
from triglot.losses.terms import Translation
from triglot.ragged import Ragged
from triglot.train.further import further_texts

Tokenize = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Switching:
    """How a source's texts are shown in languages that they were not written in.

    Attributes:
        pivot: the language they are in.
        lists: target language -> pairs (pivot word, translation).
        p: probability that a word with a translation is replaced.
        languages: targets to use; None for every list.
    """

    pivot: str
    lists: Mapping[str, Sequence[tuple[str, str]]]
    p: float = 1.0
    languages: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Batch:
    """The texts of one step: queries first, then passages (positives of all rows, then hard negatives), then views,
    then further translations.

    Attributes:
        texts: token ids, one sequence a text, where the feed tokenises; else None.
        strings: the texts, where it does not; else None.
        sides: (texts,) bool, True for a passage.
        query_row, query_family: (queries,).
        passage_row, passage_family: (passages,); the row is -1 for a hard negative.
        query_lang, passage_lang: (rows,), (rows, positives), for the log.
        source: of all rows.
        group, lang: (texts,) what each says, and in which language it is shown.
        views: (views,) the query that each of them is a changed copy of.
        negative_lang: (hard negatives,) the language that each is shown in.
        missing: hard negatives that rows should have had and could not.
        translations: what was asked for -> (rows,) place of that text among all, -1 where a row has none.
        label: (rows,) class of each row; empty where the source has none.
    """

    texts: Ragged | None
    strings: list[str] | None
    sides: np.ndarray
    query_row: np.ndarray
    query_family: np.ndarray
    passage_row: np.ndarray
    passage_family: np.ndarray
    query_lang: np.ndarray
    passage_lang: np.ndarray
    source: int
    group: np.ndarray
    lang: np.ndarray
    views: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    negative_lang: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    missing: int = 0
    translations: Mapping[Translation, np.ndarray] = field(default_factory=dict)
    label: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))

    @property
    def classified(self) -> bool:
        """Whether its rows have labels: they are classified then, and not ranked."""
        return bool((self.label >= 0).any())

    def __len__(self) -> int:
        return len(self.sides)


class Feed:
    """Texts of a corpus by (group, language).

    Args:
        corpus: training rows.
        switching: source name -> how its texts are code-switched.
        tokenize: texts -> (flat ids, offsets); every text and every word of the lists is tokenised once, here. None:
            batches hold strings.
        seed: of the code-switching.
    """

    def __init__(
        self,
        corpus: ParallelCorpus,
        *,
        switching: Mapping[str, Switching] | None = None,
        tokenize: Tokenize | None,
        seed: int,
    ):
        self.corpus = corpus
        self._strings = corpus.texts
        self._tokenize = tokenize
        self._augmenter: Augmenter | None = None
        self._tokens = Ragged(*tokenize(corpus.texts.to_pylist())) if tokenize else None
        self._family = corpus.family
        self._seed = seed
        self._hard = _lists(corpus)
        self._switchers: list[tuple[CodeSwitcher, np.ndarray, Ragged | None]] = []
        masks = corpus.group_languages.copy()
        self._switcher_of = np.full(len(corpus.group_ids), -1, np.int8)
        for source, how in (switching or {}).items():
            self._add_switcher(source, how, masks, tokenize, seed)
        self.masks = masks

    def _add_switcher(
        self, source: str, how: Switching, masks: np.ndarray, tokenize: Tokenize | None, seed: int
    ) -> None:
        corpus = self.corpus
        if source not in corpus.sources:
            raise InputError(f"codeswitch: no source {source!r}{nearest(source, corpus.sources)}")
        if how.pivot not in corpus.languages:
            raise InputError(
                f"codeswitch: source {source!r} has no text in {how.pivot!r}{nearest(how.pivot, corpus.languages)}"
            )
        targets = [lang for lang in (how.languages or how.lists) if lang != how.pivot]
        for lang in targets:
            if lang not in how.lists:
                raise InputError(f"codeswitch: no word list from {how.pivot} to {lang!r}{nearest(lang, how.lists)}")
            if lang not in corpus.languages:
                raise InputError(
                    f"codeswitch: the corpus does not know the language {lang!r}{nearest(lang, corpus.languages)}"
                )
        rows = corpus.source == corpus.sources.index(source)
        groups = np.union1d(corpus.query[rows], corpus.passage[rows])
        pivot = corpus.text_of[groups, corpus.languages.index(how.pivot)]
        groups, pivot = groups[pivot >= 0], pivot[pivot >= 0]
        texts = corpus.texts.take(pa.array(pivot)).to_pylist()
        switcher = CodeSwitcher(texts, {lang: how.lists[lang] for lang in targets}, p=how.p, seed=seed)
        place = np.full(len(corpus.group_ids), -1, np.int32)
        place[groups] = np.arange(len(groups), dtype=np.int32)
        self._switcher_of[groups] = len(self._switchers)
        self._switchers.append((switcher, place, Ragged(*tokenize(switcher.surface)) if tokenize else None))
        for lang in targets:
            masks[groups] |= np.uint64(1) << np.uint64(corpus.languages.index(lang))

    def with_augmenter(self, augmenter: Augmenter | None) -> Feed:
        """The same texts, changed by an augmenter as they are shown; what was tokenised is shared."""
        other = copy.copy(self)
        other._augmenter = augmenter
        return other

    def with_negatives(self, groups: np.ndarray) -> Feed:
        """The same texts with other hard negatives.

        Args:
            groups: (rows, n) of the corpus, -1 for none.
        """
        if groups.ndim != 2 or len(groups) != len(self.corpus):
            raise ValueError(f"hard negatives of shape {groups.shape} for {len(self.corpus)} rows")
        other = copy.copy(self)
        has = groups >= 0
        other._hard = Ragged(groups[has].astype(np.int32), np.concatenate([[0], np.cumsum(has.sum(axis=1))]))
        return other

    @property
    def tokens(self) -> Ragged:
        """Token ids of every text of the corpus."""
        if self._tokens is None:
            raise ValueError("this feed holds strings")
        return self._tokens

    def coverage(self) -> dict[str, dict[str, float]]:
        """Share of words with a translation: number of the switcher -> language -> share."""
        return {
            str(i): {lang: round(s.coverage(lang), 4) for lang in s.languages}
            for i, (s, _, _) in enumerate(self._switchers)
        }

    def rows(self) -> Rows:
        """What the planner needs to know."""
        return rows_of(self.corpus, self.masks[self.corpus.query], self.masks[self.corpus.passage])

    def batch(
        self, step: Step, negatives: int = 0, languages: str = "own", translations: Sequence[Translation] = ()
    ) -> Batch:
        """The texts of a step.

        Args:
            step: planned rows and languages.
            negatives: hard negatives a row at most. Rows that have more show others of them in each epoch.
            languages: that they are shown in: `own`, that of the row's first passage; `balanced`, each language equally
                often; `others`, each but the passage's. What cannot be shown so is left out, and counted.
            translations: further texts of the rows, for terms that compare translations. Noise does not change them.
        """
        corpus = self.corpus
        query, passage = corpus.query[step.rows], corpus.passage[step.rows]
        shown = step.passage_lang >= 0  # (rows, positives)
        row, place = np.nonzero(shown.T)[::-1]  # positives of all rows, first ones first
        groups = [query, passage[row]]
        langs = [step.query_lang, step.passage_lang[row, place]]
        passage_row, passage_family = [row], [self._family[passage[row]]]
        hard = np.zeros(0, np.int64)
        if negatives and self._hard is not None:
            extra, hard = self._negatives(step, negatives, languages)
            groups.append(extra)
            langs.append(hard)
            passage_row.append(np.full(len(extra), -1))
            passage_family.append(self._family[extra])
        group, lang = np.concatenate(groups), np.concatenate(langs)
        sides = np.arange(len(group)) >= len(query)
        texts = self._show(group, lang, step.epoch) if self._tokens is not None else None
        strings = self._show_strings(group, lang, step.epoch) if self._tokens is None else None
        views = np.zeros(0, np.int64)
        if self._augmenter is not None:
            places, changed = self._changed(group, lang, sides, step.epoch)
            viewing = self._augmenter.settings.mode == "view"
            if viewing:
                views, sides = places, np.concatenate([sides, np.zeros(len(places), bool)])
            if texts is not None:
                texts = self._insert(texts, places, changed, viewing)
                if self._augmenter.splits is not None:
                    texts = self._parted(texts, group, lang, sides, views, step.epoch)
            elif strings is not None and viewing:
                strings += changed
            elif strings is not None:
                for place, text in zip(places.tolist(), changed, strict=True):
                    strings[place] = text
        group, lang = np.concatenate([group, group[views]]), np.concatenate([lang, lang[views]])
        further = further_texts(corpus, self.masks, step, translations, before=len(group), seed=self._seed)
        if len(further.group):
            if texts is not None:
                texts = texts.followed_by(self._show(further.group, further.lang, step.epoch))
            elif strings is not None:
                strings += self._show_strings(further.group, further.lang, step.epoch)
        return Batch(
            texts=texts,
            strings=strings,
            sides=np.concatenate([sides, further.sides]),
            group=np.concatenate([group, further.group]),
            lang=np.concatenate([lang, further.lang]),
            views=views,
            query_row=np.arange(len(query)),
            query_family=self._family[passage],
            passage_row=np.concatenate(passage_row),
            passage_family=np.concatenate(passage_family),
            query_lang=step.query_lang,
            passage_lang=step.passage_lang,
            source=step.source,
            negative_lang=hard,
            missing=negatives * len(query) - len(hard),
            translations=further.places,
            label=np.zeros(0, np.int8) if corpus.label is None else corpus.label[step.rows],
        )

    def _changed(
        self, group: np.ndarray, lang: np.ndarray, sides: np.ndarray, epoch: int
    ) -> tuple[np.ndarray, list[str]]:
        """Places of the texts that the augmenter changes, and what they become.

        A text is drawn by its group, language and side.
        """
        assert self._augmenter is not None
        keys = (group.astype(np.int64) * 64 + lang) * 2 + sides
        part = self._augmenter.choose(keys, sides, epoch)
        places = np.flatnonzero(part >= 0)
        clean = self._show_strings(group[places], lang[places], epoch)
        codes = [self.corpus.languages[code] for code in lang[places]]
        return places, self._augmenter.change(clean, codes, keys[places], part[places], epoch)

    def _parted(
        self, texts: Ragged, group: np.ndarray, lang: np.ndarray, sides: np.ndarray, views: np.ndarray, epoch: int
    ) -> Ragged:
        """Token ids with some tokens of the augmenter's side shown as two; views too."""
        assert self._augmenter is not None
        assert self._augmenter.splits is not None
        settings = self._augmenter.settings
        keys = (group.astype(np.int64) * 64 + lang) * 2 + sides[: len(group)]
        keys = np.concatenate([keys, keys[views]])
        chosen = (settings.side == "both") | (sides == (settings.side == "passage"))
        if settings.mode == "view":
            chosen[: len(group)] = False
        keys = np.where(chosen, keys, -1)
        return self._augmenter.splits.apply(texts, keys, rate=settings.segment, seed=self._augmenter.seed, epoch=epoch)

    def _insert(self, texts: Ragged, places: np.ndarray, changed: list[str], viewing: bool) -> Ragged:
        """Token ids with the changed texts in their places, or at the end as views."""
        assert self._tokenize is not None
        new = Ragged(*self._tokenize(changed))
        joined = texts.followed_by(new)
        if viewing:
            return joined
        rows = np.arange(len(texts))
        rows[places] = len(texts) + np.arange(len(places))
        return joined.take(rows)

    def _negatives(self, step: Step, most: int, languages: str) -> tuple[np.ndarray, np.ndarray]:
        """(negatives,) groups and the languages to show them in, row by row."""
        assert self._hard is not None
        lists = self._hard.take(step.rows)
        owner, groups = np.repeat(np.arange(len(lists)), lists.lengths), lists.flat
        own = np.uint64(1) << step.passage_lang[owner, 0].astype(np.uint64)
        masks = self.masks[groups]
        if languages == "own":
            masks = masks & own
        elif languages == "others":
            masks = masks & ~own
        able = np.flatnonzero(masks)
        owner, groups, masks = owner[able], groups[able], masks[able]
        lengths = np.bincount(owner, minlength=len(lists))
        place = np.arange(len(owner)) - (np.cumsum(lengths) - lengths)[owner]
        # Of more than are shown, the next ones each epoch.
        keep = (place - step.epoch * most) % lengths[owner] < most
        groups, masks = groups[keep], masks[keep]
        bits = (masks[:, None] >> np.arange(len(self.corpus.languages), dtype=np.uint64)) & np.uint64(1)
        start = float(seeds.uniform(self._seed, "feed.negatives", step.epoch, int(step.rows[0]) if len(step) else 0))
        nth = (seeds.spread(start, np.arange(len(groups))) * bits.sum(axis=1)).astype(np.int64)
        return groups, (np.cumsum(bits, axis=1, dtype=np.int64) > nth[:, None]).argmax(axis=1)

    def _parts(self, group: np.ndarray, lang: np.ndarray) -> list[tuple[np.ndarray, int, int, np.ndarray]]:
        """(places in the batch, switcher or -1, language, texts): natural texts together, switched ones by switcher and
        language."""
        text = self.corpus.text_of[group, lang]
        natural = np.flatnonzero(text >= 0)
        parts = [(natural, -1, -1, text[natural])]
        rest = np.flatnonzero(text < 0)
        key = self._switcher_of[group[rest]].astype(np.int64) * len(self.corpus.languages) + lang[rest]
        for value in np.unique(key):
            at = rest[key == value]
            number, code = divmod(int(value), len(self.corpus.languages))
            parts.append((at, number, code, self._switchers[number][1][group[at]]))
        return parts

    def _show(self, group: np.ndarray, lang: np.ndarray, epoch: int) -> Ragged:
        assert self._tokens is not None
        flat, lengths, places = [], [], []
        for at, number, code, texts in self._parts(group, lang):
            if number < 0:
                tokens = self._tokens.take(texts)
            else:
                switcher, _, units = self._switchers[number]
                assert units is not None
                tokens = switcher.switch(texts, self.corpus.languages[code], epoch).expand(units)
            flat.append(tokens.flat)
            lengths.append(tokens.lengths)
            places.append(at)
        joined = Ragged(np.concatenate(flat), np.concatenate([[0], np.cumsum(np.concatenate(lengths))]))
        return joined.take(np.argsort(np.concatenate(places), kind="stable"))

    def _show_strings(self, group: np.ndarray, lang: np.ndarray, epoch: int) -> list[str]:
        result = [""] * len(group)
        for at, number, code, texts in self._parts(group, lang):
            if number < 0:
                shown = self._strings.take(pa.array(texts)).to_pylist()
            else:
                switcher = self._switchers[number][0]
                shown = switcher.strings(switcher.switch(texts, self.corpus.languages[code], epoch))
            for place, value in zip(at.tolist(), shown, strict=True):
                result[place] = value
        return result


def _lists(corpus: ParallelCorpus) -> Ragged | None:
    """The hard negatives of each row."""
    if corpus.negatives is None:
        return None
    lengths = np.asarray(corpus.negatives.value_lengths())
    return Ragged(np.asarray(corpus.negatives.flatten()), np.concatenate([[0], np.cumsum(lengths)]))
