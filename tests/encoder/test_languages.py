"""Which language a text is in, told by many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from triglot.encoder import languages


def test_languages_are_told_in_several_threads_at_once() -> None:
    """Requests of a service come together; another set of languages does not change what was loaded for the first."""
    texts = ["Where is the river?", "¿Dónde está el río?", "Wo ist der Fluss?"]
    sets = [("en", "es", "de"), ("de", "es"), ("en", "es")]
    languages._among.cache_clear()
    languages._every_language.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: languages.detect(texts, sets[number % 3]), range(24)))
    assert found[0] == ["en", "es", "de"]
    assert [one for one in found[1] if one not in ("de", "es")] == []
    assert all(found[number] == found[number % 3] for number in range(24))
