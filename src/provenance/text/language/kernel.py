# mypy: ignore-errors
# Compiled in: text/utf8/kernel.py 60a5d264
"""Kernel that counts, in windows of each text, function words of several languages."""

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import entry, pointer

LANGUAGES = 8
"""At most so many: a byte each of a word's languages, of a chunk's counts."""
LETTERS, WORDS, LISTED, FOREIGN, SIZE = range(5)
HITS = 5
LEAST = HITS + LANGUAGES
COUNTS = LEAST + LANGUAGES
CHUNK = 512
CHUNK_WORDS = 20
MOST_WORDS = 255
LONGEST = 7
LANE = np.uint64(255)
EIGHT = np.uint64(8)


@entry
def count_words(data, starts, ends, first, table, lanes, shift, factor, out):
    """Fill ``out`` (texts × ``COUNTS``).

    Windows ``first[i]`` up to ``first[i + 1]`` belong to text ``i``. ``LISTED`` counts the words of the table,
    ``HITS + l`` those of language ``l``, and ``LEAST + l`` is the smallest number of these in a thousand words of any
    chunk of about ``CHUNK`` bytes; 1,000 where no chunk has ``CHUNK_WORDS`` words. ``table`` holds words of at most
    ``LONGEST`` lower-case letters at ``word * factor >> shift``, packed into a number above eight bits that say whose
    they are; ``lanes`` has for each such set of bits a byte of 1 for each.
    """
    text, words_of, ones_of = pointer(data), pointer(table), pointer(lanes)
    for row in range(first.size - 1):
        letters = words = listed = foreign = size = chunk_words = 0
        chunk_hits = np.uint64(0)
        found = out[row]
        found[LEAST:] = 1000
        for window in range(first[row], first[row + 1]):
            start, end = starts[window], ends[window]
            size += end - start
            word = np.uint64(0)
            length = 0
            turn = start + CHUNK
            for at in range(start, end + 1):
                byte = np.uint8(10) if at == end else text[np.uint64(at)]
                low = byte | np.uint8(32)
                if 97 <= low <= 122:
                    word = word << EIGHT | np.uint64(low)
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
                        entry_ = words_of[word * factor >> shift]
                        if entry_ >> EIGHT == word:
                            listed += 1
                            chunk_hits += ones_of[entry_ & LANE]
                    word = np.uint64(0)
                    length = 0
                if at == end or (at >= turn and chunk_words >= 2 * CHUNK_WORDS) or chunk_words == MOST_WORDS:
                    for language in range(LANGUAGES):
                        hits = np.int64(chunk_hits >> np.uint64(8 * language) & LANE)
                        found[HITS + language] += hits
                        if chunk_words >= CHUNK_WORDS:
                            found[LEAST + language] = min(found[LEAST + language], hits * 1000 // chunk_words)
                    words += chunk_words
                    chunk_words = 0
                    chunk_hits = np.uint64(0)
                    turn = at + CHUNK
        found[LETTERS] = letters
        found[WORDS] = words
        found[LISTED] = listed
        found[FOREIGN] = foreign
        found[SIZE] = size
