"""Kernel that counts, for each text, how much of it stands in lines that look like code, a table, a list or prose."""

from __future__ import annotations

import numpy as np
from numba import njit

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

FLOW = ("chars", "letters", "words", "ends", "wide_gaps", "narrow_gaps", "lines", "continued", "inner")
"""Of a text read as one flow of words, its line breaks being gaps like others."""


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _mass(code):
    """How many letters of an alphabet a character stands for: a Han character or kana carries about three."""
    if 0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF:
        return 3.0
    if 0xAC00 <= code <= 0xD7AF:
        return 2.0
    return 1.0


@njit(cache=True, nogil=True)
def _has(keywords, key):
    low, high = 0, keywords.size
    while low < high:
        middle = (low + high) // 2
        if keywords[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low < keywords.size and keywords[low] == key


@njit(cache=True, nogil=True)
def count_lines(data, offsets, cap, keywords, out):
    """Fill ``out`` (documents × ``FEATURES``) with counts over the first ``cap`` bytes of each text.

    ``keywords`` holds, sorted, the FNV-1a hashes of words that open a line of code.
    """
    for doc in range(offsets.size - 1):
        begin = offsets[doc]
        stop = min(offsets[doc + 1], begin + cap)
        row = out[doc]
        at = begin
        while at < stop:
            end = at
            while end < stop and data[end] != 10:
                end += 1
            _count_line(data, at, end, keywords, row)
            at = end + 1


@njit(cache=True, nogil=True)
def _count_line(data, start, end, keywords, row):  # noqa: C901
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
        byte = data[index]
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


@njit(cache=True, nogil=True)
def count_flow(data, offsets, rows, cap, out):  # noqa: C901 - one state machine
    """Fill ``out`` (rows × ``FLOW``) with counts over the first ``cap`` bytes of each row's text.

    ``ends``: words with a full stop, question or exclamation mark behind their last letter. ``wide_gaps``: tabs or
    three spaces and more between two words of a line; ``narrow_gaps``: the others. ``continued``: lines that begin with
    a small letter though no sentence ended before. ``inner``: lines within which a sentence ends or a comma stands.
    """
    for place in range(rows.size):
        begin = offsets[rows[place]]
        row = out[place]
        letter_before = False
        pending = False  # a mark that ends a sentence has followed a letter
        ended = True  # whether the line before ended a sentence
        wide = False
        spaces = 0
        in_line = False
        counted = False
        in_word = False
        for at in range(begin, min(offsets[rows[place] + 1], begin + cap)):
            byte = data[at]
            if byte <= 32:
                if in_word:
                    in_word = False
                    if pending:
                        row[3] += 1
                        ended = True
                    else:
                        ended = False
                    spaces = 0
                    wide = False
                if byte == 10:
                    in_line = False
                elif byte == 9:
                    wide = True
                elif byte == 32:
                    spaces += 1
                continue
            row[0] += 1
            if not in_word:
                row[2] += 1
                if not in_line:
                    row[6] += 1
                    counted = False
                    if 97 <= byte <= 122 and not ended:
                        row[7] += 1
                elif wide or spaces >= 3:
                    row[4] += 1
                else:
                    row[5] += 1
                if in_line and ended and not counted:
                    row[8] += 1
                    counted = True
                in_word, in_line = True, True
                letter_before, pending = False, False
            letter = 65 <= byte <= 90 or 97 <= byte <= 122 or byte >= 128
            if letter:
                row[1] += 1
                pending = False
            elif letter_before and (byte == 46 or byte == 33 or byte == 63):
                pending = True
            elif byte == 44 and letter_before and not counted:
                row[8] += 1
                counted = True
            letter_before = letter
        if in_word and pending:
            row[3] += 1
