"""Reading one crawl record: where its header and block end, what is wrong with it, and where reading goes on.

Behind a fault the next ``WARC/1.`` line or member is looked for; what is found so is `recovered`.

Record layout: ISO 28500:2017, sections 4 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from provenance.readers.digests import disagree
from provenance.readers.pieces import fault_reason
from provenance.readers.progress import Progress
from provenance.readers.window import Fault, Member

_LENGTH: Final = re.compile(rb"^[0-9]{1,18}$")
_FIRST_STEP: Final = 1 << 11
_STEP: Final = 1 << 16
_MAX_REWINDS: Final = 8


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


class Step:
    """Reads one record; afterwards ``next`` is the offset to go on from."""

    def __init__(self, progress: Progress, at: int, member: Member | None) -> None:
        self.progress, self.window, self.options = progress, progress.window, progress.options
        self.at, self.member = at, member
        self.next = at
        self.position = progress.position(at, member)
        if member is not None and progress.believes(member):
            progress.recovered = False
        elif member is not None and not member.clean:
            progress.recovered = True
        self.recovered = progress.recovered
        self.headers: dict[str, str] = {}

    def run(self) -> Iterator[Frame]:
        """The record, or the fault that makes it a reject."""
        window, at = self.window, self.at
        if not self._begins(at):
            yield self._faulty("not-a-record", f"no {self.progress.grammar.name} where a record should begin")
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
        self.headers = self.progress.grammar.parse(header)
        if not self.progress.recordwise and self.progress.grammar.mixed(header):
            self.recovered = self.progress.recovered = True
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
            end = self.progress.grammar.header_end
            found = end.search(window.buffer, max(searched - 3, at) - window.base, reach - window.base)
            if found is not None:
                return window.base + found.end()
            searched = min(reach, window.end)
            if not alive or reach >= limit or self._fault_before(window.end):
                return None

    def _block(self, body: int, length: int) -> Iterator[Frame]:
        window, stop = self.window, body + length
        if self.progress.size is not None and stop > self.progress.size:
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
                self.progress.doubtful = max(self.progress.doubtful, inner.compressed + self.options.max_record_bytes)
                self.progress.recovered = True
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
        if not self.progress.recordwise and not self.recovered and self._disagrees(block):
            self.recovered = self.progress.recovered = True
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
        progress, window, stop = self.progress, self.window, body + length
        window.fill(body + self.options.max_header_bytes)
        head = window.get(body, min(stop, body + self.options.max_header_bytes))
        trusted, candidate = progress.rewinds < _MAX_REWINDS, None
        at = body
        while trusted and at < stop:
            alive = window.fill(min(stop, at + (1 << 20)) + 64)
            if candidate is None:
                found = self.progress.grammar.start.search(window.buffer, max(at - 64, body) - window.base)
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
            progress.rewind(self.member, candidate)
            self.window, self.next, progress.recovered = progress.window, candidate, True
        else:
            self._resynchronise(max(body, window.base))

    def _member_within(self, body: int, stop: int) -> Member | None:
        """In a record-wise file, a member inside the block that begins with a record: the length is too long."""
        if self.member is None or self.progress.recordwise is False or not self.progress.aligned:
            return None
        for member in self.window.members:
            if member.offset >= stop:
                break
            if member.offset > body:
                if self._begins(member.offset):
                    return member
                # Members are cut without regard to records, so that a payload can come to stand at the head of one.
                if member.clean:
                    self.progress.aligned = False
                    return None
        return None

    def _record_within(self, body: int, stop: int) -> int | None:
        found = self.progress.grammar.start.search(self.window.buffer, body - self.window.base, stop - self.window.base)
        return self.window.base + found.start() if found is not None else None

    def _begins(self, at: int) -> bool:
        grammar = self.progress.grammar
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
        self.progress.distrust(fault)
        return self._faulty(fault_reason(fault.message), fault.message)

    def _faulty(self, reason: str, detail: str) -> Frame:
        return Frame(self.position, self.headers, b"", reason, detail, self.recovered)

    def _resynchronise(self, at: int) -> None:
        """Find the next record start from ``at`` on, at most at the next damage."""
        window = self.window
        self.progress.recovered = True
        while True:
            alive = window.fill(max(at, window.base) + _STEP)
            fault = next((f for f in window.faults if f.offset >= at), None)
            limit = fault.offset if fault is not None else window.end
            found = self.progress.grammar.start.search(window.buffer, at - window.base)
            starts = [member.offset for member in window.members if member.offset >= at and self._begins(member.offset)]
            starts += [window.base + found.start()] if found is not None else []
            if starts and min(starts) <= limit:
                self.next = min(starts)
                return
            if fault is not None or not alive:
                self.next = limit
                if fault is not None:
                    window.faults.remove(fault)
                    self.progress.distrust(fault)
                return
            at = max(at, window.end - self.progress.grammar.reach - 256)
            window.drop(at - 1)
