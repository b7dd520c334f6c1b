"""What sort of text a text is: prose, or one of the kinds that no classifier of style should be asked about.

A kernel counts, line by line, how many characters stand in lines that look like code, table rows, short items or
sentences; the rules below read those counts. Scripts written without spaces are weighed by character, not by word.
What looks like code, a table or a list is read once more as one flow of words: sentences that somebody broke across
short lines, or whose spaces became tabs, are prose all the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

VERSION: Final = "2"
"""Changes whenever the same text may be seen otherwise; recorded with every scan."""

MAX_BYTES: Final = 1 << 16
"""How much of a text is read: its first 64 KiB."""

CODE_SHARE: Final = 0.45
"""From this share of characters in lines of code on, a text is code whatever else it holds."""

TABLE_SHARE: Final = 0.5
SHORT_SHARE: Final = 0.6
LETTERS_OF_SENTENCES: Final = 0.9
"""Share of letters below which a flow of words is not taken for sentences, but for code or a table."""
LONGEST_SENTENCE: Final = 60
"""Words for each end of a sentence, above which a flow of words is not taken for sentences."""

_CODE_WORDS: Final = (
    "#define #elif #else #endif #if #ifdef #ifndef #include alter and assert async await begin bool break case "
    "catch char class "
    "const continue create def default del delete do done double echo elif else end enum esac except export "
    "extends extern "
    "fi final finally float fn for foreach from func function go if impl import in insert int interface is let local "
    "long match mod module my namespace new not or our package pass print private protected pub public raise require "
    "return select self static struct sub super switch template then this throw trait try type typedef typename union "
    "unsigned unsafe update use using var void volatile while with yield"
)

_NAVIGATION: Final = (
    r"(?i)\b(?:home|menu|search|log ?in|sign ?(?:in|up)|log ?out|register|my account|subscribe|newsletter|"
    r"contact(?: us)?|about(?: us)?|"
    r"privacy(?: policy)?|cookies?(?: policy| settings)?|terms (?:of|and) (?:use|service|conditions)|all rights "
    r"reserved|site ?map|"
    r"read more|next|previous|skip to (?:main )?content|share (?:on|this)|facebook|twitter|instagram|linkedin|"
    r"add to cart|checkout|"
    r"impressum|datenschutz(?:erklärung)?|anmelden|kontakt|startseite|agb|accueil|connexion|mentions légales|"
    r"contacto|inicio|"
    r"iniciar sesión|aviso legal|política de privacidad|início|entrar|главная|контакты|войти|регистрация)\b"
    r"|©|首页|登录|注册|联系我们|关于我们|版权所有|ホーム|ログイン|お問い合わせ|プライバシーポリシー"
)
_CONSENT: Final = (
    r"(?i)\b(?:we (?:and our partners )?use cookies|uses cookies|accept (?:all )?cookies|cookie (?:policy|"
    r"settings|preferences)|by continuing to "
    r"(?:use|browse)|enable javascript|javascript is (?:disabled|required)|verwendet cookies|cookies zu|utilise "
    r"des cookies|"
    r"utiliza cookies|utilizza (?:i )?cookie|gebruikt cookies|verify(?:ing)? (?:that )?you are (?:a )?human|ad "
    r"?blocker|access denied)\b"
)
_CONSENT_MAX_CHARS: Final = 900


def classify(texts: pa.LargeStringArray) -> list[str]:
    """Name the kind of each text.

    Args:
        texts: Repaired texts, without nulls.

    Returns:
        One of `provenance.schema.TEXT_KINDS` for each: ``empty`` has neither letter nor digit; ``code``, ``table``
        and ``list`` (short items without sentences) by what most of its characters stand in; ``boilerplate`` is a
        list of navigation labels or little more than a consent banner; all else is ``prose``.
    """
    if len(texts) == 0:
        return []
    counts = count(texts)
    column = {name: counts[:, index] for index, name in enumerate(_features())}
    chars = np.maximum(column["chars"], 1.0)
    lines = np.maximum(column["lines"], 1.0)
    code, table, short = column["code_chars"] / chars, column["table_chars"] / chars, column["short_chars"] / chars
    sentence = column["sentence_chars"] / chars
    commented = column["comment_chars"] / chars
    strong = column["strong_lines"]

    is_empty = (column["letters"] == 0) & (column["digits"] == 0)
    is_code = (
        (code >= CODE_SHARE) & ((strong >= 1) | (column["symbols"] >= 0.12 * chars))
        | (code >= 0.7) & (column["code_lines"] >= 3)
        | (strong >= 3) & (strong >= 0.08 * lines) & (code + commented >= 0.3)
        | (strong >= 2) & (code + commented >= 0.6) & (code >= 0.08)
        | (strong >= 3) & (strong >= 0.02 * lines) & (sentence <= 0.35) & (code + table + short + commented >= 0.6)
        | (column["symbols"] >= 0.25 * chars) & (column["code_lines"] >= 1)
    )
    is_table = (table >= TABLE_SHARE) & ((column["table_lines"] >= 2) | (column["letters"] < 0.4 * chars)) | (
        column["digits"] > column["letters"]
    )
    is_list = (column["short_lines"] >= 3) & (short + table >= SHORT_SHARE) & (sentence < 0.35)

    kinds = np.full(len(texts), "prose", dtype=object)
    laid_out = _laid_out_prose(texts, is_list | is_table, is_code & ~is_empty)
    is_list, is_table, is_code = is_list & ~laid_out, is_table & ~laid_out, is_code & ~laid_out
    kinds[is_list] = "list"
    kinds[is_table] = "table"
    kinds[is_code] = "code"
    kinds[is_empty] = "empty"
    _mark_boilerplate(texts, kinds, column, is_list & ~is_table & ~is_code)
    return [str(kind) for kind in kinds]


def count(texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
    """Count line statistics of each text: one row for each, one column for each of the kernel's ``FEATURES``."""
    from provenance.text.prose.kernel import count_lines

    content, offsets = _buffers(texts)
    counts = np.zeros((len(texts), len(_features())), dtype=np.float64)
    count_lines(content, offsets, MAX_BYTES, _KEYS, counts)
    return counts


