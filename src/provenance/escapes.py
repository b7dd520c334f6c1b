"""What strangers wrote, made harmless for whoever reads it: a terminal, a spreadsheet, Markdown, a drawing.

Crawls put URLs, titles, file names and evidence into outputs. Each output has characters that it obeys; here every such
character is shown instead. Numbers and plain text stay as they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

_OBEYED: Final = (
    "\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
"""What a terminal obeys, hides or can't send, beyond ASCII: controls, bidi and zero-width characters, separators of
lines, halves of surrogate pairs, tags, private use (Unicode's Cc, Cf, Cs, Co, Zl and Zp)."""

_HIDDEN: Final = re.compile(f"[\x00-\x1f{_OBEYED}]")
_HIDDEN_IN_JSON: Final = re.compile(f"[{_OBEYED}]")
_HIDDEN_IN_CELLS: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Controls and bidi characters. A cell is data: joiners and soft hyphens belong to the words that have them."""

_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""First characters that make a spreadsheet run a cell, with the full-width ones that some of them fold."""

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?%?")
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#!|~&$@]|(?<=:)/)")
"""What begins markup inside a line; the slash after a colon, because a bare URL becomes a link."""


def terminal(value: object) -> str:
    """Return a value as one line that can't drive a terminal: controls, escapes and bidi characters are shown."""
    return _HIDDEN.sub(_shown, "" if value is None else str(value))


def terminal_lines(value: object) -> str:
    """Return a text of several lines likewise; its line breaks stay."""
    return "\n".join(terminal(line) for line in str(value).split("\n"))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def csv_cell(value: Any) -> Any:
    """Return a value as a CSV cell that no spreadsheet runs: a text that would be a formula begins with ``'``.

    Numbers, times and texts that are plain numbers stay as they are. Of controls, line breaks and tabs stay.
    """
    if not isinstance(value, str):
        return value
    text = _HIDDEN_IN_CELLS.sub(_shown, value)
    first = text.lstrip(" \xa0\u3000")[:1]
    if first and _FORMULA.match(first) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def json_text(text: str) -> str:
    """Return JSON with what a terminal obeys as escapes; it says the same."""
    return text if text.isascii() and "\x7f" not in text else _HIDDEN_IN_JSON.sub(_json_shown, text)


def _json_shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def markdown(value: object) -> str:
    """Return a value as plain words of one line of Markdown: no link, no markup, no HTML, no cell of a table."""
    return _MARKDOWN.sub(r"\\\1", terminal(value))


def code_span(value: object) -> str:
    """Return a value as Markdown's inline code, however many backticks it holds; a pipe ends no cell."""
    text = terminal(value)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", "\\|")


def markup(value: object) -> str:
    """Return a value as text of HTML, SVG or XML, for elements and quoted attributes."""
    text = re.sub("[\ufffe\uffff]", _shown, terminal_lines(value))  # which XML does not allow
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(character, entity)
    return text
