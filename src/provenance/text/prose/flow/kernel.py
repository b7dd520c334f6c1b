# mypy: ignore-errors
# Compiled in: text/utf8/kernel.py 60a5d264
"""Kernel that counts what a text holds when its line breaks are gaps like others."""

from __future__ import annotations

from provenance.text.utf8.kernel import entry

FLOW = ("chars", "letters", "words", "ends", "wide_gaps", "narrow_gaps", "lines", "continued", "inner")
"""Of a text read as one flow of words, its line breaks being gaps like others."""


@entry
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
