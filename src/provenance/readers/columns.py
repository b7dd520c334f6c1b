"""Which column holds the text, the id, the URL and the date: the names that datasets use.

A path is a column, with dots into nested ones (``metadata.url``). Names are tried in the order given here, each
also inside ``metadata`` and ``meta``, without regard to case. Known shapes: Dolma, FineWeb, C4, RedPajama (v1
and v2), OSCAR, datatrove, Hugging Face datasets, generation logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from provenance.errors import UsageError
from provenance.readers.options import ReadOptions

TEXT: Final = (
    "text", "raw_content", "raw_text", "content", "contents", "body", "plain_text", "article", "document",
    "page_content", "output", "response", "completion", "generation", "generated_text", "answer",
)  # fmt: skip
ID: Final = ("id", "_id", "doc_id", "document_id", "docid", "record_id", "warc_record_id", "warc-record-id", "uuid")
URL: Final = ("url", "uri", "source_url", "page_url", "target_uri", "warc-target-uri", "link")
CAPTURED: Final = (
    "captured_at", "capture_time", "crawled_at", "crawl_date", "date_crawled", "crawl_timestamp", "fetched_at",
    "fetch_time", "warc_date", "warc-date", "date_download", "date_downloaded", "download_date", "downloaded_at",
    "date_acquired", "retrieved_at", "timestamp", "date", "added",
)  # fmt: skip
PUBLISHED: Final = (
    "published", "published_at", "publish_date", "date_published", "datepublished", "pub_date", "post_date",
    "created", "created_at", "creation_date",
)  # fmt: skip
DECLARING: Final = (
    "generator", "generated_by", "generator_model", "generation_model", "synthetic", "is_synthetic", "ai_generated",
    "is_ai_generated", "machine_generated", "is_machine_generated", "ai_disclosure", "ai-disclosure", "aigc",
    "digital_source_type", "digitalsourcetype", "model", "model_name", "source", "license", "licence",
    "license_url", "rights", "robots", "x-robots-tag", "tdm-reservation", "tdm_reservation", "content-usage",
)  # fmt: skip
"""Fields kept as declarations. Those of `_ONLY_IF` only where their value says what the name does not."""

_ONLY_IF: Final = {
    # "model" may be a car's, "source" a newspaper's: the value has to name a language model or synthetic origin.
    "model": re.compile(
        r"\b(?:gpt|chatgpt|o[134]-|llama|claude|gemini|gemma|palm|bard|mi[sx]tral|qwen|phi-?\d|deepseek|grok|falcon|command-r"
        r"|chatglm|glm-\d|bloomz?|vicuna|alpaca|davinci|flan-t5|kimi|yi-\d|palmyra|nemotron|olmo)", re.IGNORECASE
    ),
    "source": re.compile(
        r"(?:^|[^a-z])(?:synthetic|(?:ai|llm|model|machine)[-_ ]generated)(?:$|[^a-z])", re.IGNORECASE
    ),
}  # fmt: skip
_ONLY_IF["model_name"] = _ONLY_IF["model"]
_NESTS: Final = ("", "metadata.", "meta.")
_NAMED: Final = frozenset(
    nest + name for names in (ID, URL, CAPTURED, PUBLISHED, DECLARING) for name in names for nest in _NESTS
)
_MAX_VALUE: Final = 4096


@dataclass(frozen=True)
class Columns:
    """Where things are in the rows of one source; several paths are tried in order, row by row.

    Attributes:
        text: Path of the text.
        id: Path of the record's own id, if any.
        url: Path of the URL, if any.
        captured: Paths of capture times (`schema.DATE_ORIGINS`: ``column``).
        published: Paths of the author's own dates (``page``).
        declaring: Paths of fields that declare origin or rights.
    """

    text: str
    id: str | None
    url: str | None
    captured: tuple[str, ...]
    published: tuple[str, ...]
    declaring: tuple[str, ...]

    @property
    def top_level(self) -> list[str]:
        """The paths that are needed, without repetition."""
        single = [path for path in (self.text, self.id, self.url) if path is not None]
        return list(dict.fromkeys([*single, *self.captured, *self.published, *self.declaring]))


def resolve(paths: Iterable[str], strings: Iterable[str], options: ReadOptions, place: str) -> Columns:
    """Choose the columns of a source.

    Args:
        paths: Every path there is.
        strings: Those of them that hold strings, which the text has to.
        options: Columns that the user names.
        place: The source, for messages.

    Raises:
        UsageError: A named column is not there, or no column of text is found.
    """
    there = {path.lower(): path for path in reversed(list(paths))}
    for named in (options.text_column, options.id_column, options.url_column, options.date_column):
        if named is not None and named.lower() not in there:
            raise UsageError(f"There is no column {named!r}", place=place, next_step=_listing(there.values()))
    texts = {path.lower(): path for path in strings}
    text = options.text_column or next((texts[name] for name in TEXT if name in texts), None)
    if text is None:
        raise UsageError(
            "No column of text is found",
            place=place,
            next_step=f"Name it with --text-column. {_listing(there.values())}",
        )
    return Columns(
        text=there[text.lower()],
        id=there[options.id_column.lower()] if options.id_column else _first(ID, there),
        url=there[options.url_column.lower()] if options.url_column else _first(URL, there),
        captured=(there[options.date_column.lower()],) if options.date_column else _all(CAPTURED, there),
        published=() if options.date_column else _all(PUBLISHED, there),
        declaring=_all(DECLARING, there),
    )


class Extension:
    """Columns for each row of a source whose later rows have fields that those at its head lack.

    What the head has comes first; a field that only this row has is used for this row, so that what a row gives
    depends on nothing but the head and itself.
    """

    def __init__(self, columns: Columns, known: Iterable[str], options: ReadOptions) -> None:
        self._columns, self._options = columns, options
        self._known = frozenset(known)
        self._inner = {
            nest: frozenset(path.removeprefix(nest) for path in self._known if path.startswith(nest))
            for nest in _NESTS[1:]
        }
        self._found: dict[tuple[str, ...], Columns] = {}
        self._names: tuple[str, ...] = ()
        self._same = columns

    def of(self, row: Mapping[str, Any]) -> Columns:
        """The columns to read this row by."""
        if isinstance(row.get("metadata"), dict) or isinstance(row.get("meta"), dict):
            return self._of(row)
        names = tuple(row)
        if names != self._names:
            self._names, self._same = names, self._of(row)
        return self._same

    def _of(self, row: Mapping[str, Any]) -> Columns:
        extra = [name for name in row if name not in self._known] if not row.keys() <= self._known else []
        for nest, known in self._inner.items():
            inner = row.get(nest[:-1])
            if isinstance(inner, dict) and not inner.keys() <= known:
                extra += [nest + name for name in inner if name not in known]
        names = tuple(name for name in extra if name.lower() in _NAMED)
        if not names:
            return self._columns
        if names not in self._found:
            if len(self._found) > 1_000:
                self._found.clear()
            self._found[names] = self._with({name.lower(): name for name in reversed(names)})
        return self._found[names]

    def _with(self, there: Mapping[str, str]) -> Columns:
        columns, dated = self._columns, self._options.date_column is not None
        return replace(
            columns,
            id=columns.id or _first(ID, there),
            url=columns.url or _first(URL, there),
            captured=columns.captured + (() if dated else _all(CAPTURED, there)),
            published=columns.published + (() if dated else _all(PUBLISHED, there)),
            declaring=columns.declaring + _all(DECLARING, there),
        )


def paths_of(row: Mapping[str, Any]) -> Iterable[tuple[str, bool]]:
    """Paths in a row of JSON, one level into objects, and whether each holds a string."""
    for name, value in row.items():
        yield name, isinstance(value, str)
        if isinstance(value, dict):
            for inner, nested in value.items():
                yield f"{name}.{inner}", isinstance(nested, str)


def lookup(row: Mapping[str, Any], path: str) -> Any:
    """The value at a path of a row; None where there is none."""
    value = row.get(path)
    if value is not None or "." not in path:
        return value
    outer, _, inner = path.partition(".")
    nested = row.get(outer)
    return lookup(nested, inner) if isinstance(nested, dict) else None


def declaration(path: str, value: object) -> tuple[str, str, str] | None:
    """A field as a declaration, if its value is worth one."""
    if value is None or value is False or value == "":
        return None
    name = path.rpartition(".")[2].lower()
    shown = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    needed = _ONLY_IF.get(name)
    if needed is not None and not needed.search(shown[:256]):
        return None
    return "field", path.lower(), shown[:_MAX_VALUE]


def _first(names: Iterable[str], there: Mapping[str, str]) -> str | None:
    return next(iter(_all(names, there)), None)


def _all(names: Iterable[str], there: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(there[nest + name] for name in names for nest in _NESTS if nest + name in there)


def _listing(paths: Iterable[str]) -> str:
    shown = sorted(paths)
    more = f" and {len(shown) - 40} more" if len(shown) > 40 else ""
    names = (name if len(name) <= 80 else f"{name[:80]}…" for name in shown[:40])
    return f"Columns: {', '.join(names)}{more}"
