"""Folding and splitting in plain Python: the definition that the kernels are tested against."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from provenance.text.unicode_tables import LETTERS, pair_slot, unicode_tables

LATIN: Final = 1
TARGETS: Final = (1, 2, 3, 4)


@lru_cache(maxsize=65536)
def _properties(code: int) -> int:
    tables = unicode_tables()
    return int(tables.properties[int(tables.blocks[code >> 7]) << 7 | code & 127])


@lru_cache(maxsize=65536)
def _decomposition(code: int) -> tuple[int, ...]:
    tables = unicode_tables()
    entry = int(tables.entries[int(tables.blocks[code >> 7]) << 7 | code & 127])
    if entry == 0:
        return (code,)
    return tuple(tables.parts[tables.part_offsets[entry] : tables.part_offsets[entry + 1]].tolist())


def token_class(character: str) -> int:
    """0 separates, 1 part of a word, 2 a token by itself, 3 goes with what stands before it."""
    return _properties(ord(character)) & 3


def script(character: str) -> int:
    """1 Latin, 2 Cyrillic, 3 Greek, 4 Armenian, 0 anything else and what is no letter."""
    return _properties(ord(character)) >> 5 & 7


def compose_pair(first: int, second: int) -> int:
    """The primary composite of two code points, 0 for none (UAX #15; Hangul by arithmetic)."""
    if 0x1161 <= second < 0x1176 and 0x1100 <= first < 0x1113:
        return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
    if 0x11A8 <= second < 0x11C3 and 0xAC00 <= first < 0xD7A4 and (first - 0xAC00) % 28 == 0:
        return first + second - 0x11A7
    tables = unicode_tables()
    key = first << 21 | second
    slot = pair_slot(key)
    while tables.pair_keys[slot]:
        if tables.pair_keys[slot] == key:
            return int(tables.pair_values[slot])
        slot = (slot + 1) % len(tables.pair_keys)
    return 0


def _compose(codes: list[int]) -> list[int]:
    composed: list[int] = []
    starter = -1
    last = 0
    for code in codes:
        rank = _properties(code) >> 8
        if starter >= 0 and (starter == len(composed) - 1 or last < rank):
            joined = compose_pair(composed[starter], code)
            if joined:
                composed[starter] = joined
                continue
        if rank == 0:
            starter = len(composed)
        composed.append(code)
        last = rank
    return composed


def normalise(text: str) -> str:
    """NFKC_Casefold, in canonical order and composed."""
    codes = [part for character in text for part in _decomposition(ord(character))]
    start = 0
    for end in range(len(codes) + 1):
        if end == len(codes) or _properties(codes[end]) >> 8 == 0:
            codes[start:end] = sorted(codes[start:end], key=lambda code: _properties(code) >> 8)
            start = end + 1
    # U+0345 is a mark while it is ordered and the letter iota once folded.
    return "".join(map(chr, _compose([0x3B9 if code == 0x345 else code for code in codes])))


def written_in(character: str, target: int) -> str:
    """The letter of a script that a letter passes for, '' for none."""
    own, tables = script(character), unicode_tables()
    if own in (0, target):
        return character
    latin = ord(character)
    if own != LATIN:
        latin = int(tables.lookalikes[latin]) if latin < LETTERS else 0
    if target != LATIN:
        latin = int(tables.reverse[target, latin]) if latin < 256 else 0
    return chr(latin) if latin else ""


def _unmistakable(character: str) -> bool:
    return not written_in(character, 2 if script(character) == LATIN else LATIN)


def _words(text: str) -> list[str]:
    """The text in pieces: words, and single characters between them."""
    pieces: list[str] = []
    open_word = False
    for character in text:
        inside = token_class(character) in (1, 3)
        if inside and open_word:
            pieces[-1] += character
        else:
            pieces.append(character)
        open_word = inside
    return pieces


def undisguise(text: str) -> str:
    """Write words that mix scripts in one of them."""
    own = {target: sum(script(c) == target and _unmistakable(c) for c in text) for target in TARGETS}
    main = max(TARGETS, key=lambda target: (own[target], -target))
    words = _words(text)

    def rewrite(word: str, disguised: bool) -> str:
        scripts = {script(c) for c in word} - {0}
        if any(token_class(c) == 3 for c in word):
            return word
        targets: tuple[int, ...] = ()
        if len(scripts) > 1:
            targets = (main, *TARGETS)
        elif disguised and scripts and scripts != {main} and own[main] and not own[min(scripts)]:
            targets = (main,)
        for target in targets:
            letters = [written_in(c, target) for c in word]
            if all(letters):
                return "".join(letters)
        return word

    disguised = any(rewrite(word, disguised=False) != word for word in words)
    return "".join(rewrite(word, disguised) for word in words) if disguised else text


def fold_text(text: str) -> str:
    """Fold one text."""
    normal = normalise(text)
    spaced = "".join(" " if _properties(ord(c)) & 16 else c for c in normal)
    return undisguise(" ".join(piece for piece in spaced.split(" ") if piece))


def split_text(folded: str) -> list[str]:
    """The tokens of one folded text."""
    tokens: list[str] = []
    kind = 0
    for character in folded:
        follows = token_class(character)
        if kind and (follows == 3 or follows == kind == 1):
            tokens[-1] += character
            continue
        kind = 1 if follows == 3 else follows
        if kind:
            tokens.append(character)
    return tokens
