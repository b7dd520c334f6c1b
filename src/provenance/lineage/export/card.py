"""A Hugging Face dataset card: YAML front matter and what a reader wants to know of a dataset's origin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from provenance.escapes import code_span, markdown
from provenance.lineage.export.described import DescribedDataset

_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGER: Final = (
    *((10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B")),
    *((10_000_000_000, "1B<n<10B"), (100_000_000_000, "10B<n<100B"), (1_000_000_000_000, "100B<n<1T")),
)


def to_card(dataset: DescribedDataset, *, licence: str | None = None) -> str:
    """Return a dataset's card as Markdown.

    Args:
        dataset: What is known of it.
        licence: Identifier of the licence that its publisher gives it, as the hub spells it; ``unknown`` without one.
    """
    size = next((name for limit, name in (*_SIZES, *_LARGER) if dataset.records < limit), "n>1T")
    creators = [
        said
        for tag, said in (("human", "found"), ("synthetic", "machine-generated"))
        if dataset.tags.get(tag, (0, 0))[0]
    ]
    front = [
        "---",
        f"pretty_name: {json.dumps(dataset.name, ensure_ascii=False)}",
        f"license: {json.dumps(licence or 'unknown')}",
        *_listed(
            "language", [code for code in dataset.languages if re.fullmatch(r"[a-z]{2,3}", code) and code != "und"]
        ),
        *_listed("language_creators", creators),
        *_listed("size_categories", [size]),
        *_listed("tags", ["provenance"]),
        "---",
    ]
    body = [
        f"# {markdown(dataset.name)}",
        "",
        dataset.summary,
        "",
        *_table(
            ("tag", "records", "words"),
            [(tag, f"{records:,}", f"{words:,}") for tag, (records, words) in sorted(dataset.tags.items())],
        ),
        f"Tags are computed under the policy {code_span(dataset.policy)}; `unknown` is never counted as human.",
        "",
        *_section("What decided", ("reason", "records"), dataset.reasons),
        *_section("Text verified as a model's", ("model", "words"), dataset.models),
        *_section("Languages", ("language", "records"), dataset.languages),
        *_section("Licences that records name", ("licence", "records"), dataset.licences),
        f"{dataset.opt_out:,} records reserve their rights against text and data mining.",
        "",
        "## Origin",
        "",
        *_table(("relation", "kind", "name"), dataset.origins),
        f"Sealed {dataset.sealed_at}; digest over the record ids: `{dataset.digest or 'none'}`.",
        "",
    ]
    return "\n".join([*front, "", *body])


def _listed(key: str, values: Sequence[str]) -> list[str]:
    return [f"{key}:", *(f"- {json.dumps(value)}" for value in values)] if values else []


def _section(title: str, names: tuple[str, str], counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    return [f"## {title}", "", *_table(names, [(name, f"{count:,}") for name, count in counts.items()])]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(markdown(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *lines, ""] if lines else []
