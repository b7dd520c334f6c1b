# mypy: ignore-errors
# Compiled in: text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
"""Kernel that counts, for each text, how much of it stands in lines that look like code, a table, a list or prose."""

from __future__ import annotations

import numpy as np

from provenance.text.blocks.kernel import masks, ones
from provenance.text.utf8.kernel import entry, inner, inner_inlined, pointer, trailing_zeros

FEATURES = (
    "chars",
    "letters",
    "digits",
    "symbols",
    "lines",
    "code_chars",
    "table_chars",
    "short_chars",
    "sentence_chars",
    "sentences",
    "code_lines",
    "table_lines",
    "short_lines",
    "indented_lines",
    "mass",
    "bullets",
    "comment_chars",
    "strong_lines",
)


U64 = np.uint64
ONE = U64(1)

line_ends = masks(((10, 10),))
writing = masks(
    ((65, 90), (97, 122)),
    ((48, 57),),
    ((32, 32),),
    ((33, 33), (46, 46), (63, 63)),
    ((44, 45),),
    ((34, 34), (39, 39)),
)
"""Letters, digits, spaces, ends of sentences, comma and hyphen, and quotation marks."""


@inner_inlined
def _ascii_class(byte):
    if byte <= 32:
        return 0
    if 65 <= byte <= 90 or 97 <= byte <= 122:
        return 1
    if 48 <= byte <= 57:
        return 2
    if byte == 46 or byte == 33 or byte == 63:  # . ! ?
        return 4
    if byte == 44 or byte == 39 or byte == 34 or byte == 45 or byte == 58:  # , ' " - :
        return 5
    return 3


@inner_inlined
def _wide_class(code):
    """Class of a code point beyond ASCII, by block."""
    if code == 0xA0 or 0x2000 <= code <= 0x200A or code == 0x3000 or code == 0x202F:
        return 0
    if code in (
        0x3002,
        0xFF01,
        0xFF1F,
        0x2026,
        0x06D4,
        0x061F,
        0x0964,
        0x0965,
        0x1362,
        0x104B,
        0x17D4,
        0x0589,
        0xFF0E,
        0xFF61,
    ):
        return 4
    if 0xA1 <= code <= 0xBF and code != 0xAA and code != 0xB5 and code != 0xBA:
        return 5
    if 0x2010 <= code <= 0x206F or 0x3001 <= code <= 0x303F or 0xFF00 <= code <= 0xFF0F or code == 0xFFFD:
        return 5
    if 0x2070 <= code <= 0x2BFF or 0xE000 <= code <= 0xF8FF or code == 0xD7 or code == 0xF7:
        return 3
    if 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE01EF or 0x1F000 <= code <= 0x1FAFF or code == 0xFEFF:
        return 5
    return 1


@inner_inlined
def _mass(code):
    """How many letters of an alphabet a character stands for: a Han character or kana carries about three."""
    if 0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF:
        return 3.0
    if 0xAC00 <= code <= 0xD7AF:
        return 2.0
    return 1.0


