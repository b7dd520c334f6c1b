# ruff: noqa: SIM109 - a kernel compares numbers, it builds no tuples
# Compiled in: text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
# mypy: ignore-errors
"""Compiled passes over Arrow buffers: characters to symbols, and what words are among them."""

from __future__ import annotations

import numpy as np

from provenance.text.blocks.kernel import masks
from provenance.text.utf8.kernel import entry, inner, inner_inlined, pointer, trailing_zeros

DROP, SPACE, NEWLINE, APOSTROPHE, HYPHEN, DASH, ELLIPSIS, OTHER, DIGIT, OPEN, QUOTE = range(11)
PERIOD, COMMA, EXCLAMATION, QUESTION, SEMICOLON, COLON = 11, 12, 13, 14, 15, 16
LOWER, A_CODE, D_CODE, E_CODE, L_CODE = 32, 32, 35, 36, 43
M_CODE, N_CODE, R_CODE, S_CODE, T_CODE, V_CODE = 44, 45, 49, 50, 51, 53
FIRST_OTHER = 128
CASE_BIT = 64

U64 = np.uint64
ONE = U64(1)
CHARACTER_SEED = np.uint64(0x9E3779B97F4A7C15)
WORD_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
MIX = np.uint64(0xFF51AFD7ED558CCD)


prose = masks(
    ((65, 90), (97, 122)),
    ((78, 78), (110, 110)),
    ((32, 32),),
    ((45, 45),),
    ((39, 39),),
    ((33, 33), (44, 44), (46, 46), (58, 59), (63, 63)),
)
"""Letters, those that are n, spaces, hyphens, apostrophes, and marks that a word may end with."""


@inner_inlined
def _is_word(symbol):
    return symbol >= LOWER or symbol == DIGIT


@inner_inlined
def _small(symbol):
    return symbol - 32 if 64 <= symbol < 96 else symbol


@inner
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


@inner
def _class_at(text, position, end, table):
    if position >= end:
        return np.uint8(SPACE), position + 1
    code, after = _decode(text, position, end)
    if code >= table.size:
        return np.uint8(DROP), after
    return table[code], after


@inner
def _class_past_drops(text, position, end, table):
    symbol, after = _class_at(text, position, end, table)
    while symbol == DROP and position < end:
        position = after
        symbol, after = _class_at(text, position, end, table)
    return symbol, after


@inner
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


@inner
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


@inner
def _has_plain_ascii(table):
    """Whether an alphabet knows letters, spaces and the commonest marks as the runs below take them for granted."""
    for byte in range(26):
        if _small(table[65 + byte]) != LOWER + byte or table[97 + byte] != LOWER + byte:
            return False
    return (
        table[32] == SPACE
        and table[39] == APOSTROPHE
        and table[45] == HYPHEN
        and table[44] == COMMA
        and table[46] == PERIOD
        and table[33] == EXCLAMATION
        and table[63] == QUESTION
        and table[58] == COLON
        and table[59] == SEMICOLON
    )


@inner_inlined
def _run(text, size, position, end, table, out, length):
    """Take over what follows a letter for as long as every byte becomes one symbol.

    Such are words, one space between them, one mark before it, hyphens and apostrophes within a word.

    Returns:
        The position, the length, and whether the run ended with a mark.
    """
    taken = np.int64(64)
    while taken == 64 and position + 64 <= size:
        letters, ens, spaces, hyphens, apostrophes, marks = prose(text, position)
        if end - position < 64:
            letters &= (ONE << U64(end - position)) - ONE
        behind = letters >> ONE
        after_letter = letters << ONE | ONE
        # "n't" that stands alone belongs to the word before it.
        apostrophes &= ~(spaces << U64(2) & ens << ONE | ONE)
        marks &= after_letter & spaces >> ONE & behind >> ONE
        spaces &= (after_letter | marks << ONE) & behind
        joiners = (hyphens | apostrophes) & after_letter & behind
        taken = np.int64(trailing_zeros(~(letters | marks | spaces | joiners)))
        if taken >= 2 and spaces >> U64(taken - 2) & ens >> U64(taken - 1) & ONE:
            taken -= 2
        for index in range(taken):
            out[U64(length + index)] = table[text[U64(position + index)]]
        length += taken
        position += taken
        if 0 < taken < 64 and marks >> U64(taken - 1) & ONE:
            return position, length, True
    return position, length, False


@inner
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
    plain = _has_plain_ascii(table)
    source, symbol_of, target = pointer(text), pointer(table), pointer(out)
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
            if plain:
                after, length, pending = _run(source, text.size, after, end, symbol_of, target, length)
                last = np.int64(out[length - 1])
            else:
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


@entry
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


@entry
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


@entry
def symbolise_texts(text, offsets, table, symbols, starts):
    """Symbols of every text, end to end; row ``i`` is ``symbols[starts[i]:starts[i + 1]]``."""
    starts[0] = 0
    for row in range(starts.size - 1):
        starts[row + 1] = starts[row] + normalise(text, offsets[row], offsets[row + 1], table, symbols[starts[row] :])
