# mypy: ignore-errors
# Compiled in: text/page/kernel.py 299461d0, text/page/seek/kernel.py 3fbc8529, text/utf8/kernel.py 60a5d264
"""Kernel that takes the blocks of a page's own text from all of its blocks."""

from __future__ import annotations

import numpy as np

from provenance.text.page.kernel import (
    BLANK_LINE,
    BLOCK_END,
    BLOCK_GAP,
    BLOCK_KIND,
    BLOCK_LINKED,
    BLOCK_START,
    BULLET,
    IN_CONTENT,
    IS_CELL,
    IS_ITEM,
    NEW_ROW,
)
from provenance.text.utf8.kernel import entry, inner


@inner
def _is_anchor(blocks, keep, block, anchor):
    return keep[block] and blocks[block, BLOCK_END] - blocks[block, BLOCK_START] >= anchor


@inner
def _drop_far(blocks, count, anchor, near, keep):
    """Drop blocks with no anchor among the ``near`` ones on either side; none where there is no anchor at all."""
    last = -1 - near
    following = np.int64(0)
    while following < count and not _is_anchor(blocks, keep, following, anchor):
        following += 1
    if following == count:
        return
    for block in range(count):
        if block == following:
            last = block
            following += 1
            while following < count and not _is_anchor(blocks, keep, following, anchor):
                following += 1
        elif block - last > near and (following == count or following - block > near):
            keep[block] = False


@entry
def compose(out, blocks, count, linked_share, content_share, least_content, anchor, near, text, keep):
    """Write the blocks of a page's own text to ``text``.

    Dropped are blocks that are mostly links; where an article or main element holds at least ``content_share`` of
    what is left, all outside of it; and blocks farther than ``near`` from any of at least ``anchor`` bytes.

    Returns:
        Bytes written, and bytes of the blocks among them.
    """
    inside = 0
    total = 0
    for block in range(count):
        length = blocks[block, BLOCK_END] - blocks[block, BLOCK_START]
        keep[block] = blocks[block, BLOCK_LINKED] < linked_share * length
        if keep[block]:
            total += length
            if blocks[block, BLOCK_KIND] & IN_CONTENT:
                inside += length
    if inside >= content_share * total and inside >= least_content:
        for block in range(count):
            keep[block] = keep[block] and blocks[block, BLOCK_KIND] & IN_CONTENT != 0
    _drop_far(blocks, count, anchor, near, keep)
    size = 0
    kept = 0
    before = -1
    gap = np.int64(0)
    for block in range(count):
        gap |= blocks[block, BLOCK_GAP]
        if not keep[block]:
            continue
        kind = blocks[block, BLOCK_KIND]
        if size:
            in_row = kind & IS_CELL and before == block - 1 and blocks[before, BLOCK_KIND] & IS_CELL
            text[size] = 9 if in_row and not gap & NEW_ROW else 10
            size += 1
            if gap & BLANK_LINE:
                text[size] = 10
                size += 1
        if kind & IS_ITEM:
            for byte in BULLET:
                text[size] = byte
                size += 1
        for at in range(blocks[block, BLOCK_START], blocks[block, BLOCK_END]):
            text[size] = out[at]
            size += 1
        kept += blocks[block, BLOCK_END] - blocks[block, BLOCK_START]
        before = block
        gap = np.int64(0)
    return size, kept
