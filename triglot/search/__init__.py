"""Search in an index of several languages: rankings that say which language counts for what, translations folded."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.search.modes import MODES, Mode
    from triglot.search.question import Preference, parse_languages
    from triglot.search.ranking import Hit
    from triglot.search.searcher import Answer, Searcher, SearchSettings
    from triglot.search.translations import Proposal, propose

__all__ = [
    "MODES",
    "Answer",
    "Hit",
    "Mode",
    "Preference",
    "Proposal",
    "SearchSettings",
    "Searcher",
    "parse_languages",
    "propose",
]
__getattr__ = face(
    __name__,
    {
        "modes": ("MODES", "Mode"),
        "question": ("Preference", "parse_languages"),
        "ranking": ("Hit",),
        "searcher": ("Answer", "SearchSettings", "Searcher"),
        "translations": ("Proposal", "propose"),
    },
)
