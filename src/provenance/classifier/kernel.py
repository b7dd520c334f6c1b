# ruff: noqa: SIM109 - a kernel compares numbers, it builds no tuples
"""Compiled passes over Arrow buffers: characters to symbols, symbols to hashed n-grams, n-grams to sums of weights.

One window of one document is the unit. Within it every distinct n-gram counts once, and sums are taken over integers,
so that neither order nor threads nor batch limits can change a score.
"""

from __future__ import annotations

import numpy as np
from numba import njit

DROP, SPACE, NEWLINE, APOSTROPHE, HYPHEN, DASH, ELLIPSIS, OTHER, DIGIT, OPEN, QUOTE = range(11)
PERIOD, COMMA, EXCLAMATION, QUESTION = 11, 12, 13, 14
LOWER, A_CODE, D_CODE, E_CODE, L_CODE = 32, 32, 35, 36, 43
M_CODE, N_CODE, R_CODE, S_CODE, T_CODE, V_CODE = 44, 45, 49, 50, 51, 53
FIRST_OTHER = 128
CASE_BIT = 64

CHARACTER_SEED = np.uint64(0x9E3779B97F4A7C15)
WORD_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
MIX = np.uint64(0xFF51AFD7ED558CCD)


@njit(cache=True, nogil=True, inline="always")
def _is_word(symbol):
    return symbol >= LOWER or symbol == DIGIT


@njit(cache=True, nogil=True, inline="always")
def _small(symbol):
    return symbol - 32 if 64 <= symbol < 96 else symbol


@njit(cache=True, nogil=True)
def _decode(text, position, end):
    """Code point at a position and where the next one starts; damage gives 0 and moves on by a byte."""
    lead = text[position]
    if lead < 0x80:
        return np.int64(lead), position + 1
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if lead < 0xC2 or lead > 0xF4 or position + size > end:
        return np.int64(0), position + 1
    code = np.int64(lead) & (0x7F >> size)
    for index in range(1, size):
        if text[position + index] & 0xC0 != 0x80:
            return np.int64(0), position + 1
        code = (code << 6) | (np.int64(text[position + index]) & 0x3F)
    return code, position + size


@njit(cache=True, nogil=True)
def _class_at(text, position, end, table):
    if position >= end:
        return np.uint8(SPACE), position + 1
    code, after = _decode(text, position, end)
    if code >= table.size:
        return np.uint8(DROP), after
    return table[code], after


@njit(cache=True, nogil=True)
def _class_past_drops(text, position, end, table):
    symbol, after = _class_at(text, position, end, table)
    while symbol == DROP and position < end:
        position = after
        symbol, after = _class_at(text, position, end, table)
    return symbol, after


@njit(cache=True, nogil=True)
def _is_clitic(text, position, end, table):
    """Whether ``s t d m re ve ll`` and then no word character follow: the tail of a split contraction."""
    first, after = _class_past_drops(text, position, end, table)
    second, after = _class_past_drops(text, after, end, table)
    first, second = _small(first), _small(second)
    if not _is_word(second):
        return first == S_CODE or first == T_CODE or first == D_CODE or first == M_CODE
    third, after = _class_past_drops(text, after, end, table)
    if _is_word(third):
        return False
    return (
        (first == R_CODE and second == E_CODE)
        or (first == V_CODE and second == E_CODE)
        or (first == L_CODE and second == L_CODE)
    )


@njit(cache=True, nogil=True)
def _skip_item_mark(text, position, end, table):
    """Position after a list mark (``-``, ``3.``, ``3)``) at the start of a line, else the same position."""
    symbol, after = _class_past_drops(text, position, end, table)
    if symbol == HYPHEN:  # a longer dash may as well begin a wrapped line
        following, _ = _class_past_drops(text, after, end, table)
        return after if following == SPACE else position
    digits = 0
    cursor = position
    while symbol == DIGIT and digits < 4:
        digits += 1
        cursor = after
        symbol, after = _class_past_drops(text, cursor, end, table)
    if digits > 0 and (symbol == PERIOD or symbol == 17):
        following, _ = _class_past_drops(text, after, end, table)
        if following == SPACE:
            return after
    return position


