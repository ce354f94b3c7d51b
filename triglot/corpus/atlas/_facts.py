"""Facts of the Unicode CLDR, read through Babel: nothing is written down here that Babel does not say.

What is written down is a choice: which zones are towns, and which facts are left out because names or borders make them
unclear.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale, languages, localedata, numbers
from babel.core import get_global

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
RELATIONS = (
    "currency",
    "since",
    "former",
    "period",
    "official",
    "spoken",
    "share",
    "territory_code",
    "week",
    "currency_code",
    "decimals",
    "language_code",
    "script",
    "home",
    "city_territory",
    "city_zone",
)
_LATIN = ("de", "en", "es", "tr", "vi")
_NAMED = {"territory": "territories", "currency": "currencies", "language": "languages", "script": "scripts"}
# Zones that CLDR names after an island, a region or a whole territory: "the town of X" would be wrong.
_NOT_TOWNS = re.compile(
    r"Antarctica/|Etc/|Indian/(?!Antananarivo)|Pacific/(?!Apia|Auckland|Honolulu|Noumea|Pago_Pago|Port_Moresby)"
    r"|America/(Anguilla|Antigua|Aruba|Bahia|Bahia_Banderas|Barbados|Belize|Cayman|Costa_Rica|Curacao|Dominica|El_Salvador|Grenada"
    r"|Guadeloupe|Guyana|Jamaica|Lower_Princes|Martinique|Miquelon|Montserrat|Noronha|Panama|Puerto_Rico|St_Barthelemy|St_Kitts"
    r"|St_Lucia|St_Thomas|St_Vincent|Tortola)$"
    r"|Asia/(Bahrain|Brunei|Hong_Kong|Kamchatka|Kuwait|Macau|Qatar|Sakhalin|Singapore)$"
    r"|Atlantic/(Azores|Bermuda|Canary|Cape_Verde|Faroe|Madeira|South_Georgia|St_Helena)$|Australia/(Lindeman|Lord_Howe)$"
    r"|Europe/(Guernsey|Isle_of_Man|Jersey|Malta|Monaco|San_Marino|Vatican)$"
)
_DISPUTED = ("Asia/Jerusalem", "Europe/Simferopol")
_NO_SCRIPT = ("Hans", "Hant", "Latf", "Latg", "Cyrs", "Egyp", "Xsux", "Cprt", "Zxxx", "Zyyy", "Zinh", "Zzzz")
_CITY_WORDS = {
    "es": "ciudad",
    "vi": "thành phố",
    "tr": "şehri",
    "de": "-stadt",
    "ar": "مدينة",
    "el": "πόλη",
    "zh": "市",
}

Entity = tuple[str, str]  # (kind, code)


@dataclass(frozen=True)
class Fact:
    """One (entity, relation): a passage group.

    Attributes:
        relation: one of RELATIONS.
        subject: the entity that the question is about.
        slots: placeholder -> (kind, code); the kinds `text`, `number` and `day` are literals, the others are names.
    """

    relation: str
    subject: Entity
    slots: tuple[tuple[str, Entity], ...]

    @property
    def key(self) -> str:
        """Unique and stable: relation, subject, and what else tells two facts of one subject apart."""
        other = {"period": "currency", "share": "language"}.get(self.relation)
        tail = "/" + dict(self.slots)[other][1] if other else ""
        return f"{self.relation}/{self.subject[1]}{tail}"

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The subject, then every other entity that the wording may name."""
        return tuple(
            dict.fromkeys(
                [
                    self.subject,
                    *[slot for _, slot in self.slots if slot[0] in ("territory", "currency", "language", "city")],
                ]
            )
        )


@dataclass(frozen=True)
class Atlas:
    """Facts and the names they need.

    Attributes:
        facts: sorted by relation and key.
        names: (kind, code) -> names in the order of LANGUAGES.
        numbers: decimal signs in the order of LANGUAGES.
        left_out: (reason, where) of everything that CLDR has but that cannot be asked.
    """

    facts: tuple[Fact, ...]
    names: dict[Entity, tuple[str, ...]]
    decimal: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def _clean(name: str) -> str:
    """A name without soft hyphens and direction marks, on one line with plain spaces."""
    return " ".join(re.sub("[\u00ad\u200b\u200e\u200f\u2060]", "", name).split())


def _cities(locales: list[Locale]) -> Iterator[tuple[str, list[str | None]]]:
    """(zone, names) of every canonical zone.

    A Latin-script locale without a name uses the last part of the id (TR35, exemplarCity).
    """
    aliases = defaultdict(list)
    for old, new in get_global("zone_aliases").items():
        aliases[new].append(old)
    for zone in sorted(get_global("zone_territories")):
        if zone in get_global("zone_aliases"):
            continue
        known = [zone, *sorted(aliases[zone])]
        cldr = next((z for z in known if "city" in locales[LANGUAGES.index("ru")].time_zones.get(z, {})), zone)
        names: list[str | None] = [locale.time_zones.get(cldr, {}).get("city") for locale in locales]
        for place, language in enumerate(LANGUAGES):
            if names[place] is None and language in _LATIN:
                names[place] = cldr.rsplit("/", 1)[-1].replace("_", " ")
        yield zone, names


