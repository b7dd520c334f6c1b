"""WARC framing: where each record begins and ends, and what to do where the file lies about it.

Done here rather than by a library because FastWARC and warcio end quietly on a truncated gzip stream and
swallow what follows an overlong Content-Length. Every record start in the file comes out as one `Frame`:
whole, or with the fault that makes it a reject. Behind a fault the reader resynchronises at the next
``WARC/1.`` line or member. What it finds so is `recovered`, since a payload can forge a record, until
a record begins at a member of a file compressed record by record, which no payload can forge. Where a member was
damaged, its payload may hold members as well, so that they count again only when the longest record is behind.

Record layout: ISO 28500:2017, sections 4 and 6, annex on compression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from provenance.readers.digests import disagree
from provenance.readers.grammar import WARC, Grammar, plain_headers
from provenance.readers.marks import Mark, Misled, Span
from provenance.readers.options import ReadOptions
from provenance.readers.pieces import Piece, fault_reason
from provenance.readers.window import Fault, Member, Window

SHARED_MEMBER: Final = 1 << 62
"""Added to the uncompressed offset of a record that shares its member with an earlier one although the file
is compressed record by record, so that its position can't be taken for a member's."""

_LENGTH: Final = re.compile(rb"^[0-9]{1,18}$")
_FIRST_STEP: Final = 1 << 11
_STEP: Final = 1 << 16
_MAX_REWINDS: Final = 8
_ENDLESS: Final = 1 << 63


@dataclass(slots=True)
class Frame:
    """One record, as it stands between two record starts.

    Attributes:
        position: The locator: offset of its member (record-wise gzip) or in the decompressed stream.
        headers: WARC header fields, names lower-case; the first of a repeated field.
        block: The record's block; of one longer than the cap only its beginning.
        fault: Why it can't be believed (a reject's reason), or None.
        detail: The fault for a person.
        recovered: Found by resynchronising.
    """

    position: int
    headers: dict[str, str]
    block: bytes
    fault: str | None
    detail: str
    recovered: bool


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
    return _Framer(open_at, compression, size, options, grammar or WARC, span or Span()).run()


class _Framer:
    """The state of one pass: where it is, whether the file is record-wise, whether it is recovering."""

    def __init__(
        self,
        open_at: Callable[[int], Iterator[Piece]],
        compression: str,
        size: int,
        options: ReadOptions,
        grammar: Grammar,
        span: Span,
    ) -> None:
        self.open_at, self.compression, self.options, self.grammar = open_at, compression, options, grammar
        self.size = size if not compression else None
        self.span, self.begin = span, span.first
        self.window = Window(open_at(self.begin.offset), self.begin.stream)
        self.first = self.begin.offset == 0
        self.recordwise: bool | None = (None if self.first else True) if compression == "gz" else False
        recovered, unaligned, self.doubtful, self.rewinds = self.begin.state or (0, 0, 0, 0)
        self.recovered, self.aligned = bool(recovered), not unaligned

    def distrust(self, fault: Fault) -> None:
        """What comes behind a damaged member is recovered; members are, until no record can reach as far."""
        self.recovered = True
        self.doubtful = max(self.doubtful, fault.compressed + self.options.max_record_bytes)

    def believes(self, member: Member) -> bool:
        """Whether a record that begins with this member is none that a payload forged."""
        return self.aligned and self.recordwise is True and member.clean and member.compressed >= self.doubtful

    def run(self) -> Iterator[Frame]:
        at = self.begin.stream
        while True:
            yield from self._plain_members(at)
            at = max(at, self.window.base)
            behind = at
            at = self.window.skip_blank(at)
            lost = self._lost_between(behind, at)
            if lost is not None:
                yield lost
                continue
            if at >= self.window.end:
                return
            member = self._member_before(behind, at)
            if member is not None and member.harmed >= 0:
                self.doubtful = max(self.doubtful, member.harmed + self.options.max_record_bytes)
            self.span.end = self._end(at, member)
            if self.span.end is not None:
                return
            yield from (step := _Step(self, at, member)).run()
            at = step.next
            self._settle(at)
            self.window.drop(at)

    def _plain_members(self, at: int) -> Iterator[Frame]:
        """Records that are each one member, from ``at`` on, as long as nothing is or was wrong.

        They would all be read without this, and slower; whatever is unusual about one is left to that.
        """
        if self.recordwise is not True or self.recovered or not self.aligned or self.doubtful:
            return
        window, longest, longest_header = self.window, self.options.max_record_bytes, self.options.max_header_bytes
        stop = _ENDLESS if self.span.stop is None else self.span.stop
        while self.grammar is WARC and (piece := window.whole(at)) is not None:
            data, place = piece.data, piece.member
            body = data.find(b"\r\n\r\n", 0, longest_header) + 4
            if body < 4 or not data.startswith(b"WARC/1.") or place is None or place >= stop or not piece.clean:
                return
            headers = plain_headers(data[:body])
            length = len(data) - body - 4
            if headers is None or headers.get("content-length") != str(length) or not 0 <= length <= longest:
                return
            if not data.endswith(b"\r\n\r\n"):
                return
            yield Frame(place, headers, data[body:-4], None, "", False)
            window.passed()
            at = window.end

    def _end(self, at: int, member: Member | None) -> Mark | None:
        """The mark at ``at``, if a record there is the next part's."""
        place = at if not self.compression else member.compressed if member is not None and member.clean else -1
        if self.span.stop is None or place < self.span.stop or self.recordwise is not bool(self.compression):
            return None
        recovered = self.recovered and not (member is not None and self.believes(member))
        doubtful = self.doubtful if self.doubtful > place else 0
        state = (int(recovered), int(not self.aligned), doubtful, self.rewinds)
        return Mark(place, 0, at, state if any(state) else ())

    def _settle(self, at: int) -> None:
        """Forget damage of members that end by ``at``: the record just read has answered for it."""
        faults = self.window.faults
        while faults and faults[0].offset <= at and faults[0].member < at:
            faults.popleft()

    def _lost_between(self, behind: int, at: int) -> Frame | None:
        """A fault with no record of its own: a member so damaged that not even its first line is left."""
        window = self.window
        if not window.faults or not behind <= window.faults[0].offset <= at:
            return None
        fault = window.faults.popleft()
        self.distrust(fault)
        return Frame(fault.compressed, {}, b"", _reason(fault), fault.message, True)

    def _member_before(self, behind: int, at: int) -> Member | None:
        """The member that begins where this record does, blank lines aside."""
        found = None
        for member in self.window.members:
            if member.offset > at:
                break
            if member.offset >= behind:
                found = member
        return found

    def position(self, at: int, member: Member | None) -> int:
        """The locator of a record that begins at ``at``."""
        if self.first:
            self.first = False
            return 0
        if self.recordwise is None:
            self.recordwise = member is not None
        if not self.recordwise:
            return at
        if member is None and self.span.guessed:
            raise Misled
        return member.compressed if member is not None else SHARED_MEMBER + at

    def rewind(self, member: Member | None, to: int) -> None:
        """Open the stream again, so that ``to``, in or behind ``member``, is in the window."""
        self.rewinds += 1
        if not self.compression:
            self.window = Window(self.open_at(to), to)
            return
        if member is not None and self.compression == "gz":
            self.window = Window(self.open_at(member.compressed), member.offset)
        else:
            self.window = Window(self.open_at(self.begin.offset), self.begin.stream)
        while self.window.end <= to and self.window.fill(self.window.end + 1):
            self.window.drop(min(to, self.window.end))