@njit(cache=True, nogil=True)
def normalise(  # noqa: C901 - one state machine: splitting it would hide the state
    text, start, end, table, out
):
    """Write the symbols of one text to ``out`` and return how many.

    Every mark of punctuation is followed by one space and preceded by none (an opening bracket the other way round),
    whatever the text did; a number is one symbol; line starts, list marks and repeated marks leave nothing.

    Args:
        text: UTF-8 bytes.
        start: First byte.
        end: One past the last byte.
        table: ``alphabet.build_table()``.
        out: At least ``2 * (end - start) + 8`` symbols.
    """
    length = 0
    last = SPACE
    pending = False
    line_start = True
    position = start
    while position < end:
        lead = text[position]
        if lead < 0x80:
            symbol = table[lead]
            after = position + 1
            code = np.int64(lead)
        else:
            code, after = _decode(text, position, end)
            symbol = table[code] if code < table.size else np.uint8(DROP)
        if symbol == DROP:
            position = after
            continue
        if symbol == SPACE:
            pending = True
            position = after
            continue
        if symbol == NEWLINE:
            pending = True
            line_start = True
            position = after
            continue
        if line_start:
            line_start = False
            skipped = _skip_item_mark(text, position, end, table)
            if skipped != position:
                position = skipped
                pending = True
                continue
        if symbol >= LOWER:
            if pending:
                pending = False
                if last != SPACE and last != OPEN:
                    split = False
                    if _small(symbol) == N_CODE and last >= LOWER:
                        mark, mark_after = _class_past_drops(text, after, end, table)
                        if mark == APOSTROPHE:
                            final, _ = _class_past_drops(text, mark_after, end, table)
                            split = _small(final) == T_CODE
                    if not split:
                        out[length] = SPACE
                        length += 1
            out[length] = symbol
            length += 1
            while after < end and text[after] < 0x80 and table[text[after]] >= LOWER:
                symbol = table[text[after]]
                out[length] = symbol
                length += 1
                after += 1
            last = symbol
        elif symbol == OTHER or symbol == DIGIT:
            if pending and last != SPACE and last != OPEN:
                out[length] = SPACE
                length += 1
                last = SPACE
            pending = False
            if symbol == DIGIT:
                if last != DIGIT:
                    out[length] = DIGIT
                    length += 1
                last = DIGIT
            elif code == 0xE6 or code == 0xC6 or code == 0x153 or code == 0x152:
                out[length] = A_CODE if code < 0x100 else A_CODE + 14
                out[length + 1] = E_CODE
                length += 2
                last = E_CODE
            elif code == 0xDF:
                out[length] = S_CODE
                out[length + 1] = S_CODE
                length += 2
                last = S_CODE
            else:
                out[length] = FIRST_OTHER + (code & 63)
                out[length + 1] = FIRST_OTHER + 64 + ((code >> 6) & 63)
                length += 2
                last = FIRST_OTHER
        elif symbol == APOSTROPHE:
            if last >= LOWER:
                following, _ = _class_past_drops(text, after, end, table)
                if (not pending and following >= LOWER) or (pending and _is_clitic(text, after, end, table)):
                    out[length] = APOSTROPHE
                    length += 1
                    last = APOSTROPHE
                    pending = False
                    # "it 's" and "it ' s" are both met; what follows belongs to the word
                else:
                    pending = True
            else:
                pending = pending or last != OPEN
        elif symbol == OPEN:
            if last != SPACE and last != OPEN:
                out[length] = SPACE
                length += 1
            out[length] = OPEN
            length += 1
            last = OPEN
            pending = False
        else:
            if (symbol == HYPHEN or symbol == DASH) and not pending and _is_word(last):
                following, _ = _class_past_drops(text, after, end, table)
                if symbol == HYPHEN and (_is_word(following) or following == OTHER):
                    out[length] = HYPHEN
                    length += 1
                    last = HYPHEN
                    position = after
                    continue
                if last == DIGIT and following == DIGIT:
                    position = after
                    continue
            if symbol == HYPHEN:
                symbol = np.uint8(DASH)
            if (symbol == PERIOD or symbol == COMMA) and last == DIGIT and not pending:
                following, _ = _class_past_drops(text, after, end, table)
                if following == DIGIT:
                    position = after
                    continue
            if symbol == last or (last == ELLIPSIS and symbol == PERIOD):
                if symbol == PERIOD and length > 0:
                    out[length - 1] = ELLIPSIS
                    last = ELLIPSIS
                elif (symbol == EXCLAMATION or symbol == QUESTION) and length > 1 and out[length - 2] != symbol:
                    out[length] = symbol
                    length += 1
            elif length > 0:
                out[length] = symbol
                length += 1
                last = symbol
            pending = True
        position = after
    return length


