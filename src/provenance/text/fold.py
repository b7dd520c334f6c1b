"""Fold text to the form in which copies are compared.

What folding does, in this order:

1. Every character becomes its NFKC_Casefold form (Unicode Standard, chapter 3, D146; UAX #15): case, width and
   other compatibility forms vanish, and so do the characters that show nothing: zero-width space, joiner and
   non-joiner, soft hyphen, byte-order mark, bidirectional controls, variation selectors, tags. The joiners
   are orthography in Persian and in Indic scripts; they go all the same, because text is copied with and
   without them: the word stays one word, in its own script. (The unfolded ``text`` keeps them.)
2. The result is brought into canonical order and composed (NFC).
3. White space becomes single spaces, none at the ends.
4. Look-alikes are undone where letters of Latin, Cyrillic, Greek or Armenian stand mixed in one word: it is
   written in the script that most of the text's unmistakable letters have, else in the first of Latin,
   Cyrillic, Greek, Armenian that has a letter for each of its own, else left. Words of one script stay as they
   are; but in a text with such a disguised word, and with no unmistakable letter of the other script
   anywhere, whole words made of look-alikes (``а``, ``ѕее``) are undone too.

Folding twice changes nothing more. The Unicode data ships with the package (see ``unicode_tables``), so every
Python version gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from provenance.text.buffers import string_array, string_buffers

if TYPE_CHECKING:
    import pyarrow as pa

NORMALISER_VERSION: Final = "1-unicode15.1"
"""Changes whenever folded bytes or token hashes of any text change. An index holds one version only."""


def fold(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Fold texts; see the module for what that means.

    Args:
        texts: Any text. A null stays null.

    Returns:
        As many folded texts.
    """
    from provenance.text.kernel import fold_texts
    from provenance.text.unicode_tables import unicode_tables

    values, offsets = string_buffers(texts)
    rows = len(offsets) - 1
    folded_offsets = np.zeros(rows + 1, np.int64)
    size = int(offsets[-1] - offsets[0])
    folded = np.empty(size + size // 8 + 4096, np.uint8)
    row = fold_texts(unicode_tables(), values, offsets, 0, folded, folded_offsets)
    while row < rows:
        larger = np.empty(2 * len(folded), np.uint8)
        larger[: folded_offsets[row]] = folded[: folded_offsets[row]]
        folded = larger
        row = fold_texts(unicode_tables(), values, offsets, row, folded, folded_offsets)
    folded.resize(int(folded_offsets[-1]), refcheck=False)
    return string_array(folded, folded_offsets, texts)


def fold_reference(text: str) -> str:
    """Fold one text in plain Python: slow, and what :func:`fold` is measured against."""
    from provenance.text.reference import fold_text

    return fold_text(text)
