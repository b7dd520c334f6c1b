# mypy: ignore-errors
# ruff: noqa: C901, SIM109, SIM110 - one state machine each: splitting it would hide the state
# Compiled in: text/page/seek/kernel.py 3fbc8529, text/utf8/kernel.py 60a5d264
"""Kernel that reads a page's markup once: blocks of text with what surrounds them, and where it declares something."""

from __future__ import annotations

import numpy as np

from provenance.text.page.seek.kernel import comment_end, find, name, raw_end, tells
from provenance.text.utf8.kernel import entry, inner, pointer

# Of a tag
VOID, BLOCK, SPACED, CHROME, RAW, ITEM, CELL, ROW, LINK, CONTENT, ROOT, DECLARES, CLOSES_P, SCOPE, PRE, BREAK = (
    1 << place for place in range(16)
)
# Of a word in class or id
BOILERPLATE, SAFE = 1, 2

BLOCK_START, BLOCK_END, BLOCK_LINKED, BLOCK_KIND, BLOCK_GAP = range(5)
COLUMNS = 5
IN_CONTENT, IS_ITEM, IS_CELL = 1, 2, 4
BLANK_LINE, NEW_ROW = 1, 2

FNV = np.uint64(2166136261)
PRIME = np.uint64(16777619)
HALF = np.uint64(0xFFFFFFFF)
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@inner
def _find(keys, values, key):
    at = np.int64(key * FACTOR >> np.uint64(54))
    while keys[at]:
        if keys[at] == key:
            return values[at]
        at = (at + 1) & 1023
    return np.int64(0)


@inner
def _words(data, at, end, keys, values):
    """What the words of a class or id say: the union of their meanings."""
    found = np.int64(0)
    key = FNV
    size = 0
    before = np.uint8(0)
    while at <= end:
        byte = data[at] if at < end else np.uint8(32)
        small = byte | 32
        letter = 97 <= small <= 122
        if size and (not letter or (byte < 97 and before >= 97)):
            found |= _find(keys, values, key)
            key = FNV
            size = 0
        if letter:
            key = (key ^ np.uint64(small)) * PRIME & HALF
            size += 1
        before = byte
        at += 1
    return found


@inner
def _starts(data, at, end, text):
    if at + len(text) > end:
        return False
    for place in range(len(text)):
        if data[at + place] | 32 != text[place] | 32:
            return False
    return True


@inner
def _hides(data, at, end):
    """Whether a style says ``display: none`` or ``visibility: hidden``."""
    while at < end:
        if data[at] | 32 == 110 and _starts(data, at, end, b"none") and at >= 8:
            back = at - 1
            while back > 0 and data[back] == 32:
                back -= 1
            if data[back] == 58 and data[back - 1] | 32 == 121:  # display:
                return True
        at += 1
    return False


CLASS, ID, ROLE, HIDDEN, STYLE, REL, ARIA_HIDDEN, P, TITLE = (
    np.uint64(int.from_bytes(name, "big"))
    for name in (b"class", b"id", b"role", b"hidden", b"style", b"rel", b"aria-hid", b"p", b"title")
)
LICENSE = b"license"
NBSP = b"nbsp;"
BULLET = (0xE2, 0x80, 0xA2, 0x20)


@inner
def _flush(out, begin, size, linked, kind, gap, blocks, count):
    """Close a block at ``size``, less the white space at its end; the number of blocks, and where the text ends."""
    while size > begin and out[size - 1] <= 32:
        size -= 1
    if size > begin and count < len(blocks):
        blocks[count, BLOCK_START] = begin
        blocks[count, BLOCK_END] = size
        blocks[count, BLOCK_LINKED] = linked
        blocks[count, BLOCK_KIND] = kind
        blocks[count, BLOCK_GAP] = gap
        count += 1
    return count, size