def _read_names() -> tuple[dict[Entity, tuple[str, ...]], list[tuple[str, str]]]:
    """Names in all languages, unambiguous in each, and what was left out."""
    locales = [Locale.parse(code) for code in LANGUAGES]
    names_of: dict[Entity, list[str | None]] = {}
    for kind, attribute in _NAMED.items():
        tables = [getattr(locale, attribute) for locale in locales]
        for code in sorted(tables[LANGUAGES.index("en")]):
            names_of[kind, code] = [table.get(code) for table in tables]
    for zone, cities in _cities(locales):
        if not _NOT_TOWNS.match(zone):
            names_of["city", zone] = cities
    for zone in sorted(set(get_global("meta_zones").values())):
        names_of["zone", zone] = [locale.meta_zones.get(zone, {}).get("long", {}).get("standard") for locale in locales]
    for day in range(7):
        names_of["day", str(day)] = [locale.days["format"]["wide"][day] for locale in locales]

    left_out: list[tuple[str, str]] = []
    names: dict[Entity, tuple[str, ...]] = {}
    wanted = {
        "territory": lambda code: code in get_global("territory_zones") and code not in ("001", "ZZ"),
        "language": lambda code: re.fullmatch("[a-z]{2,3}", code) and code not in ("mul", "mis", "und", "zxx"),
        "script": lambda code: code not in _NO_SCRIPT,
        "currency": lambda code: code in _currencies_in_use(),
    }
    for entity, each in names_of.items():
        kind, code = entity
        if not wanted.get(kind, bool)(code):
            continue
        missing = [language for language, name in zip(LANGUAGES, each, strict=True) if not name]
        if missing:
            left_out.append((f"a {kind} without a name in every language", f"{code} ({', '.join(missing)})"))
            continue
        names[entity] = tuple(_clean(name or "") for name in each)
    for entity in [
        e
        for e, each in names.items()
        if e[0] != "day" and any(re.search(r"[\d٠-٩\[]|Sign Language", name) for name in each)
    ]:
        left_out.append((f"a {entity[0]} whose name holds a year, a bracket or a sign language", entity[1]))
        del names[entity]
    for entity, each in [(e, each) for e, each in names.items() if e[0] == "city"]:
        if any(
            _CITY_WORDS[language] in name.lower()
            for language, name in zip(LANGUAGES, each, strict=True)
            if language in _CITY_WORDS
        ):
            left_out.append(("a city whose name already says city", entity[1]))
            del names[entity]
        elif "," in each[LANGUAGES.index("en")]:
            left_out.append(("a town that is named with its state", entity[1]))
            del names[entity]
    for kind in ("territory", "currency", "language", "script", "city"):
        for place in range(len(LANGUAGES)):
            count = Counter(each[place].casefold() for entity, each in names.items() if entity[0] == kind)
            for entity in [e for e, each in names.items() if e[0] == kind and count[each[place].casefold()] > 1]:
                left_out.append(
                    (
                        f"a {kind} that shares its name with another in some language",
                        f"{entity[1]} ({LANGUAGES[place]})",
                    )
                )
                del names[entity]
    return names, left_out


@lru_cache(maxsize=1)
def _currencies_in_use() -> frozenset[str]:
    return frozenset(
        entry[0] for entries in get_global("territory_currencies").values() for entry in entries if entry[3]
    )


def _money(territory: str) -> Iterator[Fact]:
    subject = ("territory", territory)
    tender = [entry for entry in get_global("territory_currencies").get(territory, []) if entry[3]]
    now = [entry for entry in tender if entry[1] and not entry[2]]
    past = sorted((entry for entry in tender if entry[1] and entry[2]), key=lambda entry: entry[2])
    former = None
    if len(now) == 1:
        code, start = now[0][0], now[0][1]
        yield Fact("currency", subject, (("territory", subject), ("currency", ("currency", code))))
        yield Fact("since", subject, (("territory", subject), ("year", ("text", str(start[0])))))
        if past and past[-1][0] != code and past[-1][1] < start and (len(past) == 1 or past[-2][2] < past[-1][2]):
            former = past[-1][0]
            yield Fact("former", subject, (("territory", subject), ("currency", ("currency", former))))
    often = Counter(entry[0] for entry in tender)
    for code, start, end, _ in past:
        # The years of the former currency would give away which one came before the present one.
        if often[code] == 1 and start[0] < end[0] and code != former:
            years = (("start", ("text", str(start[0]))), ("end", ("text", str(end[0]))))
            yield Fact("period", subject, (("territory", subject), ("currency", ("currency", code)), *years))


