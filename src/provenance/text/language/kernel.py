# mypy: ignore-errors
# Compiled in: text/utf8/kernel.py 60a5d264
"""Kernel that counts, in windows of each text, English function words and those of other languages."""

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import entry

LETTERS, WORDS, LEAST, OTHERS, FOREIGN, SIZE = range(6)
COUNTS = 6
CHUNK = 512
CHUNK_WORDS = 20
LONGEST = 8


@entry
def count_words(data, starts, ends, first, table, shift, factor, out):
    """Fill ``out`` (texts × ``COUNTS``).

    Windows ``first[i]`` up to ``first[i + 1]`` belong to text ``i``. ``LEAST`` is the smallest number of English
    function words in a thousand words of any chunk of about ``CHUNK`` bytes; 1,000 where no chunk has
    ``CHUNK_WORDS`` words. ``table`` holds words of at most ``LONGEST`` lower-case letters, packed into a number
    above one bit that says English, at ``word * factor >> shift``.
    """
    for text in range(first.size - 1):
        letters = words = others = foreign = size = chunk_words = chunk_hits = 0
        least = 1000
        for window in range(first[text], first[text + 1]):
            start, end = starts[window], ends[window]
            size += end - start
            word = np.uint64(0)
            length = 0
            turn = start + CHUNK
            for at in range(start, end + 1):
                byte = np.uint8(10) if at == end else data[np.uint64(at)]
                low = byte | np.uint8(32)
                if 97 <= low <= 122:
                    word = word << np.uint64(8) | np.uint64(low)
                    length += 1
                    letters += 1
                    continue
                if byte >= 128:
                    foreign += 1
                    length += LONGEST + 1  # no word of the table
                    continue
                if length > 0:
                    chunk_words += 1
                    if length <= LONGEST:
                        found = table[word * factor >> shift]
                        if found >> np.uint64(1) == word:
                            english = np.int64(found & np.uint64(1))
                            chunk_hits += english
                            others += 1 - english
                    word = np.uint64(0)
                    length = 0
                if at == end or (at >= turn and chunk_words >= 2 * CHUNK_WORDS):
                    if chunk_words >= CHUNK_WORDS:
                        least = min(least, chunk_hits * 1000 // chunk_words)
                    words += chunk_words
                    chunk_words = chunk_hits = 0
                    turn = at + CHUNK
        out[text, LETTERS] = letters
        out[text, WORDS] = words
        out[text, LEAST] = least
        out[text, OTHERS] = others
        out[text, FOREIGN] = foreign
        out[text, SIZE] = size
