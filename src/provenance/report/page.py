"""The page of a report: HTML that stands alone, loads nothing, runs nothing, and shows what crawls wrote as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from provenance.escapes import markup
from provenance.pipeline.estimate import Pile, ShareOf
from provenance.report.figures import MOST_NODES, Report
from provenance.schema import TAGS

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"""

_CAUTION: Final = (
    "A tag is a judgement, not a proof: human texts are tagged synthetic by mistake, and the error of style holds for "
    "text like that which the model was calibrated on. Hosts are ordered by the lower end of their interval."
)


def page(report: Report) -> str:
    """Return the report as HTML. The same figures give the same bytes."""
    scan = report.scan
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    parts = [
        _HEAD.format(title=markup(f"Scan {scan['name']}"), style=style),
        f"<h1>Scan {markup(scan['name'])}</h1>\n",
        _paragraph(
            f"{scan['scan_id']}, {scan['started_at']} to {scan['finished_at'] or '(not ended)'} (UTC)"
            + (f", policy {scan['policy']}" if scan["policy"] else ""),
            "small",
        ),
        _summary(report),
        *(_paragraph(each.sentence(), "alarm") for each in report.drift if each.alarm),
        _tags(report),
        _reasons(report),
        _estimated(report),
        _counts("Rejects by reason", "reason", report.totals["rejects_by_reason"]),
        _counts("Without text of their own", "kind", report.totals["skipped_by_kind"]),
        _left_out(report),
        _lineage(report),
        _counts("What looked at the records", "part", report.versions, "version"),
        _paragraph(_CAUTION, "small"),
        "</body>\n</html>\n",
    ]
    return "".join(parts)


def _summary(report: Report) -> str:
    totals = report.totals
    rejects, skipped = sum(totals["rejects_by_reason"].values()), sum(totals["skipped_by_kind"].values())
    return _paragraph(
        f"{_counted(totals['records'], 'record')}, {_counted(rejects, 'reject')} and "
        f"{_counted(skipped, 'unit')} without text of their own, "
        f"from {_counted(totals['sources'], 'source')} ({totals['bytes']:,} bytes)"
        + (f"; {_counted(len(report.left_out), 'source')} left out" if report.left_out else "")
    )


def _tags(report: Report) -> str:
    sums = {
        tag: tuple(sum(row[unit] for row in report.tags if row["tag"] == tag) for unit in ("records", "words"))
        for tag in TAGS
    }
    records, words = (sum(counts) for counts in zip(*sums.values(), strict=True))
    bar = "".join(
        f'<div class="{tag}" style="width: {100 * count / records:.2f}%" title="{tag}"></div>'
        for tag, (count, _) in sums.items()
        if count
    )
    rows = [
        (tag, f"{count:,}", _percent(count, records), f"{in_words:,}", _percent(in_words, words))
        for tag, (count, in_words) in sums.items()
    ]
    return (
        _heading("Tags")
        + (f'<div class="bar">{bar}</div>\n' if bar else "")
        + _table(("tag", "records", "share", "words", "share of words"), rows, numbers=(1, 2, 3, 4))
    )


def _reasons(report: Report) -> str:
    rows = [(row["tag"], row["reason"], f"{row['records']:,}", f"{row['words']:,}") for row in report.tags]
    return _heading("Reasons") + _table(("tag", "reason", "records", "words"), rows, numbers=(2, 3)) if rows else ""


def _estimated(report: Report) -> str:
    if report.estimate is None:
        return _heading("Estimated share of synthetic text") + _paragraph(f"There is no estimate: {report.no_estimate}")
    heads = ("", "records", "decided", "from style", "not estimated", "synthetic", "of words", "tags right")
    piles = (report.estimate.total, *report.estimate.piles)
    more = report.estimate.left_out
    return (
        _heading("Estimated share of synthetic text, and the hosts that surely have the most")
        + _table(heads, map(_pile, piles), numbers=range(1, 5))
        + _paragraph(
            "In brackets, 95 % intervals. Tags right: of the records that style tags synthetic, the expected share "
            "that is. "
            + (
                f"Not shown: {_counted(more, 'host')} with shares not as surely high, or with too few texts. "
                if more
                else ""
            )
            + " ".join(each.sentence() for each in report.drift if not each.alarm),
            "small",
        )
    )


def _pile(pile: Pile) -> Sequence[str]:
    return (
        pile.name,
        *(f"{n:,}" for n in (pile.records, sum(pile.decided.values()), pile.scored, sum(pile.not_estimated.values()))),
        *(_share(share) for share in (pile.synthetic, pile.synthetic_words, pile.right)),
    )


def _left_out(report: Report) -> str:
    if not report.left_out:
        return ""
    rows = [(source["uri"], source["error"]) for source in report.left_out[:MOST_NODES]]
    return (
        _heading("Sources left out")
        + _table(("source", "why"), rows)
        + _more(len(report.left_out) - MOST_NODES, "source")
    )


def _lineage(report: Report) -> str:
    text = ""
    if report.reference_sets:
        rows = [
            (row["name"], row["label"], row["model"] or "", f"{row['records']:,}", row["set_id"])
            for row in report.reference_sets[:MOST_NODES]
        ]
        text += _heading("Shares text with") + _table(("set", "label", "model", "records", "id"), rows, numbers=(3,))
        text += _more(len(report.reference_sets) - MOST_NODES, "set")
    if report.descendants:
        nodes = [
            (node["kind"].replace("_", " "), node["name"], f"{node['distance']:,}", node["id"])
            for node in report.descendants[:MOST_NODES]
        ]
        text += _heading("What came from it") + _table(("kind", "name", "steps", "id"), nodes, numbers=(2,))
        text += _more(len(report.descendants) - MOST_NODES, "node")
    return text


def _counts(title: str, head: str, counts: Mapping[str, Any], what: str = "count") -> str:
    if not counts:
        return ""
    rows = [(name, f"{value:,}" if isinstance(value, int) else value) for name, value in counts.items()]
    return _heading(title) + _table((head, what), rows, numbers=(1,) if what == "count" else ())


def _heading(text: str) -> str:
    return f"<h2>{markup(text)}</h2>\n"


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{markup(text)}</p>\n' if kind else f"<p>{markup(text)}</p>\n"


def _more(count: int, what: str) -> str:
    return _paragraph(f"And {_counted(count, f'other {what}')}.", "small") if count > 0 else ""


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> str:
    right = set(numbers)

    def line(cells: Sequence[object], kind: str) -> str:
        return "".join(
            f'<{kind} class="number">{markup(cell)}</{kind}>' if place in right else f"<{kind}>{markup(cell)}</{kind}>"
            for place, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{line(heads, 'th')}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def _percent(count: int, whole: int) -> str:
    return f"{100 * count / whole:.1f} %" if whole else ""


def _share(share: ShareOf | None) -> str:
    return "" if share is None else f"{100 * share.share:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