class _Step:
    """Reads one record; afterwards ``next`` is the offset to go on from."""

    def __init__(self, framer: _Framer, at: int, member: Member | None) -> None:
        self.framer, self.window, self.options = framer, framer.window, framer.options
        self.at, self.member = at, member
        self.next = at
        self.position = framer.position(at, member)
        if member is not None and framer.believes(member):
            framer.recovered = False
        elif member is not None and not member.clean:
            framer.recovered = True
        self.recovered = framer.recovered
        self.headers: dict[str, str] = {}

    def run(self) -> Iterator[Frame]:
        window, at = self.window, self.at
        if not self._begins(at):
            yield self._faulty("not-a-record", f"no {self.framer.grammar.name} where a record should begin")
            self._resynchronise(at)
            return
        body = self._header_end()
        if body is None or self._fault_before(body) is not None:
            yield self._broken_header()
            return
        inner = self._member_within(at, body)
        if inner is not None:
            yield self._faulty("truncated", "the header does not end before the next member")
            self.next = inner.offset
            return
        header = window.get(at, body)
        self.headers = self.framer.grammar.parse(header)
        if not self.framer.recordwise and self.framer.grammar.mixed(header):
            self.recovered = self.framer.recovered = True
        length = self.headers.get("content-length")
        if length is None or not _LENGTH.match(length.encode("utf-8", "replace")):
            shown = "is missing" if length is None else f"is {length[:40]!r}"
            yield self._faulty("content-length", f"Content-Length {shown}")
            self._resynchronise(body)
            return
        yield from self._block(body, int(length))

    def _broken_header(self) -> Frame:
        fault = self._fault_before(self.window.end + 1)
        if fault is not None:
            return self._damaged(fault)
        cut = self.window.ended
        self._resynchronise(self.at + 6)
        if cut:
            return self._faulty("truncated", "the file ends inside the header")
        return self._faulty("header-too-long", f"no end within {self.options.max_header_bytes} bytes")

    def _header_end(self) -> int | None:
        window, at = self.window, self.at
        limit = at + self.options.max_header_bytes
        reach, searched = at, at
        while True:
            reach = min(reach + (_STEP if reach > at else _FIRST_STEP), limit)
            alive = window.fill(reach)
            end = self.framer.grammar.header_end
            found = end.search(window.buffer, max(searched - 3, at) - window.base, reach - window.base)
            if found is not None:
                return window.base + found.end()
            searched = min(reach, window.end)
            if not alive or reach >= limit or self._fault_before(window.end):
                return None

    def _block(self, body: int, length: int) -> Iterator[Frame]:
        window, stop = self.window, body + length
        if self.framer.size is not None and stop > self.framer.size:
            yield self._faulty("truncated", f"Content-Length {length} reaches beyond the end of the file")
            self._resynchronise(body)
            return
        if length > self.options.max_record_bytes:
            yield from self._long_block(body, length)
            return
        whole = window.fill(stop)
        inner = self._member_within(body, stop)
        fault = self._fault_before(stop)
        if fault is not None and (inner is None or fault.offset <= inner.offset):
            yield self._damaged(fault)
            return
        if inner is not None:
            if whole and self._plausible_end(stop, window.skip_blank(stop)):
                # Either the length is wrong, or the member was cut where a payload wanted it to be.
                self.framer.doubtful = max(self.framer.doubtful, inner.compressed + self.options.max_record_bytes)
                self.framer.recovered = True
            yield self._faulty("content-length", f"Content-Length {length} reaches into the next member")
            self.next = inner.offset
            return
        if self.recovered and (other := self._record_within(body, stop)) is not None:
            # A forged record could claim the sound ones behind it.
            yield self._faulty("content-length", f"Content-Length {length} reaches over another record")
            self.next = other
            return
        if not whole:
            yield self._faulty("truncated", f"the file ends {stop - window.end} bytes before the record does")
            self._resynchronise(body)
            return
        after = window.skip_blank(stop)
        fault = self._fault_before(after + 1)
        if fault is not None and fault.member <= self.at:
            yield self._damaged(fault)
            return
        if not self._plausible_end(stop, after):
            yield self._faulty("content-length", f"no record begins where Content-Length {length} says this one ends")
            self._resynchronise(body)
            return
        block = window.get(body, stop)
        if not self.framer.recordwise and not self.recovered and self._disagrees(block):
            self.recovered = self.framer.recovered = True
        yield Frame(self.position, self.headers, block, None, "", self.recovered)
        self.next = stop

    def _disagrees(self, block: bytes) -> bool:
        """Whether its digests say that this is not the block: what follows it may then be a part of it."""
        return disagree(self.headers, block, self.options.max_header_bytes, self.options.max_decoded_bytes)

    def _plausible_end(self, stop: int, after: int) -> bool:
        window = self.window
        if after >= window.end and window.ended:
            return True
        if any(stop <= member.offset <= after for member in window.members):
            return True
        # Its own blank lines end a record too: damage to the next one's first line is not its fault.
        return self._begins(after) or window.get(stop, stop + 4) == b"\r\n\r\n"

    def _long_block(self, body: int, length: int) -> Iterator[Frame]:
        """A block above the cap: stream over it; keep its beginning, which tells its kind."""
        framer, window, stop = self.framer, self.window, body + length
        window.fill(body + self.options.max_header_bytes)
        head = window.get(body, min(stop, body + self.options.max_header_bytes))
        trusted, candidate = framer.rewinds < _MAX_REWINDS, None
        at = body
        while trusted and at < stop:
            alive = window.fill(min(stop, at + (1 << 20)) + 64)
            if candidate is None:
                found = self.framer.grammar.start.search(window.buffer, max(at - 64, body) - window.base)
                candidate = window.base + found.start() if found and window.base + found.start() < stop else None
            inner, fault = self._member_within(body, stop), self._fault_before(stop)
            if inner is not None or fault is not None or (not alive and window.end < stop):
                trusted = False
                break
            at = min(stop, window.end)
            window.drop(at - 64)
        if trusted:
            after = window.skip_blank(stop)
            trusted = self._plausible_end(stop, after)
        if trusted:
            detail = f"{length} bytes, more than {self.options.max_record_bytes}"
            yield Frame(self.position, self.headers, head, "too-long", detail, self.recovered)
            self.next = stop
            return
        yield self._faulty("content-length", f"Content-Length {length} is not where the next record begins")
        inner = self._member_within(body, stop)
        if inner is not None and (candidate is None or candidate >= inner.offset):
            self.next = inner.offset
        elif candidate is not None and candidate < window.base:
            framer.rewind(self.member, candidate)
            self.window, self.next, framer.recovered = framer.window, candidate, True
        else:
            self._resynchronise(max(body, window.base))

    def _member_within(self, body: int, stop: int) -> Member | None:
        """In a record-wise file, a member inside the block that begins with a record: the length is too long."""
        if self.member is None or self.framer.recordwise is False or not self.framer.aligned:
            return None
        for member in self.window.members:
            if member.offset >= stop:
                break
            if member.offset > body:
                if self._begins(member.offset):
                    return member
                # Members are cut without regard to records, so that a payload can come to stand at the head of one.
                if member.clean:
                    self.framer.aligned = False
                    return None
        return None

    def _record_within(self, body: int, stop: int) -> int | None:
        found = self.framer.grammar.start.search(self.window.buffer, body - self.window.base, stop - self.window.base)
        return self.window.base + found.start() if found is not None else None

    def _begins(self, at: int) -> bool:
        grammar = self.framer.grammar
        self.window.fill(at + grammar.reach)
        return grammar.begin.match(self.window.buffer, at - self.window.base) is not None

    def _fault_before(self, stop: int) -> Fault | None:
        for fault in self.window.faults:
            if self.at < fault.offset < stop:
                return fault
        return None

    def _damaged(self, fault: Fault) -> Frame:
        """The record that a place of damage cuts; reading goes on behind that place."""
        while self.window.faults and self.window.faults[0].offset <= fault.offset:
            self.window.faults.popleft()
        self.next = fault.offset
        self.framer.distrust(fault)
        return self._faulty(_reason(fault), fault.message)

    def _faulty(self, reason: str, detail: str) -> Frame:
        return Frame(self.position, self.headers, b"", reason, detail, self.recovered)

    def _resynchronise(self, at: int) -> None:
        """Find the next record start from ``at`` on, at most at the next damage."""
        window = self.window
        self.framer.recovered = True
        while True:
            alive = window.fill(max(at, window.base) + _STEP)
            fault = next((f for f in window.faults if f.offset >= at), None)
            limit = fault.offset if fault is not None else window.end
            found = self.framer.grammar.start.search(window.buffer, at - window.base)
            starts = [member.offset for member in window.members if member.offset >= at and self._begins(member.offset)]
            starts += [window.base + found.start()] if found is not None else []
            if starts and min(starts) <= limit:
                self.next = min(starts)
                return
            if fault is not None or not alive:
                self.next = limit
                if fault is not None:
                    window.faults.remove(fault)
                    self.framer.distrust(fault)
                return
            at = max(at, window.end - self.framer.grammar.reach - 256)
            window.drop(at - 1)


def _reason(fault: Fault) -> str:
    return fault_reason(fault.message)