@inner
def _attributes(data, at, end, keys, values, judged):
    """Where a tag ends; what its class and id say; whether it hides, has a role of no text, and a licence link."""
    found = np.int64(0)
    hidden = False
    licence = False
    while at < end:
        byte = data[at]
        if byte == 62:
            return at + 1, found, hidden, licence
        if byte <= 32 or byte == 47:
            at += 1
            continue
        name_at = at
        key, at = name(data, at, end)
        if at == name_at:  # a stray equals sign
            at += 1
            continue
        while at < end and data[at] <= 32:
            at += 1
        if at >= end or data[at] != 61:
            if key == HIDDEN:
                hidden = True
            continue
        at += 1
        while at < end and data[at] <= 32:
            at += 1
        if at < end and (data[at] == 34 or data[at] == 39):
            quote = data[at]
            start = at + 1
            stop = find(data, start, end, quote)
            at = stop + 1
        else:
            start = at
            while at < end and data[at] > 32 and data[at] != 62:
                at += 1
            stop = at
        if not judged:
            if key == REL and stop - start >= 7:
                for place in range(start, stop - 6):
                    if _starts(data, place, stop, LICENSE):
                        licence = True
            continue
        if key == CLASS or key == ID:
            found |= _words(data, start, min(stop, start + 512), keys, values)
        elif key == ROLE:
            found |= _words(data, start, min(stop, start + 32), keys, values) << np.int64(4)
        elif key == HIDDEN:
            hidden = True
        elif key == ARIA_HIDDEN:
            hidden = hidden or _starts(data, start, stop, b"true")
        elif key == STYLE:
            hidden = hidden or _hides(data, start, min(stop, start + 256))
        elif key == REL and stop - start >= 7:
            for place in range(start, stop - 6):
                if _starts(data, place, stop, LICENSE):
                    licence = True
    return end, found, hidden, licence


