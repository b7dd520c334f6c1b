"""Records of WARC and WET files as text: which of them hold any, and what the others are counted as."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final, NamedTuple

import pyarrow as pa

from provenance.readers import http
from provenance.readers.batches import Declarations, Gatherer
from provenance.readers.dates import origin_of, parse_date
from provenance.readers.grammar import WARC, Grammar
from provenance.readers.marks import Span
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.pieces import Piece, Place, opened, pieces
from provenance.readers.progress import SHARED_MEMBER
from provenance.readers.step import Frame
from provenance.readers.warc import frames
from provenance.text.html import MAX_VALUE_CHARS, PageRefused, decode, extract

_HTML: Final = frozenset({"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"})
_KINDS: Final = (
    (re.compile(r"^image/"), "image"),
    (re.compile(r"^(?:audio|video)/"), "media"),
    (re.compile(r"^font/|font-woff|ms-fontobject|font"), "font"),
    (re.compile(r"pdf"), "pdf"),
    (re.compile(r"json"), "json"),
    (re.compile(r"javascript|ecmascript"), "javascript"),
    (re.compile(r"^text/css"), "css"),
    (re.compile(r"xml"), "xml"),
)
_MAX_HTTP_DECLARATIONS: Final = 32
_LOOK: Final = 64
"""Bytes that mostly tell that a text is not blank."""
_HTTP: Final = re.compile(
    r"^(?:ai-.*|x-robots-tag|link|tdm-.*|tdmrep.*|content-usage|aipref.*|licen[sc]e|x-licen[sc]e|aigc|content-language"
    r"|x-generated-by|c2pa.*)$"
)


class _Skipped(Exception):  # noqa: N818 - control flow within this module: the record holds no text
    """The record holds no text; the argument is the kind it is counted as."""


class _Refused(Exception):  # noqa: N818
    """The record can't be read; arguments are reason and detail."""


def read_crawl(
    source: Source,
    compression: str,
    options: ReadOptions,
    tally: Tally,
    only: Positions | None = None,
    grammar: Grammar = WARC,
    span: Span | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of the records of a crawl file, or of a span of one, that hold text."""

    def progress(offset: int) -> None:
        tally.bytes_read = max(tally.bytes_read, offset)
        tally.rests()

    part = Part(source.location, source.bytes, compression, grammar)
    yield from read_part(part, options, tally, only, progress, span)


class Part(NamedTuple):
    """A crawl file, or what stands for one inside an archive.

    Attributes:
        place: What opens it.
        bytes: Its size as stored.
        compression: As in `detect.Form`.
        grammar: How its records begin.
    """

    place: Place
    bytes: int
    compression: str
    grammar: Grammar


def read_part(
    part: Part,
    options: ReadOptions,
    tally: Tally,
    only: Positions | None = None,
    progress: Callable[[int], None] = lambda _: None,
    span: Span | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of the records of a crawl file that hold text, with positions in that file."""
    gatherer = Gatherer(options, tally)
    open_at = partial(_open, part, options, progress)
    found = frames(open_at, part.compression, part.bytes, options, part.grammar, span)
    for frame in found if only is None else _at(part, options, only, found):
        if not tally.takes(frame.position, options):
            continue
        try:
            _read(frame, options, gatherer)
        except _Skipped as skipped:
            tally.skipped[skipped.args[0]] += 1
        except _Refused as refused:
            tally.reject(frame.position, refused.args[0], refused.args[1], options)
        tally.rests()
        if gatherer.full:
            yield gatherer.take()
    if gatherer.positions:
        yield gatherer.take()


def _open(part: Part, options: ReadOptions, progress: Callable[[int], None], start: int) -> Iterator[Piece]:
    return pieces(part.place, part.compression, progress, start, options)


def _at(part: Part, options: ReadOptions, only: Positions, every: Iterator[Frame]) -> Iterator[Frame]:
    """The frames at these positions: sought where a position is a place in the file, else picked from all of them."""
    places = only.tolist()
    if not _are_places(part, places):
        wanted, last = frozenset(places), max(places, default=-1)
        for frame in every:
            if frame.position in wanted:
                yield frame
            elif frame.position > last:  # those that share a member come last: their positions are larger still
                return
        return
    for place in places:
        open_at = partial(_open_behind, part, options, place)
        for frame in frames(open_at, part.compression, part.bytes - place, options, part.grammar):
            yield replace(frame, position=place)
            break


def _open_behind(part: Part, options: ReadOptions, place: int, start: int) -> Iterator[Piece]:
    return pieces(part.place, part.compression, lambda _: None, place + start, options)


def _are_places(part: Part, places: list[int]) -> bool:
    """Whether these positions are offsets in the file, not in the stream that it decompresses to."""
    if part.compression == "gz":
        if any(place >= min(part.bytes, SHARED_MEMBER) for place in places):
            return False
        with opened(part.place) as file:
            return all(file.seek(place) == place and file.read(3) == b"\x1f\x8b\x08" for place in places)
    return not part.compression


def _read(frame: Frame, options: ReadOptions, gatherer: Gatherer) -> None:
    if frame.fault is not None and frame.fault != "too-long":
        raise _Refused(frame.fault, frame.detail)
    text, declarations = _text(frame, options)
    if _is_blank(text):
        raise _Skipped("no-text")
    headers = frame.headers
    moment = parse_date(headers.get("warc-date"))
    date = (moment, origin_of(moment, "container")) if moment is not None else (None, None)
    url = headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">") or None
    own_id = headers.get("warc-record-id", "").strip().removeprefix("<").removesuffix(">") or None
    gatherer.add(frame.position, own_id, url, date, text, declarations, frame.recovered)