def _speech(territory: str) -> Iterator[Fact]:
    subject = ("territory", territory)
    official = languages.get_official_languages(territory)
    # "The official language" is only said where no other language has a status, not even a regional one.
    if len(official) == 1 == len(languages.get_official_languages(territory, regional=True, de_facto=True)):
        yield Fact("official", subject, (("territory", subject), ("language", ("language", official[0]))))
    spoken = sorted(
        languages.get_territory_language_info(territory).items(),
        key=lambda item: (-float(item[1]["population_percent"] or 0), item[0]),
    )
    percent = [float(info["population_percent"] or 0) for _, info in spoken]
    if percent and (len(percent) == 1 or percent[0] > percent[1]):
        yield Fact("spoken", subject, (("territory", subject), ("language", ("language", spoken[0][0]))))
    for (code, _), share in list(zip(spoken, percent, strict=True))[1:]:
        if 1 <= share < 100:
            number = f"{share:.0f}" if share >= 10 else f"{share:.1f}".removesuffix(".0")
            yield Fact(
                "share",
                subject,
                (("territory", subject), ("language", ("language", code)), ("percent", ("number", number))),
            )


def _territory_facts() -> Iterator[Fact]:
    first_days: dict[str, set[int]] = defaultdict(set)
    for identifier in localedata.locale_identifiers():
        match = re.fullmatch("[a-z]{2,3}(?:_[A-Z][a-z]{3})?_([A-Z]{2})", identifier)
        if match:
            week = localedata.load(identifier, merge_inherited=False).get("week_data", {})
            if "first_day" in week:
                first_days[match[1]].add(week["first_day"])
    for territory in sorted(get_global("territory_zones")):
        subject = ("territory", territory)
        yield from _money(territory)
        yield from _speech(territory)
        yield Fact("territory_code", subject, (("territory", subject), ("code", ("text", territory))))
        if len(first_days[territory]) == 1:
            # Babel counts the first day of the week from Monday, and the names of days as well.
            yield Fact(
                "week", subject, (("territory", subject), ("day", ("day", str(next(iter(first_days[territory]))))))
            )


def _currency_facts() -> Iterator[Fact]:
    current = {
        e[0] for entries in get_global("territory_currencies").values() for e in entries if e[3] and e[1] and not e[2]
    }
    for code in sorted(_currencies_in_use()):
        subject = ("currency", code)
        yield Fact("currency_code", subject, (("currency", subject), ("code", ("text", code))))
        if code in current:
            digits = str(numbers.get_currency_precision(code))
            yield Fact("decimals", subject, (("currency", subject), ("digits", ("text", digits))))


def _language_facts() -> Iterator[Fact]:
    for code, likely in sorted(get_global("likely_subtags").items()):
        parts = likely.split("_")
        if not re.fullmatch("[a-z]{2,3}", code) or len(parts) != 3:
            continue
        subject = ("language", code)
        yield Fact("language_code", subject, (("language", subject), ("code", ("text", code))))
        yield Fact("script", subject, (("language", subject), ("script", ("script", parts[1]))))
        if code in get_global("territory_languages").get(parts[2], {}):
            yield Fact("home", subject, (("language", subject), ("territory", ("territory", parts[2]))))


def _city_facts() -> Iterator[Fact]:
    territories, meta_zones = get_global("zone_territories"), get_global("meta_zones")
    aliases = defaultdict(list)
    for old, new in get_global("zone_aliases").items():
        aliases[new].append(old)
    for zone in sorted(territories):
        subject = ("city", zone)
        if zone not in _DISPUTED:
            yield Fact("city_territory", subject, (("city", subject), ("territory", ("territory", territories[zone]))))
        meta = next((meta_zones[z] for z in [zone, *sorted(aliases[zone])] if z in meta_zones), None)
        if meta:
            yield Fact("city_zone", subject, (("city", subject), ("zone", ("zone", meta))))


@lru_cache(maxsize=1)
def read_atlas() -> Atlas:
    """Every fact whose names exist, unambiguously, in all languages. About half a second, once a process."""
    names, left_out = _read_names()
    facts = []
    makers: list[Callable[[], Iterator[Fact]]] = [_territory_facts, _currency_facts, _language_facts, _city_facts]
    for maker in makers:
        for fact in maker():
            if fact.subject not in names:
                continue
            missing = [
                entity for _, entity in fact.slots if entity[0] not in ("text", "number") and entity not in names
            ]
            if missing:
                left_out.append((f"{fact.relation}: names a {missing[0][0]} that is left out", fact.key))
            elif fact.relation == "city_territory" and any(
                a.casefold() == b.casefold() for a, b in zip(*[names[e] for e in fact.entities], strict=True)
            ):
                left_out.append(("city_territory: city and territory have one name", fact.key))
            else:
                facts.append(fact)
    facts.sort(key=lambda fact: (RELATIONS.index(fact.relation), fact.key))
    decimal = tuple(Locale.parse(code).number_symbols["latn"]["decimal"] for code in LANGUAGES)
    return Atlas(tuple(facts), names, decimal, tuple(left_out))