def _buffers(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    _, offset_buffer, data = texts.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    content = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, dtype=np.uint8)
    return content, offsets


def _laid_out_prose(
    texts: pa.LargeStringArray, cells: npt.NDArray[np.bool_], code: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which texts that look like tables or lists (``cells``) or like code are sentences in that layout.

    Cells of one word each that go on through commas and ends of sentences are no cells, and lines that go on in the
    middle of a sentence are no items. Words that also open lines of code begin most lines of such a text; code itself
    comes with explanations, so it must go on from line to line nearly everywhere to be none.
    """
    rows = np.flatnonzero(cells | code)
    found = np.zeros(len(code), dtype=np.bool_)
    if not rows.size:
        return found
    from provenance.text.prose.flow.kernel import FLOW, count_flow

    content, offsets = _buffers(texts)
    counts = np.zeros((rows.size, len(FLOW)), dtype=np.float64)
    count_flow(content, offsets, rows, MAX_BYTES, counts)
    flow = {name: counts[:, index] for index, name in enumerate(FLOW)}
    sentences = (
        (flow["letters"] >= LETTERS_OF_SENTENCES * flow["chars"])
        & (flow["ends"] >= 2)
        & (flow["words"] <= LONGEST_SENTENCE * flow["ends"])
        & (flow["words"] >= 4 * flow["ends"])
    )
    gaps = flow["wide_gaps"] + flow["narrow_gaps"]
    tabbed = flow["wide_gaps"] >= 0.8 * gaps
    broken = (flow["wide_gaps"] <= 0.1 * gaps) & (flow["continued"] >= 0.4 * flow["lines"])
    going_on = flow["continued"] + flow["inner"] >= 0.5 * flow["lines"]
    everywhere = (flow["continued"] >= 0.7 * flow["lines"]) & (flow["words"] <= 8 * flow["lines"])
    found[rows[sentences & (tabbed | broken) & np.where(code[rows], everywhere, going_on)]] = True
    return found


def _mark_boilerplate(
    texts: pa.LargeStringArray,
    kinds: npt.NDArray[np.object_],
    column: dict[str, npt.NDArray[np.float64]],
    listed: npt.NDArray[np.bool_],
) -> None:
    rows = np.flatnonzero(listed)
    if rows.size:
        labels = pc.count_substring_regex(texts.take(pa.array(rows)), _NAVIGATION).to_numpy(zero_copy_only=False)
        kinds[rows[(labels >= 3) & (labels >= 0.15 * column["lines"][rows])]] = "boilerplate"
    rows = np.flatnonzero((column["chars"] <= _CONSENT_MAX_CHARS) & (kinds != "code") & (kinds != "empty"))
    if rows.size:
        phrases = pc.count_substring_regex(texts.take(pa.array(rows)), _CONSENT).to_numpy(zero_copy_only=False)
        kinds[rows[phrases * 300 >= column["chars"][rows]]] = "boilerplate"


def _features() -> tuple[str, ...]:
    from provenance.text.prose.kernel import FEATURES

    return FEATURES


def _fnv1a(word: str) -> int:
    value = 2166136261
    for byte in word.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


_KEYS: Final = np.array(sorted(_fnv1a(word) for word in _CODE_WORDS.split()), dtype=np.uint32)
