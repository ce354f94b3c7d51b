"""A help centre in three languages with the clicks of its search, as a team would export it."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

ACTIONS = {
    "en": ["change", "delete", "find", "print", "block", "order"],
    "de": ["ändern", "löschen", "finden", "drucken", "sperren", "bestellen"],
    "es": ["cambiar", "borrar", "encontrar", "imprimir", "bloquear", "pedir"],
}
THINGS = {
    "en": ["password", "invoice", "parcel", "account", "voucher", "address", "card", "ticket"],
    "de": ["Passwort", "Rechnung", "Paket", "Konto", "Gutschein", "Adresse", "Karte", "Fahrschein"],
    "es": ["contraseña", "factura", "paquete", "cuenta", "vale", "dirección", "tarjeta", "billete"],
}
_TITLE = {"en": "{a} your {t}", "de": "{t} {a}", "es": "{a} su {t}"}
_BODY = {
    "en": 'To {a} the {t}, open "My pages", choose {t}\nand then {a}. This takes two minutes, at most.',
    "de": 'Um {t} zu {a}, öffnen Sie "Meine Seiten", wählen {t}\nund dann {a}. Das dauert zwei Minuten, höchstens.',
    "es": 'Para {a} {t}, abra "Mis páginas", elija {t}\ny después {a}. Esto tarda dos minutos, como máximo.',
}
_ASKED = {
    "en": ["how do I {a} my {t}", "{t} {a}", "where can I {a} the {t}?"],
    "de": ["wie kann ich {t} {a}", "{t} {a}", "wo lässt sich {t} {a}?"],
    "es": ["cómo puedo {a} mi {t}", "{t} {a}", "¿dónde se puede {a} {t}?"],
}
LANGUAGES = tuple(_TITLE)


def rows(searches: int = 600, seed: int = 1) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Articles (every one in English, three quarters in each other language) and searches with the article clicked."""
    rng = random.Random(seed)
    articles, versions = [], {}
    for action in range(len(ACTIONS["en"])):
        for thing in range(len(THINGS["en"])):
            key = f"kb-{action}-{thing}"
            for lang in LANGUAGES:
                if lang == "en" or rng.random() < 0.75:
                    words = {"a": ACTIONS[lang][action], "t": THINGS[lang][thing]}
                    number = str(1001 + len(articles))
                    versions.setdefault((action, thing), {})[lang] = number
                    title, body = (wording[lang].format(**words) for wording in (_TITLE, _BODY))
                    articles.append(
                        {
                            "id": number,
                            "locale": lang,
                            "title": title,
                            "body": body,
                            "translation_key": key,
                            "views": "3",
                        }
                    )
    log = []
    for _ in range(searches):
        (action, thing), lang = rng.choice(sorted(versions)), rng.choice(LANGUAGES)
        there = versions[action, thing]
        query = rng.choice(_ASKED[lang]).format(a=ACTIONS[lang][action], t=THINGS[lang][thing])
        own = lang in there and rng.random() < 0.85
        log.append({"query": query, "lang": lang, "clicked_id": there[lang] if own else there["en"]})
    return articles, log


def write(folder: Path, **options: int) -> Path:
    """`articles` and `searchlog` in a folder, as CSV and as JSON lines."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, records in zip(("articles", "searchlog"), rows(**options), strict=True):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
