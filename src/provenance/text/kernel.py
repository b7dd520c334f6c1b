"""The loop that folds texts; ``reference.fold_text`` says what it gives."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.
# Compiled in: text/lookalikes/kernel.py e35539c8, text/utf8/kernel.py 60a5d264

from __future__ import annotations

import numpy as np

from provenance.text.lookalikes.kernel import mixes_scripts, undisguise
from provenance.text.utf8.kernel import (
    decode,
    encode,
    entry,
    fold_block,
    inner,
    inner_inlined,
    kind_of,
    place_of,
    pointer,
    trailing_zeros,
)

U64 = np.uint64
ONE = U64(1)
ALL = U64(0xFFFFFFFFFFFFFFFF)
REACH = 72
"""How far behind the start of a block it is read."""
ROOM = 128
"""Bytes kept free behind the output: more than any one character folds to."""
LATIN = 2
"""The bit of Latin in a set of scripts."""
SEVERAL = 5
"""The script of a character that folds to letters of several, such as the kilo-ohm sign."""
ANY_SCRIPT = 0xE0
"""Property bits of which one is set for Latin, Cyrillic, Greek and Armenian letters."""


@inner_inlined
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
def _script_bit(kind):
    """What a letter adds to a set of scripts.

    One of another script than the four counts as Latin: a suspicion costs a closer look, no more.
    """
    return np.int64(1) << max(kind >> 5 & 7, 1)


@inner_inlined
def _fold_block(  # noqa: C901 - one loop: a call in it costs more than what it does
    index, properties, entries, composed_offsets, composed, pair_keys, pair_values, data, at, end, out, to, before,
    word, scripts,
):  # fmt: skip
    """Fold up to 64 bytes of characters that keep their size and compose with nothing.

    Stops before the first other one, and before white space that follows white space. ``before`` is 1 after white
    space, else 0; ``word`` says that an ASCII letter or digit stands before; ``scripts`` are those of the letters
    beyond ASCII before.

    Returns how many bytes; the scripts of their letters; whether one word may have letters of two; ``before`` for
    what follows.
    """
    spaces, words, leads = fold_block(data, at, out, to)
    size = min(end - at, 64)
    stops = spaces & (spaces << ONE | before)
    if stops:
        size = min(size, np.int64(trailing_zeros(stops)))
    leads &= ALL >> U64(64 - size) if size else U64(0)
    others = U64(0)
    own = np.int64(0)
    behind = np.int64(-1)
    starter = np.int64(0)
    starter_at = np.int64(0)
    entry = np.int64(0)
    last = np.int64(0)
    while leads:
        first = np.int64(trailing_zeros(leads))
        leads &= leads - ONE
        code, width = decode(data, at + first)
        place = place_of(index, code)
        kind = np.int64(properties[np.uint64(place)])
        if kind & 4:
            if first == 0:  # what it may compose with stands before this block, or nothing does
                size = 0
                break
            if first != behind:
                starter_at = first - 1
                starter = np.int64(out[np.uint64(to + starter_at)])
                entry = np.int64(0)
                last = np.int64(0)
            rank = kind >> 8
            if (
                first + width > size
                or kind & 8 != 0
                or entry | np.int64(entries[np.uint64(place)]) != 0
                or 0 < rank < last
                or _compose_pair(pair_keys, pair_values, starter, code) != 0
            ):
                size = max(starter_at, 0)
                break
            last = rank
            if rank == 0:
                starter = code
                starter_at = first
        else:
            if first + width > size:
                size = first
                break
            starter = code
            starter_at = first
            entry = np.int64(entries[np.uint64(place)])
            last = np.int64(0)
            if kind & 8:
                part = np.int64(composed_offsets[np.uint64(entry)])
                if np.int64(composed_offsets[np.uint64(entry + 1)]) - part != width or composed[np.uint64(part)] == 32:
                    size = first
                    break
                for i in range(width):
                    out[np.uint64(to + first + i)] = composed[np.uint64(part + i)]
        behind = first + width
        if kind & 9:
            bit = _script_bit(kind)
            own |= bit
            if bit > LATIN:
                others |= ((ONE << U64(width)) - ONE) << U64(first)
    if size == 64 and at + size < end and data[np.uint64(at + size)] > 127:
        code, width = decode(data, at + size)
        if kind_of(index, properties, code) & 4:
            size = starter_at if behind == size else size - 1
    mixed = False
    scripts |= own
    if scripts > LATIN:
        mixed = (
            scripts & (scripts - 1) != 0
            or own >> SEVERAL != 0
            or words & (others << ONE | others >> ONE) | others & U64(word) != 0
        )
    if size:
        before = spaces >> U64(size - 1) & ONE
    return size, own, mixed, before


@inner_inlined
def _fold_text(  # noqa: C901 - one loop: a call in it costs more than what it does
    index, properties, entries, part_offsets, parts, composed_offsets, composed, pair_keys, pair_values, data,
    data_size, start, end, out, out_size, begin, segment,
):  # fmt: skip
    """Fold one text; the end of its output (-1 when full), the segment buffer, and whether a word may mix scripts."""
    at = start
    to = begin
    before = ONE
    scripts = np.int64(0)
    suspect = False
    size = out_size - ROOM
    fast_end = data_size - REACH
    while at < end:
        if to > size:
            return -1, segment, suspect
        word = False
        if to == begin or out[to - 1] < 128:
            scripts = np.int64(0)
            word = to > begin and _ascii_word_byte(out[to - 1])
        elif scripts > LATIN and _ascii_word_byte(data[at]):
            suspect = True
        if at <= fast_end:
            length, own, mixed, before = _fold_block(
                index, properties, entries, composed_offsets, composed, pair_keys, pair_values, data, at, end, out, to,
                before, word, scripts,
            )  # fmt: skip
            suspect |= mixed
            if length:
                scripts = own
                at += length
                to += length
            while before and at < end and (data[at] == 32 or 9 <= data[at] <= 13):
                at += 1
                length = 1
            if length:
                continue
        # One character, with what joins it.
        if word:
            scripts |= LATIN
        code, width = decode(data, at)
        following = at + width
        if following < end and kind_of(index, properties, decode(data, following)[0]) & 4:
            segment, count, at = _gather(index, properties, entries, part_offsets, parts, data, at, end, segment)
            _order(index, properties, segment, count)
            for i in range(count):
                if segment[i] == 0x345:
                    segment[i] = 0x3B9
            count = _compose(index, properties, pair_keys, pair_values, segment, count)
            if to + 4 * count > size:
                return -1, segment, suspect
            for i in range(count):
                code = np.int64(segment[i])
                if code != 32 or not before:
                    kind = kind_of(index, properties, code)
                    if kind & 1:
                        scripts |= _script_bit(kind)
                    to = encode(out, to, code)
                    before = U64(code == 32)
        else:
            place = place_of(index, code)
            kind = np.int64(properties[place])
            if kind & 1 or kind & ANY_SCRIPT:
                scripts |= _script_bit(kind)
            elif kind & 8 == 0:
                scripts = np.int64(0)
            if kind & 8:
                entry = np.int64(entries[place])
                for i in range(composed_offsets[entry], composed_offsets[entry + 1]):
                    if composed[i] != 32 or not before:
                        out[to] = composed[i]
                        to += 1
                        before = U64(composed[i] == 32)
            elif code != 32 or not before:
                to = encode(out, to, code)
                before = U64(code == 32)
            at = following
        if scripts > LATIN:
            suspect |= scripts & (scripts - 1) != 0 or scripts >> SEVERAL != 0 or _ascii_word_byte(out[to - 1])
    if to > begin and out[to - 1] == 32:
        to -= 1
    return to, segment, suspect


@entry
def fold_texts(tables, data, offsets, row, out, out_offsets):
    """Fold texts from ``row`` on until done or the output is full; the first row not folded."""
    index, properties, entries = pointer(tables.blocks), pointer(tables.properties), pointer(tables.entries)
    part_offsets, parts = pointer(tables.part_offsets), pointer(tables.parts)
    composed_offsets, composed = pointer(tables.composed_offsets), pointer(tables.composed)
    keys, values = pointer(tables.pair_keys), pointer(tables.pair_values)
    first, into = pointer(data), pointer(out)
    segment = np.empty(1024, np.uint32)
    while row < len(offsets) - 1:
        end, segment, suspect = _fold_text(
            index, properties, entries, part_offsets, parts, composed_offsets, composed, keys, values,
            first, len(data), offsets[row], offsets[row + 1], into, len(out), out_offsets[row], segment,
        )  # fmt: skip
        if suspect and mixes_scripts(index, properties, into, out_offsets[row], end):
            end = undisguise(index, properties, tables.lookalikes, tables.reverse, out, out_offsets[row], end)
        if end < 0:
            break
        row += 1
        out_offsets[row] = end
    return row