@inner
def _has(keywords, key):
    low, high = 0, keywords.size
    while low < high:
        middle = (low + high) // 2
        if keywords[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < keywords.size and keywords[low] == key


@entry
def count_lines(data, offsets, cap, keywords, out):
    """Fill ``out`` (documents × ``FEATURES``) with counts over the first ``cap`` bytes of each text.

    ``keywords`` holds, sorted, the FNV-1a hashes of words that open a line of code.
    """
    text = pointer(data)
    for doc in range(offsets.size - 1):
        begin = offsets[doc]
        stop = min(offsets[doc + 1], begin + cap)
        row = out[doc]
        at = begin
        while at < stop:
            end = _line_end(text, data.size, at, stop)
            _count_line(text, data.size, at, end, keywords, row)
            at = end + 1


@inner_inlined
def _line_end(text, size, at, stop):
    while at < stop:
        if at + 64 > size:
            if text[U64(at)] == 10:
                return at
            at += 1
            continue
        (found,) = line_ends(text, at)
        if found:
            return min(stop, at + np.int64(trailing_zeros(found)))
        at += 64
    return stop


@inner
def _count_line(data, size, start, end, keywords, row):  # noqa: C901
    at = start
    indent = 0
    while at < end and (data[at] == 32 or data[at] == 9):
        indent += 4 if data[at] == 9 else 1
        at += 1
    while end > at and (data[end - 1] == 32 or data[end - 1] == 9):
        end -= 1
    if at >= end:
        return
    first = data[at]
    second = data[at + 1] if at + 1 < end else 0
    last = data[end - 1]
    chars = 0
    letters = 0
    digits = 0
    symbols = 0
    sentences = 0
    mass = 0.0
    gaps = 0
    bars = 0
    numbers = 0
    words = 0
    hints = 0
    quotes = 0
    previous = 0
    previous_code = 0
    last_kind = 5
    spaces = 0
    first_key = np.uint32(2166136261)
    in_first = True
    index = at
    while index < end:
        byte = data[U64(index)]
        if byte < 128:
            code = np.int64(byte)
            index += 1
            kind = _ascii_class(byte)
        elif byte < 224:
            code = np.int64(byte & 31) << 6 | (data[index + 1] & 63 if index + 1 < end else 0)
            index += 2
            kind = _wide_class(code)
        elif byte < 240:
            code = np.int64(byte & 15) << 12
            if index + 2 < end:
                code |= np.int64(data[index + 1] & 63) << 6 | (data[index + 2] & 63)
            index += 3
            kind = _wide_class(code)
        else:
            code = np.int64(byte & 7) << 18
            if index + 3 < end:
                code |= (
                    np.int64(data[index + 1] & 63) << 12 | np.int64(data[index + 2] & 63) << 6 | (data[index + 3] & 63)
                )
            index += 4
            kind = _wide_class(code)
        if in_first:
            if kind == 1 or code == 35:
                first_key = np.uint32((first_key ^ np.uint32(code & 255)) * np.uint32(16777619))
            else:
                in_first = False
        if kind == 0:
            spaces += 1
            if previous == 4:
                sentences += 1
            if (code == 9 and chars > 0) or (spaces == 3 and chars > 0):
                gaps += 1
        else:
            if spaces > 0 or chars == 0:
                words += 1
                if kind == 2:
                    numbers += 1
            chars += 1
            spaces = 0
            if kind == 1:
                letters += 1
                mass += _mass(code)
            elif kind == 2:
                digits += 1
            elif kind == 3:
                symbols += 1
            if code == 124:
                bars += 1
            elif code == 34 or code == 39:
                quotes += 1
            elif (
                (code == 40 and previous == 1)
                or (code == 61 and previous_code in (61, 33, 43, 45, 60, 62, 58))
                or (code == 62 and previous_code in (45, 61))
                or (code == 58 and previous_code == 58)
                or (code == 38 and previous_code == 38)
                or (code == 41 and previous_code == 40)
                or (code == 61 and previous == 0 and symbols >= 1 and index < end and data[index] == 32)
                or (kind == 1 and code < 128 and previous_code == 95)
                or (kind == 1 and previous_code == 46 and letters > 1 and code >= 97)
                or (code == 47 and previous_code == 60)
                or (code == 62 and previous_code == 47)
            ):
                hints += 1
            last_kind = kind
            if kind == 4 and code > 127:
                sentences += 1
        previous = kind
        previous_code = code
        # Behind a letter, what all writing is made of: no hint of code can stand in it, except a letter after a point.
        while kind == 1 and code < 128 and not in_first and index + 64 <= size and index < end:
            alphabetic, numeric, blank, final, other, quoting = writing(data, index)
            usual = alphabetic | numeric | blank | final | other | quoting
            usual &= ~(blank & blank << ONE | alphabetic & final << ONE)
            taken = min(np.int64(trailing_zeros(~usual)), end - index)
            if taken and blank >> U64(taken - 1) & ONE:
                taken -= 1
            if taken == 0:
                break
            within = ~U64(0) >> U64(64 - taken)
            behind = blank << ONE & within & ~blank
            here = np.int64(ones(alphabetic & within))
            chars += np.int64(ones(within & ~blank))
            letters += here
            mass += here
            digits += np.int64(ones(numeric & within))
            quotes += np.int64(ones(quoting & within))
            words += np.int64(ones(behind))
            numbers += np.int64(ones(behind & numeric))
            sentences += np.int64(ones(blank & final << ONE & within))
            index += taken
            code = np.int64(data[U64(index - 1)])
            kind = _ascii_class(code)
            previous = kind
            previous_code = code
            last_kind = kind
            spaces = 0
            if taken < 56:
                break
    if last_kind == 4:
        sentences += 1
    if chars == 0:
        return
    row[0] += chars
    row[1] += letters
    row[2] += digits
    row[3] += symbols
    row[4] += 1
    row[14] += mass
    row[9] += sentences
    if indent >= 2:
        row[13] += 1
    bullet = (first in (42, 45, 43) or first == 226) and second in (32, 128, 151)
    if bullet:
        row[15] += 1
    if letters == 0 and digits == 0 and chars >= 3:  # a rule, drawn in dashes or equals signs
        return

    share = symbols / chars
    plain = letters * 4 >= chars * 3 and share < 0.06  # reads like words, whatever its ends look like
    comment = (
        (first == 35 and second in (32, 33)) or (first == 47 and second in (47, 42)) or (first == 42 and indent == 1)
    )
    dense = hints * 50 >= chars
    points = 0.0
    strong = False
    if share >= 0.10 and symbols >= 2:
        points += 1.0
    if share >= 0.20:
        points += 1.0
    if last in (123, 125, 40, 91) or (last == 59 and (not plain or hints > 0 or words <= 3)):  # { } ( [ ;
        points += 2.0
        strong = not plain or hints > 0
    if _has(keywords, first_key) and (hints > 0 or (last in (41, 34, 39, 44) and words <= 6) or words <= 3):
        points += 2.0
        strong = dense or last == 58 or words <= 3
    elif last == 58 and _has(keywords, first_key) and words <= 10:
        points += 2.0
        strong = True
    if first in (34, 39) and last == 44 and words <= 8 and indent >= 2:
        points += 2.0
    if (first == 35 and second in (33, 105, 100)) or (first == 64 and second != 32 and words <= 3):
        points += 1.5
    if first in (125, 41, 93) and chars <= 3:
        points += 2.0
    if hints >= 2 and dense:
        points += 1.0
    if hints >= 1 and words <= 12 and dense:
        points += 1.0
    if last == 44 and (quotes >= 2 or (hints > 0 and dense) or (symbols >= 2 and share >= 0.06)):
        points += 1.0
    if last == 58 and (symbols >= 2 or hints > 0):
        points += 0.5
    if indent >= 2 and words <= 10:
        points += 0.5
    terminal = last_kind == 4 or (last in (34, 39, 41) and sentences > 0)
    cells = max(gaps, bars) + 1
    table = ((bars >= 2 or (gaps >= 2 and words >= 3)) and chars <= 30 * cells) or (
        numbers >= 3 and numbers * 2 >= words
    )

    if comment:
        row[16] += chars
    if points >= 2.0 and not (plain and mass >= 150.0) and bars < 3:
        row[5] += chars
        row[10] += 1
        if strong:
            row[17] += 1
        return
    if table:
        row[6] += chars
        row[11] += 1
    elif mass < 28.0 and not terminal:
        row[7] += chars
        row[12] += 1
    if not comment and (mass >= 40.0 or (terminal and mass >= 12.0)) and letters * 10 >= chars * 6:
        row[8] += chars
