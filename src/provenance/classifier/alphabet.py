"""The style alphabet: every character becomes one of a few symbols that formatting and disguise can't change.

The style model reads symbols, not characters, so that it can't live on what extraction, typography or a disguise
alters: white space, Markdown, the glyph of a quotation mark or dash, accents, full-width or mathematical letters,
zero-width characters, Cyrillic and Greek look-alikes, and the spelling of numbers. The table is stored in the model
file, so
a model always reads text through the alphabet that it was trained on. Characters are classified by Unicode 3.2, which
every Python ships unchanged, so that training gives the same bytes under each of them.
"""

from __future__ import annotations

from typing import Final
from unicodedata import ucd_3_2_0 as unicode_data

import numpy as np
import numpy.typing as npt

TABLE_SIZE: Final = 0x20000
"""Code points below this are looked up; higher ones are dropped (rare Han, tags, variation selectors, private use)."""

DROP: Final = 0
SPACE: Final = 1
NEWLINE: Final = 2
APOSTROPHE: Final = 3
HYPHEN: Final = 4
DASH: Final = 5
ELLIPSIS: Final = 6
OTHER: Final = 7
DIGIT: Final = 8
OPEN: Final = 9
QUOTE: Final = 10
PERIOD: Final = 11
COMMA: Final = 12
EXCLAMATION: Final = 13
QUESTION: Final = 14
SEMICOLON: Final = 15
COLON: Final = 16
CLOSE: Final = 17
SLASH: Final = 18
SIGN: Final = 19
LOWER: Final = 32
"""The symbol of ``a``; ``z`` is 25 higher."""
UPPER: Final = 64
"""The symbol of ``A``; ``Z`` is 25 higher."""

_LITERAL: Final = {
    " ": SPACE,
    "\t": SPACE,
    "\n": NEWLINE,
    "\r": NEWLINE,
    "'": APOSTROPHE,
    "-": HYPHEN,
    '"': QUOTE,
    ".": PERIOD,
    ",": COMMA,
    "!": EXCLAMATION,
    "?": QUESTION,
    ";": SEMICOLON,
    ":": COLON,
    "(": OPEN,
    "[": OPEN,
    "{": OPEN,
    ")": CLOSE,
    "]": CLOSE,
    "}": CLOSE,
    "/": SLASH,
    "&": SIGN,
    "%": SIGN,
    "$": SIGN,
    "@": SIGN,
    "*": DROP,
    "#": DROP,
    "`": DROP,
    "^": DROP,
    "_": SPACE,
    "|": SPACE,
    "~": SPACE,
    "<": SPACE,
    ">": SPACE,
    "=": SPACE,
    "+": SPACE,
    "\\": SPACE,
}

# What NFKD does not reach: typographic forms, and look-alikes from other scripts (a disguise in English text; the
# model is calibrated for no language that is written with them).
_ALIASES: Final = {
    "’‘‛ʼʹ′＇´": "'",
    "‐‑⁃﹣－": "-",
    "“”„‟«»″〝〞＂「」『』": '"',
    "。．｡": ".",
    "，、､": ",",
    "АаΑα": "a",
    "ВвΒƅ": "b",
    "СсϹϲ": "c",
    "ԁ": "d",
    "ЕеЁёΕε": "e",
    "ɡ": "g",
    "НһΗ": "h",
    "ІіΙιıӀ": "i",
    "Јј": "j",
    "КкΚκ": "k",
    "ӏ": "l",
    "МмΜ": "m",
    "Νռ": "n",
    "ОоΟο": "o",
    "РрΡρ": "p",
    "ԛ": "q",
    "Ѕѕ": "s",
    "ТтΤτ": "t",
    "υ": "u",
    "νѵ": "v",
    "ԝ": "w",
    "ХхΧχ": "x",
    "УуΥү": "y",
    "Ζ": "z",
    "øØ": "o",
    "łŁ": "l",
    "đĐ": "d",
}


# Unseen on a page: format characters, variation selectors, fillers.
_INVISIBLE: Final = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xE000, 0xF8FF),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFF),
)
_FIRST_PICTOGRAPH: Final = 0x1F000


def _plain(character: str, letters: int) -> int:
    """Symbol of a character that needs no Unicode data, -1 for the others."""
    if "a" <= character <= "z":
        return LOWER + ord(character) - ord("a")
    if "A" <= character <= "Z":
        return letters + ord(character) - ord("A")
    if "0" <= character <= "9":
        return DIGIT
    return _LITERAL.get(character, -1)


def _symbol(character: str, letters: int) -> int:
    symbol = _plain(character, letters)
    if symbol >= 0:
        return symbol
    base = unicode_data.normalize("NFKD", character)
    if base == "...":
        return ELLIPSIS
    category = unicode_data.category(character)
    if category[0] == "Z":
        return NEWLINE if category in {"Zl", "Zp"} else SPACE
    if base[0] != character:
        symbol = _plain(base[0], letters)
        if symbol > SPACE:
            return symbol
    if category in {"Mn", "Me", "Cf"}:
        return DROP
    if category == "Pd":
        return DASH
    if category[0] == "N":
        return DIGIT
    if category[0] in "LM" or (category == "Cn" and ord(character) < _FIRST_PICTOGRAPH):
        return OTHER
    return SPACE


def build_table(*, keep_case: bool = False) -> npt.NDArray[np.uint8]:
    """Build the table from code point to symbol.

    Args:
        keep_case: Give capitals their own symbols; otherwise a capital is its small letter.

    Returns:
        ``uint8[TABLE_SIZE]``.
    """
    letters = UPPER if keep_case else LOWER
    table = np.zeros(TABLE_SIZE, np.uint8)
    for code in range(TABLE_SIZE):
        table[code] = _symbol(chr(code), letters)
    for characters, target in _ALIASES.items():
        for character in characters:
            capital = unicode_data.category(character) == "Lu"
            table[ord(character)] = _plain(target.upper() if capital else target, letters)
    for first, final in _INVISIBLE:
        table[first : final + 1] = DROP
    return table
