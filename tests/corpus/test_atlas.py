"""The built-in corpus: complete in every language, true to Babel, its held-out parts truly held out, the same every
time."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
import unicodedata
from collections import Counter, defaultdict

import numpy as np
import pytest

from triglot.corpus import atlas
from triglot.corpus.atlas import _facts, _parts, _wording
from triglot.corpus.parallel import ParallelCorpus
from triglot.files import InputError

SCRIPTS = {"ar": "ARABIC", "el": "GREEK", "hi": "DEVANAGARI", "ru": "CYRILLIC", "th": "THAI", "zh": "CJK"}
MARKS = {"vi": "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽềếểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "tr": "çğıöşüİ", "de": "äöüß", "es": "¿áéíóúñ"}


@pytest.fixture(scope="module")
def training() -> ParallelCorpus:
    return atlas.read_training()[0]


@pytest.fixture(scope="module")
def facts() -> tuple[_facts.Fact, ...]:
    return _facts.read_atlas().facts


def texts_of(corpus: ParallelCorpus, language: str, side: str) -> list[str]:
    groups = np.unique(getattr(corpus, side))
    place = corpus.text_of[groups, corpus.languages.index(language)]
    return corpus.texts.take(place).to_pylist()


@pytest.mark.slow
def test_size_and_completeness(training, facts):
    assert training.languages == atlas.LANGUAGES == _facts.LANGUAGES
    assert len(np.unique(training.query)) == len(training) >= 3 * 3000
    assert len(np.unique(training.passage)) >= 3000
    assert (training.text_of >= 0).all()
    assert len({fact.relation for fact in facts}) == len(_facts.RELATIONS) >= 10
    assert len({fact.key for fact in facts}) == len(facts)


def test_every_template_names_what_its_facts_have_and_asks_nothing_away(facts):
    slots = {fact.relation: {name for name, _ in fact.slots} for fact in facts}
    answers = {
        "currency": "currency",
        "since": "year",
        "former": "currency",
        "period": "start",
        "official": "language",
        "spoken": "language",
    }
    answers |= {
        "share": "percent",
        "territory_code": "code",
        "week": "day",
        "currency_code": "code",
        "decimals": "digits",
    }
    answers |= {
        "language_code": "code",
        "script": "script",
        "home": "territory",
        "city_territory": "territory",
        "city_zone": "zone",
    }
    for language in atlas.LANGUAGES:
        wording = _wording.read_wording(language)
        bare = [
            re.sub(r"{\w+}", "{}", t) for side in (wording.ask, wording.tell) for each in side.values() for t in each
        ]
        assert [text for text, count in Counter(bare).items() if count > 1] == [], language
        for relation in _facts.RELATIONS:
            for side, templates in (("ask", wording.ask[relation]), ("tell", wording.tell[relation])):
                assert len(set(templates)) == len(templates)
                for template in templates:
                    used = {
                        name if name in slots[relation] else name.split("_")[-1]
                        for name in _wording.placeholders(template)
                    }
                    hidden = {answers[relation], "end"} if side == "ask" else set()
                    assert used == slots[relation] - hidden, (language, relation, template)


def test_tables_of_forms_name_known_entities():
    names = _facts.read_atlas().names
    for language in atlas.LANGUAGES:
        wording = _wording.read_wording(language)
        used = {
            name
            for side in (wording.ask, wording.tell)
            for each in side.values()
            for t in each
            for name in _wording.placeholders(t)
        }
        for placeholder, table in wording.tables.items():
            assert placeholder in used, (language, placeholder)
            for code in set(table) - {"default", "rules"}:
                assert (placeholder.split("_")[-1], code) in names, (language, placeholder, code)


def test_no_two_entities_look_the_same(facts):
    world = _facts.read_atlas()
    for language in atlas.LANGUAGES:
        wording = _wording.read_wording(language)
        codes = defaultdict(set)
        for fact in facts:
            slots = dict(fact.slots)
            for placeholder, form in wording.forms(world, fact).items():
                kind, code = slots.get(placeholder) or slots[placeholder.split("_")[-1]]
                if kind not in ("text", "number"):
                    codes[placeholder, kind, form.casefold()].add(code)
        assert [(key, found) for key, found in codes.items() if len(found) > 1] == [], language


@pytest.mark.parametrize(
    ("language", "placeholder", "code", "form"),
    [
        ("en", "territory", "NL", "the Netherlands"),
        ("de", "in_territory", "PE", "in Peru"),
        ("de", "in_territory", "CH", "in der Schweiz"),
        ("ru", "in_territory", "ES", "в Испании"),
        ("ru", "in_territory", "CN", "в Китае"),
        ("ru", "in_territory", "JP", "в Японии"),
        ("ru", "in_territory", "CU", "на Кубе"),
        ("ru", "in_territory", "PE", "в Перу"),
        ("el", "in_territory", "ES", "στην Ισπανία"),
        ("el", "in_territory", "FR", "στη Γαλλία"),
        ("el", "in_territory", "PE", "στο Περού"),
        ("el", "in_territory", "PH", "στις Φιλιππίνες"),
        ("tr", "in_territory", "PE", "Peru’da"),
        ("tr", "in_territory", "TR", "Türkiye’de"),
        ("tr", "in_territory", "IQ", "Irak’ta"),
        ("tr", "in_territory", "NO", "Norveç’te"),
        ("tr", "in_territory", "CK", "Cook Adaları’nda"),
        ("hi", "of_currency", "INR", "भारतीय रुपये"),
        ("th", "language", "es", "ภาษาสเปน"),
        ("vi", "language", "es", "tiếng Tây Ban Nha"),
        ("ru", "in_language", "en", "на английском языке"),
        ("ru", "of_language", "gsw", "швейцарского немецкого языка"),
        ("ru", "with_language", "hi", "языком хинди"),
        ("el", "in_language", "es", "στα Ισπανικά"),
        ("el", "the_language", "ha", "τη γλώσσα Χάουσα"),
    ],
)
def test_names_are_inflected(facts, language, placeholder, code, form):
    slot = placeholder.split("_")[-1]
    fact = next(fact for fact in facts if dict(fact.slots).get(slot) == (slot, code))
    assert _wording.read_wording(language).forms(_facts.read_atlas(), fact)[placeholder] == form


@pytest.mark.parametrize("language", atlas.LANGUAGES)
def test_texts_are_clean_and_in_their_script(training, language):
    for side in ("query", "passage"):
        texts = texts_of(training, language, side)
        for text in texts:
            assert not re.search(
                r"[{}\u00ad\u200b\u200e\u200f]|  |\s[,.;?](\s|$)|None",
                text.replace(" ;", ";") if language == "el" else text,
            ), text
            assert text == text.strip()
            assert len(text) > 8
            assert unicodedata.normalize("NFC", text) == text
            if language in SCRIPTS:
                assert any(unicodedata.name(sign, "").startswith(SCRIPTS[language]) for sign in text), text
        if language in MARKS:
            assert sum(any(sign in MARKS[language] for sign in text.lower()) for text in texts) > len(texts) / 5


@pytest.mark.slow
def test_no_sentence_twice_and_no_question_with_two_answers():
    sentences: Counter[tuple[str, str]] = Counter()
    asked = defaultdict(set)
    for part in atlas.PARTS:
        corpus, _ = atlas.read_training(part=part)
        answer = dict(zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True))
        for text, lang, group in zip(
            corpus.texts.to_pylist(), corpus.text_lang.tolist(), corpus.text_group.tolist(), strict=True
        ):
            if group in answer:
                asked[corpus.languages[lang], text].add(corpus.group_ids[answer[group]].as_py())
            else:
                sentences[corpus.languages[lang], text] += 1
    assert max(sentences.values()) == 1
    assert [(text, keys) for text, keys in asked.items() if len(keys) > 1] == []
    assert not set(asked) & set(sentences)


def test_parts_hold_out_entities_pairs_and_phrasings(facts):
    for seed in (1, 2):
        part = _parts.split(facts, seed)
        train = [fact for fact, which in zip(facts, part, strict=True) if which == _parts.TRAIN]
        named = {entity for fact in train for entity in fact.entities}
        subjects = {fact.subject for fact in train}
        relations = {fact.relation for fact in train}
        for fact, which in zip(facts, part, strict=True):
            if which == _parts.ENTITIES:
                assert fact.subject not in named
            if which in (_parts.PAIRS, _parts.VALIDATION):
                assert fact.subject in subjects
                assert fact.relation in relations
        assert all((part == which).sum() > 150 for which in (_parts.VALIDATION, _parts.PAIRS, _parts.ENTITIES))
        assert (part == _parts.TRAIN).sum() >= 3000


@pytest.mark.slow
def test_read_parts_do_not_share_facts_or_phrasings():
    corpora = {part: atlas.read_training(part=part)[0] for part in atlas.PARTS}
    passages = {
        part: {corpus.group_ids[i].as_py() for i in np.unique(corpus.passage)} for part, corpus in corpora.items()
    }
    assert not passages["train"] & (passages["validation"] | passages["test"])
    assert not passages["validation"] & passages["test"]
    edition = atlas._edition(1)
    used = defaultdict(lambda: defaultdict(set))
    for part in atlas.PARTS:
        for number in atlas._facts_of(edition, part, None):
            for language in atlas.LANGUAGES:
                for turn in range(3):
                    used[edition.atlas.facts[number].relation, language][part].add(
                        edition.phrasing(number, language, part, turn)
                    )
    for phrasings in used.values():
        assert len(phrasings["train"]) == 3
        assert not phrasings["train"] & (phrasings["test"] | phrasings["validation"])
        assert not phrasings["validation"] & phrasings["test"]


def test_no_training_question_follows_a_test_template(training):
    edition = atlas._edition(1)
    for language in atlas.LANGUAGES:
        wording = edition.wordings[language]
        by_relation = defaultdict(list)
        for group, text in zip(
            training.group_ids.take(np.unique(training.query)).to_pylist(),
            texts_of(training, language, "query"),
            strict=True,
        ):
            by_relation[group.split("/", 1)[0]].append(text)
        for relation, texts in by_relation.items():
            held = wording.ask[relation][edition.order[relation][language][-1]]
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(held)) + "$", re.IGNORECASE)
            assert not any(pattern.match(text) for text in texts), (language, relation, held)


def test_retrieval_set_is_consistent():
    whole = atlas.read_retrieval()
    assert len(set(whole.queries.ids)) == len(whole.queries)
    assert len(set(whole.passages.ids)) == len(whole.passages)
    assert len(whole.judgements) == 11 * len(whole.queries)
    query, passage = whole.judgements[:, 0], whole.judgements[:, 1]
    assert (whole.queries.group[query] == whole.passages.group[passage]).all()
    assert (whole.queries.cluster[query] == whole.passages.cluster[passage]).all()
    assert (np.bincount(whole.passages.lang) == len(whole.passages) // 11).all()
    assert (whole.passages.group == -1).sum() > 0
    sizes = {name: len(atlas.read_retrieval(slice=name).queries) for name in atlas.SLICES}
    assert sum(sizes.values()) == len(whole.queries)
    assert min(sizes.values()) > 11 * 150
    sub = atlas.read_retrieval(slice="entities", languages=["th", "en"])
    assert sub.languages == ("th", "en")
    assert len(sub.queries) * 11 == sizes["entities"] * 2
    for row in range(0, len(sub.queries), 97):
        key, language = sub.queries.ids[row].split("?")
        relevant = sub.judgements[sub.judgements[:, 0] == row, 1]
        assert {sub.passages.ids[i].split("#")[0] for i in relevant} == {key}
        assert sub.languages[sub.queries.lang[row]] == language


def test_languages_can_be_chosen_and_bad_names_are_errors(training):
    few, tally = atlas.read_training(languages=["en", "zh"])
    assert few.languages == ("en", "zh")
    assert len(few) == len(training)
    assert texts_of(few, "zh", "query") == texts_of(training, "zh", "query")
    assert tally.read["facts"] * 3 == tally.read["question groups"] == len(few)
    assert tally.left_out
    for wrong in ({"languages": ["en", "fr"]}, {"part": "tests"}):
        with pytest.raises(InputError, match=r"atlas: no (language 'fr'|part 'tests'; did you mean 'test')"):
            atlas.read_training(**wrong)
    with pytest.raises(InputError, match="no slice 'pair'"):
        atlas.read_retrieval(slice="pair")
    with pytest.raises(InputError, match="no slice 'pairs' of part 'validation'"):
        atlas.read_retrieval(part="validation", slice="pairs")


def test_a_broken_template_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(_wording.resources, "files", lambda _: tmp_path)
    for text, message in (
        ("[currency]\nask = ['{territory}?']", "ask has 1 phrasings"),
        ("x = [", "en.toml"),
        ("[curency]\n", "unknown key 'curency'"),
    ):
        (tmp_path / "templates" / "en.toml").write_text(text)
        _wording.read_wording.cache_clear()
        with pytest.raises(InputError, match=message):
            _wording.read_wording("en")
    _wording.read_wording.cache_clear()


def test_facts_are_what_babel_says(facts):
    from babel import Locale, languages, numbers
    from babel.core import get_global, parse_locale

    values = {fact.key: dict(fact.slots) for fact in facts}
    counted = Counter(fact.relation for fact in facts)
    for fact in facts:
        slot = dict(fact.slots)
        code = fact.subject[1]
        if fact.relation == "currency":
            assert numbers.get_territory_currencies(code) == [slot["currency"][1]]
        elif fact.relation == "since":
            entry = numbers.get_territory_currencies(code, include_details=True)[0]
            assert str(entry["from"].year) == slot["year"][1]
        elif fact.relation == "former":
            present = numbers.get_territory_currencies(code, include_details=True)[0]
            every = numbers.get_territory_currencies(
                code, start_date=present["from"].replace(year=1), end_date=present["from"], include_details=True
            )
            last = max((entry for entry in every if entry["to"]), key=lambda entry: entry["to"])
            assert last["currency"] == slot["currency"][1] != present["currency"]
        elif fact.relation == "official":
            assert languages.get_official_languages(code) == (slot["language"][1],)
        elif fact.relation == "spoken":
            info = languages.get_territory_language_info(code)
            assert info[slot["language"][1]]["population_percent"] == max(
                each["population_percent"] for each in info.values()
            )
        elif fact.relation == "share":
            percent = languages.get_territory_language_info(code)[slot["language"][1]]["population_percent"]
            assert float(slot["percent"][1]) == pytest.approx(percent, abs=0.5 if percent >= 10 else 0.05)
        elif fact.relation == "decimals":
            assert numbers.get_currency_precision(code) == int(slot["digits"][1])
        elif fact.relation == "script":
            assert parse_locale(get_global("likely_subtags")[code])[2] == slot["script"][1]
        elif fact.relation == "home":
            assert parse_locale(get_global("likely_subtags")[code])[1] == slot["territory"][1]
        elif fact.relation in ("territory_code", "currency_code", "language_code"):
            assert slot["code"] == ("text", code)
        elif fact.relation == "city_territory":
            assert get_global("zone_territories")[code] == slot["territory"][1]
    assert values["week/US"]["day"] == ("day", str(Locale("en", "US").first_week_day))
    assert values["week/DE"]["day"] == ("day", str(Locale("de", "DE").first_week_day))
    assert values["week/EG"]["day"] == ("day", str(Locale("ar", "EG").first_week_day))
    names = _facts.read_atlas().names
    for place, language in enumerate(atlas.LANGUAGES):
        locale = Locale.parse(language)
        assert names["day", "0"][place] == locale.days["format"]["wide"][0]
        assert (
            names["territory", "PE"][place]
            == locale.territories["PE"]
            == Locale.parse("und_PE").get_territory_name(language)
        )
        # Not through babel.dates.get_timezone: that needs the time-zone database of the machine.
        assert names["zone", "Peru"][place] == locale.meta_zones["Peru"]["long"]["standard"]
        assert names["city", "America/Lima"][place] == locale.time_zones.get("America/Lima", {}).get("city", "Lima")
        zones = locale.time_zones  # CLDR called it by its old name until Babel 2.19
        kolkata = zones["Asia/Kolkata"] if "Asia/Kolkata" in zones else zones["Asia/Calcutta"]
        assert names["city", "Asia/Kolkata"][place] == kolkata["city"]
    assert counted["city_zone"] > 200


def test_numbers_follow_the_language(facts):
    fact = next(fact for fact in facts if fact.relation == "share" and "." in dict(fact.slots)["percent"][1])
    number = dict(fact.slots)["percent"][1]
    world = _facts.read_atlas()
    assert number.replace(".", ",") in _wording.read_wording("de").forms(world, fact)["percent"]
    assert number in _wording.read_wording("th").forms(world, fact)["percent"]


def digest() -> str:
    corpus, _ = atlas.read_training()
    test = atlas.read_retrieval()
    numbers = [
        array.tolist() for array in (corpus.query, corpus.passage, corpus.text_group, corpus.text_lang, test.judgements)
    ]
    texts = [
        corpus.texts.to_pylist(),
        corpus.group_ids.to_pylist(),
        test.queries.ids,
        test.queries.texts,
        test.passages.ids,
        test.passages.texts,
    ]
    return hashlib.sha256(repr((numbers, texts)).encode()).hexdigest()


@pytest.mark.slow
def test_same_seed_same_corpus_in_any_process(facts):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_atlas; print(test_atlas.digest())"
    here = os.path.dirname(__file__)
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-c", code, here], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest()
    assert _parts.split(facts, 1).tolist() != _parts.split(facts, 2).tolist()


@pytest.mark.slow
def test_made_in_seconds():
    start = time.process_time()
    atlas.read_training(seed=9)
    atlas.read_retrieval(seed=9)
    assert time.process_time() - start < 5


def test_importing_the_package_does_not_import_babel_or_torch():
    code = "import sys, triglot.corpus.atlas; print([name for name in ('babel', 'torch') if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