def _is_blank(text: str | bytes) -> bool:
    if isinstance(text, str):
        return not text or text.isspace()
    first = text[:_LOOK].lstrip()[:1]
    return not b"\x20" < first < b"\x7f" and not text.decode("utf-8", "replace").strip()


def _text(frame: Frame, options: ReadOptions) -> tuple[str | bytes, Declarations]:
    kind = frame.headers.get("warc-type", "").lower()
    content_type = frame.headers.get("content-type", "")
    media = _media(content_type)
    if kind == "response":
        if media == "text/dns" or frame.headers.get("warc-target-uri", "").startswith("dns:"):
            raise _Skipped("dns")
        return _response(frame, options)
    if kind in ("conversion", "resource"):
        if kind == "conversion" and not media:
            media = "text/plain"
        if media not in _HTML and media != "text/plain":
            raise _Skipped(kind_of(media))
        _whole(frame)
        return _decoded(frame.block, media, _charset(content_type), frame, utf8=kind == "conversion")
    if kind == "metadata" and media == "application/json":
        raise _Skipped("wat")
    if kind in ("warcinfo", "filedesc", "request", "metadata", "revisit", "continuation"):
        raise _Skipped(kind)
    raise _Skipped("other-record" if kind else "untyped-record")


def _response(frame: Frame, options: ReadOptions) -> tuple[str | bytes, Declarations]:
    try:
        message = http.parse(frame.block, options.max_header_bytes)
    except http.BodyRefused as refused:
        raise _Refused("http-header", str(refused)) from refused
    if message.status is not None and not 200 <= message.status < 300:
        raise _Skipped(f"http-{message.status // 100}xx")
    if message.status is None and not message.fields and not message.body.lstrip()[:1] == b"<":
        raise _Skipped("empty" if not message.body.strip() else "no-http")
    content_type = message.get("content-type") or frame.headers.get("warc-identified-payload-type", "")
    media = _media(content_type)
    if media and media not in _HTML and media != "text/plain":
        raise _Skipped(kind_of(media))
    _whole(frame)
    try:
        body = http.decoded_body(message, options.max_decoded_bytes)
    except http.BodyRefused as refused:
        raise _Refused("payload", str(refused)) from refused
    if not body.strip():
        raise _Skipped("empty")
    if not media:
        media = _sniff(body)
    text, declared = _decoded(body, media, _charset(content_type), frame)
    return text, _http_declarations(message) + declared


def _whole(frame: Frame) -> None:
    if frame.fault is not None:
        raise _Refused(frame.fault, frame.detail)


def _decoded(
    body: bytes, media: str, charset: str | None, frame: Frame, *, utf8: bool = False
) -> tuple[str | bytes, Declarations]:
    if media == "text/plain":
        return (body if utf8 and charset is None else decode(body, charset)), []
    try:
        page = extract(body, charset, frame.headers.get("warc-target-uri"))
    except PageRefused as refused:
        raise _Refused("html", str(refused)) from refused
    return page.text, page.declarations


def _http_declarations(message: http.Message) -> Declarations:
    found = [("http", name, value[:MAX_VALUE_CHARS]) for name, value in message.fields if _HTTP.match(name)]
    return found[:_MAX_HTTP_DECLARATIONS]


@lru_cache(maxsize=1024)
def _media(content_type: str) -> str:
    return content_type.partition(";")[0].partition(",")[0].strip().lower()


@lru_cache(maxsize=1024)
def _charset(content_type: str) -> str | None:
    found = re.search(r"charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{1,40})", content_type, re.IGNORECASE)
    return found[1] if found else None


def _sniff(body: bytes) -> str:
    """Media type of a body that came without one: HTML if it begins like markup, else nothing that is read."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return "text/html"
    raise _Skipped("unknown-type")


def kind_of(media: str) -> str:
    """The short kind that a media type without readable text is counted as."""
    return next((kind for pattern, kind in _KINDS if pattern.search(media)), "other-type")
