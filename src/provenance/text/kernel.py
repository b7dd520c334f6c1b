"""The loop that folds texts; ``reference.fold_text`` says what it gives."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.

from __future__ import annotations

import numpy as np
from numba import njit

from provenance.text.lookalikes.kernel import mixes_scripts, undisguise
from provenance.text.utf8.kernel import (
    decode,
    encode,
    inner,
    inner_inlined,
    kind_of,
    load,
    place_of,
    save,
    trailing_zeros,
)

U64 = np.uint64
HIGH_BITS = U64(0x8080808080808080)
LOW_BITS = U64(0x7F7F7F7F7F7F7F7F)
ROOM = 128
"""Bytes kept free behind the output: more than any one character folds to."""
LATIN = 2
"""The bit of Latin in a set of scripts."""
SEVERAL = 5
"""The script of a character that folds to letters of several, such as the kilo-ohm sign."""
ANY_SCRIPT = 0xE0
"""Property bits of which one is set for Latin, Cyrillic, Greek and Armenian letters."""


@inner_inlined
def _fold_eight(chunk, before):
    """Eight ASCII bytes in lower case with white space as spaces, and the high bits of those that need more care.

    Those are white space after white space, and what is not ASCII. ``before`` is 0x80 after white space, else 0;
    the third value is that for the next eight.
    """
    low = chunk & LOW_BITS
    blank = (low + U64(0x7777777777777777)) & ~(low + U64(0x7272727272727272)) & HIGH_BITS
    upper = (low + U64(0x3F3F3F3F3F3F3F3F)) & ~(low + U64(0x2525252525252525)) & HIGH_BITS
    # 0x80 >> 2 is both a space and what tells cases apart.
    folded = low & ~((blank >> U64(7)) * U64(0xFF)) | (blank | upper) >> U64(2)
    spaces = ~((folded ^ U64(0x2020202020202020)) + LOW_BITS) & HIGH_BITS
    stops = spaces & (spaces << U64(8) | before) | chunk & HIGH_BITS
    return folded, stops, spaces >> U64(56)


@inner
def _compose_pair(pair_keys, pair_values, first, second):
    if 0x1161 <= second < 0x1176 and 0x1100 <= first < 0x1113:
        return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28
    if 0x11A8 <= second < 0x11C3:
        if 0xAC00 <= first < 0xD7A4 and (first - 0xAC00) % 28 == 0:
            return first + (second - 0x11A7)
        return np.int64(0)
    key = U64(first) << U64(21) | U64(second)
    slot = np.int64(key * U64(0x9E3779B97F4A7C15) >> U64(52))
    while pair_keys[slot] != 0:
        if pair_keys[slot] == key:
            return np.int64(pair_values[slot])
        slot = (slot + 1) & 4095
    return np.int64(0)


@inner
def _order(index, properties, segment, count):
    """Canonical ordering: stable by combining class between characters of class 0."""
    start = 0
    while start < count:
        end = start
        while end < count and kind_of(index, properties, np.int64(segment[end])) >> 8 != 0:
            end += 1
        if end - start > 64:
            # Crawl text may hold a million marks in a row: counting keeps that linear.
            starts = np.zeros(257, np.int64)
            for i in range(start, end):
                starts[(kind_of(index, properties, np.int64(segment[i])) >> 8) + 1] += 1
            for i in range(256):
                starts[i + 1] += starts[i]
            copy = segment[start:end].copy()
            for code in copy:
                rank = kind_of(index, properties, np.int64(code)) >> 8
                segment[start + starts[rank]] = code
                starts[rank] += 1
        else:
            for i in range(start + 1, end):
                code = segment[i]
                rank = kind_of(index, properties, np.int64(code)) >> 8
                j = i
                while j > start and kind_of(index, properties, np.int64(segment[j - 1])) >> 8 > rank:
                    segment[j] = segment[j - 1]
                    j -= 1
                segment[j] = code
        start = end + 1


@inner
def _compose(index, properties, pair_keys, pair_values, segment, count):
    """Canonical composition in place (UAX #15); how many code points are left."""
    kept = 0
    starter = -1
    last = 0
    for i in range(count):
        code = np.int64(segment[i])
        rank = kind_of(index, properties, code) >> 8
        if starter >= 0 and (kept - 1 == starter or last < rank):
            joined = _compose_pair(pair_keys, pair_values, np.int64(segment[starter]), code)
            if joined != 0:
                segment[starter] = joined
                continue
        if rank == 0:
            starter = kept
        segment[kept] = code
        last = rank
        kept += 1
    return kept


@inner
def _gather(index, properties, entries, part_offsets, parts, data, at, end, segment):
    """Decompose from a character to the next that joins nothing before it.

    Returns the segment (moved when it had to grow), its length, and the byte after it.
    """
    count = 0
    while at < end:
        code, width = decode(data, at)
        place = place_of(index, code)
        if count and not properties[place] & 4:
            break
        at += width
        if count + 32 > len(segment):
            larger = np.empty(2 * len(segment), np.uint32)
            larger[:count] = segment[:count]
            segment = larger
        entry = np.int64(entries[place])
        if entry:
            for i in range(part_offsets[entry], part_offsets[entry + 1]):
                segment[count] = parts[i]
                count += 1
        else:
            segment[count] = code
            count += 1
    return segment, count, at


@inner_inlined
def _ascii_word_byte(byte):
    return 97 <= byte | 32 <= 122 or 48 <= byte <= 57


@inner_inlined
def _fold_text(  # noqa: C901 - one loop: a call in it costs more than what it does
    index, properties, entries, part_offsets, parts, composed_offsets, composed, pair_keys, pair_values, lookalikes,
    reverse, data, start, end, out, begin, segment,
):  # fmt: skip
    """Fold one text; the end of its output (-1 when full) and the segment buffer.

    The tables come one by one: taking an array out of a tuple counts a reference, which costs more than reading it.
    """
    at = start
    to = begin
    after_space = True
    suspect = False
    size = len(out) - ROOM
    safe_end = len(data) - 8
    fast_end = min(end, safe_end)
    while at < end:
        if to > size:
            return -1, segment
        if at < fast_end and data[at] < 128:
            folded, stops, before = _fold_eight(load(data, at), U64(0x80) if after_space else U64(0))
            last = min(fast_end - 8, at + size - to)
            while stops == 0 and at < last:
                save(out, to, folded)
                at += 8
                to += 8
                folded, stops, before = _fold_eight(load(data, at), before)
            save(out, to, folded)
            length = np.int64(trailing_zeros(stops) >> U64(3))
            length = min(length, end - at)
            # A mark may follow the last letter: go back to before it, even if that was written above.
            length -= at + length < end and data[at + length] > 127
            at += length
            to += length
            after_space = to == begin or out[to - 1] == 32
            while after_space and at < end and (data[at] == 32 or 9 <= data[at] <= 13):
                at += 1
                length = 1
            if length > 0:
                continue
        code, width = decode(data, at)
        place = place_of(index, code)
        kind = np.int64(properties[np.uint64(place)])
        # What stands before is taken for Latin: a suspicion costs a closer look, no more.
        scripts = np.int64(LATIN if to > begin and (out[to - 1] > 127 or _ascii_word_byte(out[to - 1])) else 0)
        while True:
            following = at + width
            foreign = following < end and data[np.uint64(following)] > 127
            if foreign:
                next_code, next_width = decode(data, following)
                next_place = place_of(index, next_code)
                next_kind = np.int64(properties[np.uint64(next_place)])
                if next_kind & 4:
                    break
            scripts = (scripts | 1 << (kind >> 5 & 7) & ~1) if kind & 9 else 0
            suspect |= scripts & (scripts - 1) != 0
            if kind & 8:
                suspect |= kind >> 5 & 7 == SEVERAL
                entry = np.int64(entries[np.uint64(place)])
                first = np.int64(composed_offsets[entry])
                length = np.int64(composed_offsets[entry + 1]) - first
                if length <= 4 and composed[first] != 32:
                    save(out, to, load(composed, first))
                    to += length
                    after_space &= length == 0
                else:
                    for i in range(first, first + length):
                        if composed[i] != 32 or not after_space:
                            out[to] = composed[i]
                            to += 1
                            after_space = composed[i] == 32
            elif code != 32 or not after_space:
                if at <= safe_end:
                    save(out, to, load(data, at))
                    to += width
                else:
                    to = encode(out, to, code)
                after_space = code == 32
            at = following
            if not foreign or to > size:
                break
            code, width, place, kind = next_code, next_width, next_place, next_kind
        if at == following or to > size:
            suspect |= scripts > LATIN and at < end and _ascii_word_byte(data[at])
            continue
        segment, count, at = _gather(index, properties, entries, part_offsets, parts, data, at, end, segment)
        _order(index, properties, segment, count)
        for i in range(count):
            if segment[i] == 0x345:
                segment[i] = 0x3B9
        count = _compose(index, properties, pair_keys, pair_values, segment, count)
        if to + 4 * count > size:
            return -1, segment
        for i in range(count):
            code = np.int64(segment[i])
            if code != 32 or not after_space:
                suspect |= kind_of(index, properties, code) & ANY_SCRIPT != 0
                to = encode(out, to, code)
                after_space = code == 32
    if to > begin and out[to - 1] == 32:
        to -= 1
    if suspect and mixes_scripts(index, properties, out, begin, to):
        to = undisguise(index, properties, lookalikes, reverse, out, begin, to)
    return to, segment


@njit(cache=True, nogil=True)
def fold_texts(tables, data, offsets, row, out, out_offsets):
    """Fold texts from ``row`` on until done or the output is full; the first row not folded."""
    index, properties, entries, part_offsets, parts, composed_offsets, composed, keys, values, alike, reverse = tables
    segment = np.empty(1024, np.uint32)
    while row < len(offsets) - 1:
        end, segment = _fold_text(
            index, properties, entries, part_offsets, parts, composed_offsets, composed, keys, values, alike, reverse,
            data, offsets[row], offsets[row + 1], out, out_offsets[row], segment,
        )  # fmt: skip
        if end < 0:
            break
        row += 1
        out_offsets[row] = end
    return row
