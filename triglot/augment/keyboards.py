"""Letters of scripts, neighbours on their standard keyboards, and look-alikes of Latin letters: written for this
project."""

from __future__ import annotations

from functools import cache

# Rows of letters from top to bottom; a row is shifted by half a key to the right of the row above.
_LAYOUTS = {
    "latin": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "cyrillic": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    "greek": ("ςερτυθιοπ", "ασδφγηξκλ", "ζχψωβνμ"),
    "arabic": ("ضصثقفغعهخحجد", "شسيبلاتنمكط", "ئءؤرىةوزظ"),
    "devanagari": ("ौैाीूबहगदजड", "ोे्िुपरकतचट", "ॉंमनवलसय"),
    "thai": ("ๆไำพะัีรนยบล", "ฟหกดเ้่าสวง", "ผปแอิืทมใฝ"),
}
_RANGES = (
    ("latin", 0x0041, 0x024F),
    ("greek", 0x0370, 0x03FF),
    ("cyrillic", 0x0400, 0x04FF),
    ("arabic", 0x0600, 0x06FF),
    ("devanagari", 0x0900, 0x097F),
    ("thai", 0x0E00, 0x0E7F),
)
# Letters that start or end a word as well as stand inside one; vowel signs would attach themselves to a neighbour.
_LETTERS = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщыьэюя",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "devanagari": "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
    "thai": "กขคงจชซดตถทธนบปผฝพฟมยรลวสหอ",
}
# Latin, then the other.
_ALIKE = "aа cс eе oо pр xх yу iі jј sѕ AА BВ CС EЕ HН KК MМ OО PР TТ XХ AΑ BΒ EΕ ZΖ HΗ IΙ KΚ MΜ NΝ OΟ PΡ TΤ YΥ XΧ oο"
HOMOGLYPHS = {pair[1]: pair[0] for pair in _ALIKE.split()} | {pair[0]: pair[1] for pair in reversed(_ALIKE.split())}


def script_of(letter: str) -> str:
    """The script of a letter, by its code point; empty for scripts without a keyboard here."""
    code = ord(letter)
    return next((name for name, low, high in _RANGES if low <= code <= high), "")


def script_letters(word: str) -> str:
    """Letters that may slip into a word: those of its first letter's script, or its own characters where none is
    known."""
    return _LETTERS.get(script_of(word[0]), "") or "".join(dict.fromkeys(word))


@cache
def neighbours(letter: str) -> str:
    """Keys around a (small) letter, empty where it stands on none of the keyboards."""
    for rows in _LAYOUTS.values():
        for number, row in enumerate(rows):
            place = row.find(letter)
            if place < 0:
                continue
            near = [row[i] for i in (place - 1, place + 1) if 0 <= i < len(row)]
            if number:
                near += [rows[number - 1][i] for i in (place, place + 1) if 0 <= i < len(rows[number - 1])]
            if number + 1 < len(rows):
                near += [rows[number + 1][i] for i in (place - 1, place) if 0 <= i < len(rows[number + 1])]
            return "".join(near)
    return ""
