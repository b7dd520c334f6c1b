"""WARC framing: where each record begins and ends, and what to do where the file lies about it.

Done here rather than by a library because FastWARC and warcio end quietly on a truncated gzip stream and
swallow what follows an overlong Content-Length. Every record start in the file comes out as one `Frame`:
whole, or with the fault that makes it a reject. Behind a fault the reader resynchronises at the next
``WARC/1.`` line or member, and says so of what it finds. This is the loop; one record is read by `step`, and
what is known of the file meanwhile is kept in `progress`.

Compression by record: ISO 28500:2017, annex on compression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from provenance.readers.grammar import WARC, Grammar, plain_headers
from provenance.readers.marks import Mark, Span
from provenance.readers.options import ReadOptions
from provenance.readers.pieces import Piece, fault_reason
from provenance.readers.progress import Progress
from provenance.readers.step import Frame, Step
from provenance.readers.window import Member

_ENDLESS: Final = 1 << 63


def frames(
    open_at: Callable[[int], Iterator[Piece]],
    compression: str,
    size: int,
    options: ReadOptions,
    grammar: Grammar | None = None,
    span: Span | None = None,
) -> Iterator[Frame]:
    """Every record of a crawl file in order.

    Args:
        open_at: Opens the decompressed stream at an offset of the file (any for plain, a member's for gzip, else 0).
        compression: ``""``, ``gz``, ``zst`` or ``lz4``.
        size: Size of the file as stored.
        options: The caps.
        grammar: How records begin; as in WARC if left out.
        span: The part to read of a file that is plain or compressed record by record; its end is set when it is read.

    Raises:
        Misled: The part begins at a guess, and where a record is can't be said without what stands before it.
    """
    return _run(Progress(open_at, compression, size, options, grammar or WARC, span or Span()))


def _run(progress: Progress) -> Iterator[Frame]:
    at = progress.begin.stream
    while True:
        yield from _plain_members(progress, at)
        at = max(at, progress.window.base)
        behind = at
        at = progress.window.skip_blank(at)
        lost = _lost_between(progress, behind, at)
        if lost is not None:
            yield lost
            continue
        if at >= progress.window.end:
            return
        member = _member_before(progress, behind, at)
        if member is not None and member.harmed >= 0:
            progress.doubtful = max(progress.doubtful, member.harmed + progress.options.max_record_bytes)
        progress.span.end = _end(progress, at, member)
        if progress.span.end is not None:
            return
        yield from (step := Step(progress, at, member)).run()
        at = step.next
        _settle(progress, at)
        progress.window.drop(at)


def _plain_members(progress: Progress, at: int) -> Iterator[Frame]:
    """Records that are each one member, from ``at`` on, as long as nothing is or was wrong.

    They would all be read without this, and slower; whatever is unusual about one is left to that.
    """
    if progress.recordwise is not True or progress.recovered or not progress.aligned or progress.doubtful:
        return
    window, options = progress.window, progress.options
    stop = _ENDLESS if progress.span.stop is None else progress.span.stop
    while progress.grammar is WARC and (piece := window.whole(at)) is not None:
        data, place = piece.data, piece.member
        body = data.find(b"\r\n\r\n", 0, options.max_header_bytes) + 4
        if body < 4 or not data.startswith(b"WARC/1.") or place is None or place >= stop or not piece.clean:
            return
        headers = plain_headers(data[:body])
        length = len(data) - body - 4
        if (
            headers is None
            or headers.get("content-length") != str(length)
            or not 0 <= length <= options.max_record_bytes
        ):
            return
        if not data.endswith(b"\r\n\r\n"):
            return
        yield Frame(place, headers, data[body:-4], None, "", False)
        window.passed()
        at = window.end


def _end(progress: Progress, at: int, member: Member | None) -> Mark | None:
    """The mark at ``at``, if a record there is the next part's."""
    compressed, stop = bool(progress.compression), progress.span.stop
    place = at if not compressed else member.compressed if member is not None and member.clean else -1
    if stop is None or place < stop or progress.recordwise is not compressed:
        return None
    recovered = progress.recovered and not (member is not None and progress.believes(member))
    doubtful = progress.doubtful if progress.doubtful > place else 0
    state = (int(recovered), int(not progress.aligned), doubtful, progress.rewinds)
    return Mark(place, 0, at, state if any(state) else ())


def _settle(progress: Progress, at: int) -> None:
    """Forget damage of members that end by ``at``: the record just read has answered for it."""
    faults = progress.window.faults
    while faults and faults[0].offset <= at and faults[0].member < at:
        faults.popleft()


def _lost_between(progress: Progress, behind: int, at: int) -> Frame | None:
    """A fault with no record of its own: a member so damaged that not even its first line is left."""
    window = progress.window
    if not window.faults or not behind <= window.faults[0].offset <= at:
        return None
    fault = window.faults.popleft()
    progress.distrust(fault)
    return Frame(fault.compressed, {}, b"", fault_reason(fault.message), fault.message, True)


def _member_before(progress: Progress, behind: int, at: int) -> Member | None:
    """The member that begins where this record does, blank lines aside."""
    found = None
    for member in progress.window.members:
        if member.offset > at:
            break
        if member.offset >= behind:
            found = member
    return found
