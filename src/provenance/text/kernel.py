"""Loops over the bytes of Arrow string buffers: folding and splitting into hashed tokens.

Texts are valid UTF-8, as Arrow promises. The plain-Python forms in ``fold`` and ``tokens`` say what each
loop must give.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import pointer_add
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

U64 = np.uint64
HIGH_BITS = U64(0x8080808080808080)
LOW_BITS = U64(0x7F7F7F7F7F7F7F7F)
LETTERS = 0x590
ROOM = 128
"""Bytes kept free behind the output: more than any one character folds to."""
LATIN = 2
"""The bit of Latin in a set of scripts."""
ANY_SCRIPT = 0xE0
"""Property bits of which one is set for Latin, Cyrillic, Greek and Armenian letters."""

# Only the entry points need a door to Python and a place in the cache: their code holds all of these.
inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
inner_inlined = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")


@intrinsic  # type: ignore[untyped-decorator]
def _load(_context: Any, array: Any, index: Any) -> Any:
    """Eight bytes from any address, little-endian."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        address = pointer_add(builder, data, args[1], return_type=ir.IntType(64).as_pointer())
        return builder.load(address, align=1)

    return types.uint64(array, types.int64), build


@intrinsic  # type: ignore[untyped-decorator]
def _save(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes to any address, little-endian."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        address = pointer_add(builder, data, args[1], return_type=ir.IntType(64).as_pointer())
        builder.store(args[2], address, align=1)
        return context.get_dummy_value()

    return types.none(array, types.int64, types.uint64), build


@intrinsic  # type: ignore[untyped-decorator]
def _trailing_zeros(_context: Any, value: Any) -> Any:
    """Zero bits below the lowest one; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


@inner_inlined
def _decode(data, at):
    """The code point at a byte, and how many bytes it takes."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | np.int64(data[at + 1]) & 0x3F, 2
    if first < 0xF0:
        return (first & 0xF) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | np.int64(data[at + 2]) & 0x3F, 3
    return (
        (first & 7) << 18
        | (np.int64(data[at + 1]) & 0x3F) << 12
        | (np.int64(data[at + 2]) & 0x3F) << 6
        | np.int64(data[at + 3]) & 0x3F
    ), 4


@inner
def _encode(out, at, code):
    """Write a code point; the byte after it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@inner_inlined
def _place(index, code):
    return np.int64(index[code >> 7]) << 7 | code & 127


@inner_inlined
def _kind(index, properties, code):
    """The properties of a code point; see ``UnicodeTables``."""
    return np.int64(properties[np.int64(index[code >> 7]) << 7 | code & 127])


@inner_inlined
def _fold_eight(chunk, after_space):
    """Eight ASCII bytes in lower case with white space as spaces, and the high bits of those that need more care.

    Those are white space after white space, and what is not ASCII.
    """
    low = chunk & LOW_BITS
    blank = (low + U64(0x7777777777777777)) & ~(low + U64(0x7272727272727272)) & HIGH_BITS
    upper = (low + U64(0x3F3F3F3F3F3F3F3F)) & ~(low + U64(0x2525252525252525)) & HIGH_BITS
    filled = (blank >> U64(7)) * U64(0xFF)
    folded = (low & ~filled) | (U64(0x2020202020202020) & filled) | upper >> U64(2)
    spaces = ~((folded ^ U64(0x2020202020202020)) + LOW_BITS) & HIGH_BITS
    stops = (spaces & (spaces << U64(8) | (U64(0x80) if after_space else U64(0)))) | (chunk & HIGH_BITS)
    return folded, stops


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
        while end < count and _kind(index, properties, np.int64(segment[end])) >> 8 != 0:
            end += 1
        if end - start > 64:
            # Crawl text may hold a million marks in a row: counting keeps that linear.
            starts = np.zeros(257, np.int64)
            for i in range(start, end):
                starts[(_kind(index, properties, np.int64(segment[i])) >> 8) + 1] += 1
            for i in range(256):
                starts[i + 1] += starts[i]
            copy = segment[start:end].copy()
            for code in copy:
                rank = _kind(index, properties, np.int64(code)) >> 8
                segment[start + starts[rank]] = code
                starts[rank] += 1
        else:
            for i in range(start + 1, end):
                code = segment[i]
                rank = _kind(index, properties, np.int64(code)) >> 8
                j = i
                while j > start and _kind(index, properties, np.int64(segment[j - 1])) >> 8 > rank:
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
        rank = _kind(index, properties, code) >> 8
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
        code, width = _decode(data, at)
        place = _place(index, code)
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


@inner
def _mixes_scripts(index, properties, text, start, end):
    """Whether some word has letters of two of the four scripts."""
    scripts = np.int64(0)
    at = start
    while at < end:
        code, width = _decode(text, at)
        at += width
        kind = _kind(index, properties, code)
        scripts = (scripts | 1 << (kind >> 5 & 7) & ~1) if kind & 1 else 0
        if scripts & (scripts - 1):
            return True
    return False


@inner
def _own_letters(index, properties, lookalikes, reverse, text, start, end):
    """Letters of each script that pass for no letter of another."""
    own = np.zeros(5, np.int64)
    at = start
    while at < end:
        code, width = _decode(text, at)
        at += width
        script = _kind(index, properties, code) >> 5 & 7
        if script == 1:
            own[1] += code > 255 or reverse[2, code & 255] == 0
        elif script:
            own[script] += code >= LETTERS or lookalikes[min(code, LETTERS - 1)] == 0
    return own


@inner
def _written_in(lookalikes, reverse, code, script, target):
    """The letter of the target script that a letter passes for; 0 for none."""
    if script == 0 or script == target:
        return code
    latin = code
    if script != 1:
        latin = np.int64(lookalikes[code]) if code < LETTERS else 0
    if target == 1 or latin == 0:
        return latin
    return np.int64(reverse[target, latin]) if latin < 256 else 0


@inner
def _word(index, properties, text, start, end):
    """End of the word that starts here (0 long: none), its scripts as bits, and whether it has loose marks."""
    scripts = 0
    marks = False
    at = start
    while at < end:
        code, width = _decode(text, at)
        kind = _kind(index, properties, code)
        if kind & 1 == 0:
            break
        marks |= kind & 3 == 3
        scripts |= 1 << (kind >> 5 & 7)
        at += width
    return at, scripts & ~1, marks


@inner
def _can_write(index, properties, lookalikes, reverse, text, start, end, target):
    at = start
    while at < end:
        code, width = _decode(text, at)
        at += width
        script = _kind(index, properties, code) >> 5 & 7
        if _written_in(lookalikes, reverse, code, script, target) == 0:
            return False
    return True


@inner
def _target(index, properties, lookalikes, reverse, text, start, end, scripts, own, main, disguised):
    """The script to write a word in, 0 to leave it."""
    if scripts & (scripts - 1) != 0:
        if _can_write(index, properties, lookalikes, reverse, text, start, end, main):
            return main
        for target in range(1, 5):
            if _can_write(index, properties, lookalikes, reverse, text, start, end, target):
                return target
        return 0
    if disguised and scripts and own[main] and scripts != 1 << main:
        for script in range(1, 5):
            if scripts == 1 << script and own[script] == 0 and _can_write(index, properties, lookalikes, reverse, text, start, end, main):
                return main
    return 0


@inner
def _undisguise(index, properties, lookalikes, reverse, out, start, end):
    """Write words that mix scripts in one; the new end, or -1 when the output is full."""
    own = _own_letters(index, properties, lookalikes, reverse, out, start, end)
    if start + 2 * (end - start) > len(out):
        return -1
    main = 1
    for script in range(2, 5):
        if own[script] > own[main]:
            main = script
    text = out[start:end].copy()
    size = end - start
    disguised = False
    at = 0
    while at < size and not disguised:
        stop, scripts, marks = _word(index, properties, text, at, size)
        if stop == at:
            at += _decode(text, at)[1]
            continue
        if not marks and scripts & (scripts - 1) != 0:
            disguised = _target(index, properties, lookalikes, reverse, text, at, stop, scripts, own, main, False) != 0
        at = stop
    if not disguised:
        return end
    to = start
    at = 0
    while at < size:
        stop, scripts, marks = _word(index, properties, text, at, size)
        target = 0 if marks or stop == at else _target(index, properties, lookalikes, reverse, text, at, stop, scripts, own, main, True)
        stop = max(stop, at + _decode(text, at)[1])
        while at < stop:
            code, width = _decode(text, at)
            at += width
            if target:
                script = _kind(index, properties, code) >> 5 & 7
                code = _written_in(lookalikes, reverse, code, script, target)
            to = _encode(out, to, code)
    return to


@inner_inlined
def _ascii_word_byte(byte):
    return 97 <= byte | 32 <= 122 or 48 <= byte <= 57


@inner
def _fold_text(
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
            folded, stops = _fold_eight(_load(data, at), after_space)
            while stops == 0 and at + 8 < fast_end and to <= size:
                _save(out, to, folded)
                at += 8
                to += 8
                folded, stops = _fold_eight(_load(data, at), folded >> U64(56) == 32)
            _save(out, to, folded)
            length = np.int64(_trailing_zeros(stops) >> U64(3))
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
        code, width = _decode(data, at)
        place = _place(index, code)
        kind = np.int64(properties[place])
        # What stands before is taken for Latin: a suspicion costs a closer look, no more.
        scripts = np.int64(LATIN if to > begin and (out[to - 1] > 127 or _ascii_word_byte(out[to - 1])) else 0)
        while True:
            following = at + width
            foreign = following < end and data[following] > 127
            if foreign:
                next_code, next_width = _decode(data, following)
                next_place = _place(index, next_code)
                next_kind = np.int64(properties[next_place])
                if next_kind & 4:
                    break
            scripts = (scripts | 1 << (kind >> 5 & 7) & ~1) if kind & 9 else 0
            suspect |= scripts & (scripts - 1) != 0
            if kind & 8:
                entry = np.int64(entries[place])
                first = np.int64(composed_offsets[entry])
                length = np.int64(composed_offsets[entry + 1]) - first
                if length <= 4 and composed[first] != 32:
                    _save(out, to, _load(composed, first))
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
                    _save(out, to, _load(data, at))
                    to += width
                else:
                    to = _encode(out, to, code)
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
                suspect |= _kind(index, properties, code) & ANY_SCRIPT != 0
                to = _encode(out, to, code)
                after_space = code == 32
    if to > begin and out[to - 1] == 32:
        to -= 1
    if suspect and _mixes_scripts(index, properties, out, begin, to):
        to = _undisguise(index, properties, lookalikes, reverse, out, begin, to)
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


@inner
def _hash_bytes(data, start, end):
    mixed = U64(0)
    at = start
    while at < end:
        left = end - at
        if at + 8 <= len(data):
            chunk = _load(data, at)
            if left < 8:
                chunk &= (U64(1) << U64(8 * left)) - U64(1)
        else:
            chunk = U64(0)
            for i in range(min(left, 8)):
                chunk |= U64(data[at + i]) << U64(8 * i)
        mixed = (mixed ^ chunk) * U64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> U64(32)
        at += 8
    return np.uint32((mixed ^ U64(end - start)) * U64(0xD6E8FEB86659FD93) >> U64(32))


@inner_inlined
def _ascii_word(data, at):
    """Eight bytes, how many of them at the front are ASCII letters or digits, and whether the next is not ASCII."""
    chunk = _load(data, at)
    low = chunk & LOW_BITS
    lower = low | U64(0x2020202020202020)
    letters = (lower + U64(0x1F1F1F1F1F1F1F1F)) & ~(lower + U64(0x0505050505050505))
    digits = (low + U64(0x5050505050505050)) & ~(low + U64(0x4646464646464646))
    stops = ~((letters | digits) & ~chunk) & HIGH_BITS
    bits = _trailing_zeros(stops)
    return chunk, np.int64(bits >> U64(3)), (chunk & stops & (U64(0) - stops)) != 0


@njit(cache=True, nogil=True)
def split_texts(tables, data, offsets, hashes, out_offsets):
    """Hash the tokens of texts one after another; ``out_offsets`` says where each text's begin."""
    index, properties = tables.index, tables.properties
    total = 0
    fast_end = len(data) - 8
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = offsets[row + 1]
        while at < end:
            if at <= fast_end:
                chunk, length, foreign = _ascii_word(data, at)
                if length < 8:
                    if at + length >= end:
                        length = end - at
                        foreign = False
                    if not foreign:
                        if length:
                            # Without a branch on length: the shift never reaches 64.
                            chunk &= (U64(1) << U64(8 * length)) - U64(1)
                            mixed = chunk * U64(0x9E3779B97F4A7C15)
                            mixed ^= mixed >> U64(32)
                            mixed = (mixed ^ U64(length)) * U64(0xD6E8FEB86659FD93)
                            hashes[total] = mixed >> U64(32)
                            total += 1
                        at += length + 1
                        continue
                else:
                    stop = at + 8
                    while length == 8 and stop < end and stop <= fast_end:
                        chunk, length, foreign = _ascii_word(data, stop)
                        stop += length
                    # At the buffer's last bytes the loop ends early: the careful way below knows them.
                    if stop >= end or (length < 8 and not foreign):
                        stop = min(stop, end)
                        hashes[total] = _hash_bytes(data, at, stop)
                        total += 1
                        at = stop + 1
                        continue
            code, width = _decode(data, at)
            kind = _kind(index, properties, code) & 3
            start = at
            at += width
            if kind == 0:
                continue
            while at < end:
                code, width = _decode(data, at)
                follows = _kind(index, properties, code) & 3
                if follows != 3 and (kind == 2 or follows != 1):
                    break
                at += width
            hashes[total] = _hash_bytes(data, start, at)
            total += 1
        out_offsets[row + 1] = total
    return total