@njit(cache=True, nogil=True, inline="always")
def _slot(value, seed, bits):
    mixed = (value ^ (value >> np.uint64(29))) * seed
    return np.int64((mixed ^ (mixed >> np.uint64(32))) * MIX >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def window_slots(symbols, start, end, bits, seen, stamp, out):
    """Distinct n-gram buckets of one window.

    Character 5-grams fill buckets ``0 .. 2**bits - 1``, word 1-, 2- and 3-grams (marks of punctuation are
    words) ``2**bits .. 2**(bits + 1) - 1``.

    Args:
        symbols: From ``normalise``.
        start: First symbol of the window.
        end: One past its last symbol.
        bits: log2 of the buckets of each block.
        seen: ``uint16[2**(bits + 1)]`` of stamps of earlier windows.
        stamp: A number that no earlier window used.
        out: Room for ``4 * (end - start) + 4`` buckets.

    Returns:
        Buckets written, and how many of them, the first, are of characters.
    """
    count = 0
    rolling = np.uint64(0)
    for index in range(start, min(start + 4, end)):
        rolling = (rolling >> np.uint64(8)) | (np.uint64(symbols[index]) << np.uint64(32))
    for index in range(start + 4, end):
        rolling = (rolling >> np.uint64(8)) | (np.uint64(symbols[index]) << np.uint64(32))
        slot = _slot(rolling, CHARACTER_SEED, bits)
        if seen[slot] != stamp:
            seen[slot] = stamp
            out[count] = slot
            count += 1
    characters = count
    base = np.int64(1) << bits
    before = np.uint64(1)
    previous = np.uint64(1)
    word = np.uint64(0)
    for index in range(start, end + 1):
        symbol = symbols[index] if index < end else np.uint8(SPACE)
        if symbol >= LOWER or symbol == DIGIT or symbol == APOSTROPHE or symbol == HYPHEN:
            word = (word ^ np.uint64(symbol)) * WORD_SEED
            word ^= word >> np.uint64(31)
            continue
        mark = symbol != SPACE
        while word != 0 or mark:
            if word != 0:
                token = word
                word = np.uint64(0)
            else:
                token = np.uint64(symbol) * MIX
                mark = False
            pair = token ^ (previous * CHARACTER_SEED + np.uint64(0x51))
            triple = (pair ^ (before * MIX)) + np.uint64(0x53)
            for gram in (token, pair, triple):
                slot = base + _slot(gram, WORD_SEED, bits)
                if seen[slot] != stamp:
                    seen[slot] = stamp
                    out[count] = slot
                    count += 1
            before = previous
            previous = token
    return count, characters


@njit(cache=True, nogil=True)
def count_words(symbols, start, end):
    """Runs of letters and digits."""
    words = 0
    inside = False
    for index in range(start, end):
        letter = _is_word(symbols[index])
        if letter and not inside:
            words += 1
        inside = letter
    return words


@njit(cache=True, nogil=True)
def symbol_after_words(symbols, start, end, words):
    """One past the symbol that ends the given number of words, at most ``end``."""
    count = 0
    inside = False
    for index in range(start, end):
        letter = _is_word(symbols[index])
        if inside and not letter:
            count += 1
            if count == words:
                return index
        inside = letter
    return end


@njit(cache=True, nogil=True)
def window_margin(symbols, start, end, bits, weights, scales, seen, stamp, slots):
    """Linear score of one window: two sums of integers, each over the root of the number of its n-grams."""
    count, characters = window_slots(symbols, start, end, bits, seen, stamp, slots)
    character_sum = np.int64(0)
    for index in range(characters):
        character_sum += weights[slots[index]]
    word_sum = np.int64(0)
    for index in range(characters, count):
        word_sum += weights[slots[index]]
    return (
        scales[0] * character_sum / np.sqrt(max(1.0, float(characters)))
        + scales[1] * word_sum / np.sqrt(max(1.0, float(count - characters)))
        + scales[2]
    )


@njit(cache=True, nogil=True)
def document_margin(symbols, start, end, window, bits, weights, scales, seen, stamp, slots):
    """Mean score of the equal windows of a document, none longer than ``window``, and the next free stamp."""
    parts = max(1, (end - start + window - 1) // window)
    total = 0.0
    for part in range(parts):
        first = start + (end - start) * part // parts
        final = start + (end - start) * (part + 1) // parts
        total += window_margin(symbols, first, final, bits, weights, scales, seen, stamp, slots)
        stamp = np.uint16(stamp + 1)
        if stamp == 0:
            seen[:] = 0
            stamp = np.uint16(1)
    return total / parts, stamp


@njit(cache=True, nogil=True)
def score_texts(text, offsets, table, window, bits, weights, scales, symbols, margins, words):
    """Score every text of an Arrow string array; ``symbols`` has room for the longest one."""
    seen = np.zeros(np.int64(2) << bits, np.uint16)
    slots = np.empty(4 * window + 16, np.int32)
    stamp = np.uint16(1)
    for row in range(margins.size):
        length = normalise(text, offsets[row], offsets[row + 1], table, symbols)
        words[row] = count_words(symbols, 0, length)
        margins[row], stamp = document_margin(symbols, 0, length, window, bits, weights, scales, seen, stamp, slots)


@njit(cache=True, nogil=True)
def symbolise_texts(text, offsets, table, symbols, starts):
    """Symbols of every text, end to end; row ``i`` is ``symbols[starts[i]:starts[i + 1]]``."""
    starts[0] = 0
    for row in range(starts.size - 1):
        starts[row + 1] = starts[row] + normalise(text, offsets[row], offsets[row + 1], table, symbols[starts[row] :])


@njit(cache=True, nogil=True)
def score_spans(symbols, starts, ends, window, bits, weights, scales, margins):
    """Score spans of symbols, as ``score_texts`` scores texts."""
    seen = np.zeros(np.int64(2) << bits, np.uint16)
    slots = np.empty(4 * window + 16, np.int32)
    stamp = np.uint16(1)
    for row in range(margins.size):
        margins[row], stamp = document_margin(
            symbols, starts[row], ends[row], window, bits, weights, scales, seen, stamp, slots
        )
