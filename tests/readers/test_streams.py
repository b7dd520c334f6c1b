"""Streams and parts of files behave as a file of the same bytes; a window over pieces shows the same bytes."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.readers import streams
from provenance.readers.pieces import Piece
from provenance.readers.streams import Slice, Stream
from provenance.readers.window import Window

CONTENT = random.Random(3).randbytes(4000)
STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "readinto", "seek", "skip"]), st.integers(0, 700)), min_size=1, max_size=25
)


def chunks(sizes):
    at = 0
    for size in [*sizes, len(CONTENT)]:
        yield CONTENT[at : at + size]
        at += size


def same(file, model, steps, *, back):
    for step, size in steps:
        if step == "read":
            assert file.read(size) == model.read(size)
        elif step == "readinto":
            ours, theirs = bytearray(size), bytearray(size)
            assert file.readinto(ours) == model.readinto(theirs)
            assert ours == theirs
        elif step == "skip":
            assert file.seek(size, io.SEEK_CUR) == min(model.seek(size, io.SEEK_CUR), len(CONTENT) if back else 1 << 30)
            model.seek(file.tell())
        else:
            target = max(0, file.tell() - size)
            assert file.seek(target) == model.seek(target)
        assert file.tell() == model.tell()
    assert file.read() == model.read()


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=20), STEPS)
def test_a_stream_reads_as_a_file(sizes, steps):
    same(Stream(chunks(sizes)), io.BytesIO(CONTENT), steps, back=True)


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000), STEPS)
def test_a_slice_reads_as_a_file_of_its_bytes(start, length, steps):
    same(Slice(io.BytesIO(CONTENT), start, length), io.BytesIO(CONTENT[start : start + length]), steps, back=False)


def test_a_stream_goes_back_as_far_as_it_remembers(monkeypatch):
    monkeypatch.setattr(streams, "_TAIL", 100)
    stream = Stream(chunks([50] * 79))
    assert len(stream.read(3000)) == 3000
    assert stream.seek(2900) == 2900
    assert stream.read(10) == CONTENT[2900:2910]
    with pytest.raises(OSError, match="can't go back to byte 2000"):
        stream.seek(2000)
    with pytest.raises(io.UnsupportedOperation):
        stream.seek(0, io.SEEK_END)
    assert stream.seek(3900) == 3900
    assert stream.read() == CONTENT[3900:]
    assert stream.seek(9999) == 4000
    assert len(stream._buffer) <= 4 * 100 + 50 + 50
    assert stream.readable()
    assert stream.seekable()


@pytest.mark.parametrize("owned", [True, False])
def test_closing_a_slice(owned):
    file = io.BytesIO(CONTENT)
    part = Slice(file, 10, 20, owned=owned)
    assert part.seek(-5, io.SEEK_END) == 15
    assert part.read() == CONTENT[25:30]
    assert part.seek(-50, io.SEEK_CUR) == 0
    part.close()
    assert file.closed == owned


TEXT = b"".join(b" \r\n\t"[: number % 5] + b"words %d" % number for number in range(300))


@pytest.mark.parametrize("seed", range(30))
def test_a_window_shows_the_bytes_of_its_pieces(seed):
    chosen = random.Random(seed)
    sizes = [chosen.randrange(400) for _ in range(seed % 13)]
    pieces, at = [], 0
    for number, size in enumerate([*sizes, len(TEXT)]):
        fault = "broken" if number % 4 == 3 else None
        pieces.append(Piece(TEXT[at : at + size], number * 10 if number % 2 == 0 else None, fault))
        at += size
    window, place = Window(iter(pieces)), 0
    while place < len(TEXT):
        upto = place + chosen.randrange(1, 500)
        assert window.fill(upto) == (upto <= len(TEXT))
        stop = min(upto, window.end)
        assert window.get(place, stop) == TEXT[place:stop]
        blank = window.skip_blank(place)
        rest = TEXT[place:]
        assert blank == place + len(rest) - len(rest.lstrip(b" \r\n\t"))
        place = stop
        window.drop(place)
        assert all(member.offset >= place for member in window.members)
        assert all(fault.offset >= place for fault in window.faults)
    assert not window.fill(len(TEXT) + 1)
    assert window.ended


def test_a_window_marks_members_and_damage_in_order():
    pieces = [
        Piece(b"one", 0),
        Piece(b"two"),
        Piece(b"", 70, "bad"),
        Piece(b"four", 90, None, False),
        Piece(b"five", 95),
    ]
    window = Window(iter(pieces))
    assert window.fill(14)
    assert [tuple(member) for member in window.members] == [
        (0, 0, True, -1),
        (6, 70, True, -1),
        (6, 90, False, 70),
        (10, 95, True, 70),
    ]
    assert [tuple(fault) for fault in window.faults] == [(6, 6, 70, "bad")]
    assert window.whole(0) is None


def test_whole_members_are_given_without_a_copy():
    pieces = [
        Piece(b"first", 0, whole=True),
        Piece(b"second", 9, whole=True),
        Piece(b"third", 20),
        Piece(b"x", 30, whole=True),
    ]
    window = Window(iter(pieces))
    for piece, end in zip(pieces[:2], (5, 11), strict=True):
        assert window.whole(window.base) == piece
        assert window.whole(window.base) == piece
        window.passed()
        assert (window.base, window.end) == (end, end)
    assert window.whole(11) is None
    assert window.fill(16)
    assert window.get(11, 16) == b"third"
    assert window.fill(17)
    assert window.whole(16) is None  # a member before it is still in the window
    window.drop(16)
    assert window.whole(16) == pieces[3]
    window.passed()
    assert window.whole(17) is None


@pytest.mark.parametrize(("between", "given"), [(b" \n", True), (b"ab", False)])
def test_only_white_space_may_stand_before_a_whole_member(between, given):
    window = Window(iter([Piece(b"first", 0), Piece(between), Piece(b"whole", 30, whole=True)]))
    assert window.fill(5)
    window.drop(5)
    assert window.fill(8)
    assert (window.whole(5) is not None) == given
