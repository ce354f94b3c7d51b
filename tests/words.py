"""A dozen words in three languages, for the small corpora of tests."""

WORDS = {
    "en": ["river", "mountain", "city", "king", "battle", "music", "law", "ship", "bread", "stone", "winter", "horse"],
    "de": [
        "Fluss",
        "Berg",
        "Stadt",
        "König",
        "Schlacht",
        "Musik",
        "Gesetz",
        "Schiff",
        "Brot",
        "Stein",
        "Winter",
        "Pferd",
    ],
    "es": [
        "río",
        "montaña",
        "ciudad",
        "rey",
        "batalla",
        "música",
        "ley",
        "barco",
        "pan",
        "piedra",
        "invierno",
        "caballo",
    ],
}
