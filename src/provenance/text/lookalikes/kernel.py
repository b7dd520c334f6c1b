"""Loops that find words of mixed scripts and write them in one; ``reference.undisguise`` says what they give."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import decode, encode, inner, kind_of

LETTERS = 0x590
"""Every letter that passes for another is below this code point."""


@inner
def mixes_scripts(index, properties, text, start, end):
    """Whether some word has letters of two of the four scripts."""
    scripts = np.int64(0)
    at = start
    while at < end:
        code, width = decode(text, at)
        at += width
        kind = kind_of(index, properties, code)
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
        code, width = decode(text, at)
        at += width
        script = kind_of(index, properties, code) >> 5 & 7
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
        code, width = decode(text, at)
        kind = kind_of(index, properties, code)
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
        code, width = decode(text, at)
        at += width
        script = kind_of(index, properties, code) >> 5 & 7
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
            if (
                scripts == 1 << script
                and own[script] == 0
                and _can_write(index, properties, lookalikes, reverse, text, start, end, main)
            ):
                return main
    return 0


@inner
def undisguise(index, properties, lookalikes, reverse, out, start, end):
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
            at += decode(text, at)[1]
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
        target = (
            0
            if marks or stop == at
            else _target(index, properties, lookalikes, reverse, text, at, stop, scripts, own, main, True)
        )
        stop = max(stop, at + decode(text, at)[1])
        while at < stop:
            code, width = decode(text, at)
            at += width
            if target:
                script = kind_of(index, properties, code) >> 5 & 7
                code = _written_in(lookalikes, reverse, code, script, target)
            to = encode(out, to, code)
    return to
