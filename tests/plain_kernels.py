"""Kernels as plain Python: what a coverage tool can see of them (``scripts/coverage`` runs some tests so).

A pytest plugin for ``NUMBA_DISABLE_JIT=1``: gives the intrinsics, which only a compiler understands, a plain form;
draws few examples of each property; leaves a test that has used too much processor time, so that what it has reached by
then counts on a busy machine as on an idle one.
"""

from __future__ import annotations

import contextlib
import os
import signal

import numpy as np
import pytest

SECONDS = float(os.environ.get("PROVENANCE_PLAIN_SECONDS", "3"))
EXAMPLES = 4

os.environ["NUMBA_DISABLE_JIT"] = "1"
np.seterr(over="ignore")

from provenance.text.utf8 import kernel  # noqa: E402 - numba reads the variable once


class Pointer:
    """What `pointer` gives: an array without an end. Small integers grow as they do in compiled code."""

    def __init__(self, array):
        self.array = array

    def __getitem__(self, place):
        value = self.array[place]
        return int(value) if self.array.dtype.itemsize < 8 and self.array.dtype.kind in "iu" else value

    def __setitem__(self, place, value):
        self.array[place] = int(value) & 0xFF if self.array.dtype == np.uint8 else value


def _block(data, index, size=64):
    array = data.array if isinstance(data, Pointer) else data
    found = array[int(index) : int(index) + size]
    return np.pad(found, (0, size - len(found)))


def _bits(mask):
    return np.uint64(sum(1 << int(place) for place in np.flatnonzero(mask)))


def load(data, index):
    return np.uint64(int.from_bytes(_block(data, index, 8).tobytes(), "little"))


def trailing_zeros(value):
    value = int(value)
    return np.uint64((value & -value).bit_length() - 1 if value else 64)


def leading_zeros(value):
    return np.uint64(64 - int(value).bit_length())


def _letters(block):
    return ((block | 0x20) >= 97) & ((block | 0x20) <= 122)


def _digits(block):
    return (block >= 48) & (block <= 57)


def classify_block(data, index):
    block = _block(data, index)
    return _bits(_letters(block) | _digits(block)), _bits(block >= 0x80), _bits(block >= 0xC0)


def fold_block(data, index, out, to):
    block = _block(data, index)
    spaces = ((block >= 9) & (block <= 13)) | (block == 32)
    folded = np.where((block >= 65) & (block <= 90), block | 0x20, block)
    folded[spaces] = 32
    target = out.array if isinstance(out, Pointer) else out
    target[int(to) : int(to) + 64] = folded[: len(target) - int(to)]
    return _bits(spaces), _bits(((folded >= 97) & (folded <= 122)) | _digits(block)), _bits(block >= 0xC0)


def masks(*classes):
    def of_block(data, index):
        block = _block(data, index)
        return tuple(
            _bits(np.logical_or.reduce([(block >= first) & (block <= last) for first, last in ranges]))
            for ranges in classes
        )

    return of_block


def ones(value):
    return np.uint64(int(value).bit_count())


def equal_bytes(data, index, byte):
    return _bits(_block(data, index) == byte)


for plain in (Pointer, load, trailing_zeros, leading_zeros, classify_block, fold_block):
    setattr(kernel, plain.__name__.replace("Pointer", "pointer"), plain)

from provenance.text.blocks import kernel as blocks  # noqa: E402 - as below

blocks.masks, blocks.ones = masks, ones

from provenance.text.page.seek import kernel as seek  # noqa: E402 - it takes the names above over

seek.equal_bytes = equal_bytes


def pytest_collection_modifyitems(items):
    for item in items:
        test = getattr(item, "obj", None)
        settings = getattr(test, "_hypothesis_internal_use_settings", None)
        if settings is not None:
            few = type(settings)(settings, max_examples=min(settings.max_examples, EXAMPLES), deadline=None)
            getattr(test, "__func__", test)._hypothesis_internal_use_settings = few


def _measures(frame):
    """Whether the coverage tool is at work, which an exception would leave with its lock held."""
    while frame is not None and not frame.f_code.co_filename.endswith("_pytest/python.py"):
        if frame.f_globals.get("__name__", "").startswith("coverage."):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def _bounded(seconds):
    def stop(_, frame):
        if _measures(frame):
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
        else:
            pytest.skip("takes too long in plain Python")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup():
    with _bounded(4 * SECONDS):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    with _bounded(SECONDS):
        return (yield)