@entry
def read(page, tag_keys, tag_values, word_keys, word_values, open_keys, open_tags, out, blocks, spans):
    """Read a page.

    Args:
        page: The page in UTF-8.
        tag_keys: Open-addressed table of tag names.
        tag_values: Their properties.
        word_keys: Likewise of words in class and id.
        word_values: Their meanings.
        open_keys: Room for the open elements.
        open_tags: Likewise.
        out: Room for the text, as long as the page and 16 bytes.
        blocks: Room for blocks (rows of ``COLUMNS``).
        spans: Room for bounds of declaring elements.

    Returns:
        How many blocks and spans there are, the bounds of the title's text, how many elements deeper than there is
        room for the deepest stood, and the most bytes of text outside of links that there would be if no class or id
        were believed.
    """
    data = pointer(page)
    end = len(page)
    at = 0
    depth = 0
    room = len(open_keys)
    lost = 0  # elements opened beyond the room for them
    most_lost = 0
    skip = room + 1  # depth from which on nothing is read
    content = room + 1
    count = 0
    marks = 0
    declaring = 0
    all_linked = 0
    aside = False  # whether a class, id or role alone is why nothing is read
    aside_link = 0
    unread = 0  # most bytes that would stand outside of links there
    title = 0
    title_end = 0
    size = 0
    begin = 0
    linked = 0
    link = 0
    pre = 0
    kind = np.int64(0)
    gap = 0
    blank = True
    while at < end:
        byte = data[at]
        if byte != 60:
            if skip <= depth:
                if not aside:
                    at = find(data, at, end, np.uint8(60))
                    continue
                while at < end and data[at] != 60:
                    if data[at] > 32:
                        unread += not aside_link or data[at] == 38
                    else:
                        unread += data[at - 1] > 32
                    at += 1
                continue
            if byte == 38 and at + 6 <= end and _starts(data, at + 1, end, NBSP):
                byte = np.uint8(32)
                at += 5
            if byte <= 32:
                if pre and size > begin:
                    out[size] = byte
                    size += 1
                    blank = True
                elif not blank:
                    out[size] = 32
                    size += 1
                    blank = True
            else:
                out[size] = byte
                size += 1
                blank = False
                if link:
                    linked += 1
                    all_linked += 1
            at += 1
            continue
        after = data[at + 1] if at + 1 < end else np.uint8(0)
        if 97 <= after | 32 <= 122:
            key, behind = name(data, at + 1, end)
            tag = _find(tag_keys, tag_values, key)
            tag_at = at
            at, words, hidden, licence = _attributes(data, behind, end, word_keys, word_values, skip > depth)
            marked = False
            if tag & DECLARES or licence:
                declaring += 1
                marked = declaring <= len(spans) and tells(data, behind, at, key)
            if marked:
                spans[marks, 0] = tag_at
                spans[marks, 1] = at
                marks += 1
            if tag & RAW:
                close = raw_end(data, at, end, key)
                if key == TITLE and not title_end:
                    title = at
                    title_end = close
                if marked:
                    spans[marks - 1, 1] = close
                at = close
                continue
            if aside and skip <= depth:
                unread += 2  # what a tag can add by itself
            if tag & BREAK:
                if skip > depth and size > begin:
                    while size > begin and out[size - 1] == 32:
                        size -= 1
                    out[size] = 10
                    size += 1
                    blank = True
                continue
            if tag & CLOSES_P:
                # an open paragraph ends where a block begins
                place = depth - 1
                while place >= 0 and not open_tags[place] & (SCOPE | BLOCK) and open_keys[place] != P:
                    place -= 1
                if place >= 0 and open_keys[place] == P:
                    depth = place
            if tag & (ITEM | CELL | ROW):
                group = tag & (ITEM | CELL | ROW)
                place = depth - 1
                while place >= 0 and not open_tags[place] & (SCOPE | ROOT) and not open_tags[place] & group:
                    place -= 1
                if place >= 0 and open_tags[place] & group and not open_tags[place] & SCOPE:
                    depth = place
            if aside_link > depth:
                aside_link = 0
            if skip > room or skip > depth:
                if skip <= room:
                    skip = room + 1
                if content > depth:
                    content = room + 1
                if link > depth:
                    link = 0
                if pre > depth:
                    pre = 0
                if tag & BLOCK:
                    before = count
                    count, size = _flush(out, begin, size, linked, kind, gap, blocks, count)
                    begin = size
                    linked = 0
                    blank = True
                    if count > before:
                        gap = 0
                    kind = kind & (IS_ITEM | IS_CELL) if count == before else np.int64(0)
                    kind |= np.int64(content <= depth) * IN_CONTENT | np.int64(tag & ITEM > 0) * IS_ITEM
                    kind |= np.int64(tag & CELL > 0) * IS_CELL
                    gap |= np.int64(tag & SPACED > 0) * BLANK_LINE | np.int64(tag & ROW > 0) * NEW_ROW
            if not tag & VOID and not (data[at - 2] == 47 and tag == 0):
                if depth < room:
                    open_keys[depth] = key
                    open_tags[depth] = tag
                    if skip > depth:
                        never = hidden or tag & CHROME
                        bad = (
                            never
                            or (words & BOILERPLATE and not words & SAFE and not tag & (ROOT | CONTENT))
                            or words & (BOILERPLATE << 4)
                        )
                        if bad and not tag & ROOT:
                            skip = depth + 1
                            aside = not never
                            aside_link = 0
                            unread += end if pre else 2
                        elif tag & LINK and not link:
                            link = depth + 1
                        elif tag & CONTENT and content > room:
                            content = depth + 1
                        elif tag & PRE and not pre:
                            pre = depth + 1
                    elif aside:
                        if tag & LINK and not aside_link:
                            aside_link = depth + 1
                        elif tag & PRE:
                            unread += end
                    depth += 1
                else:
                    lost += 1
                    most_lost = max(most_lost, lost)
            continue
        if after == 47 and at + 2 < end and 97 <= data[at + 2] | 32 <= 122:
            key, behind = name(data, at + 2, end)
            while behind < end and data[behind] != 62:
                behind += 1
            at = behind + 1
            if lost:
                lost -= 1
                continue
            tag = _find(tag_keys, tag_values, key)
            place = depth - 1
            while place >= 0 and open_keys[place] != key:
                if open_tags[place] & SCOPE and not tag & (SCOPE | ROW | ROOT):
                    place = -1
                    break
                if open_tags[place] & BLOCK and not tag & BLOCK:
                    place = -1
                    break
                place -= 1
            if place < 0:
                continue
            depth = place
            if aside and skip <= depth:
                unread += 2
            if aside_link > depth:
                aside_link = 0
            if skip > depth:
                skip = room + 1
            if content > depth:
                content = room + 1
            if link > depth:
                link = 0
            if pre > depth:
                pre = 0
            if tag & BLOCK and skip > room:
                before = count
                count, size = _flush(out, begin, size, linked, kind, gap, blocks, count)
                begin = size
                linked = 0
                blank = True
                if count > before:
                    gap = 0
                kind = np.int64(content <= depth) * IN_CONTENT
                gap |= np.int64(tag & SPACED > 0) * BLANK_LINE
            continue
        if after == 33 and at + 3 < end and data[at + 2] == 45 and data[at + 3] == 45:
            at = comment_end(data, at + 4, end)
            continue
        if after == 33 or after == 63 or after == 47:
            at += 2
            while at < end and data[at] != 62:
                at += 1
            at += 1
            continue
        if skip > depth:
            out[size] = byte
            size += 1
            blank = False
        else:
            unread += 1
        at += 1
    count, size = _flush(out, begin, size, linked, kind, gap, blocks, count)
    return count, marks, title, title_end, most_lost, size - all_linked + unread
