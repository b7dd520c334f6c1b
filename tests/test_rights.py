"""Licences and reservations become short stable codes."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from provenance import rights, schema


def observe(*declarations: tuple[str, str, str]) -> dict:
    rows = [{"where": where, "name": name, "value": value} for where, name, value in declarations]
    batch = pa.record_batch({"declarations": pa.array([[], rows], pa.list_(schema.DECLARATION))})
    found = rights.observe(batch)
    assert found.type == schema.RIGHTS
    empty, mine = found.to_pylist()
    assert empty == {"licence": None, "opt_out": []}
    return mine


@pytest.mark.parametrize(
    ("declaration", "licence"),
    [
        (("link", "license", "https://creativecommons.org/licenses/by-sa/4.0/deed.de"), "CC-BY-SA-4.0"),
        (("link", "license", "http://creativecommons.org/publicdomain/zero/1.0/"), "CC0-1.0"),
        (("link", "license", "https://www.gnu.org/licenses/fdl-1.3.html"), "https://www.gnu.org/licenses/fdl-1.3.html"),
        (("meta", "dcterms.license", "CC BY-NC 3.0"), "CC-BY-NC-3.0"),
        (("card", "license", "cc-by-4.0"), "CC-BY-4.0"),
        (("card", "license", "cc0-1.0"), "CC0-1.0"),
        (("field", "metadata.license", "mit"), "mit"),
        (("http", "link", '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'), "CC-BY-4.0"),
        (
            (
                "jsonld",
                "ld+json",
                json.dumps(
                    {"@graph": [{"@type": "Article", "license": "https://creativecommons.org/licenses/by-nd/2.0/"}]}
                ),
            ),
            "CC-BY-ND-2.0",
        ),
        (
            (
                "jsonld",
                "ld+json",
                json.dumps({"@type": "ImageObject", "license": "https://creativecommons.org/licenses/by/2.0/"}),
            ),
            None,
        ),
        (("jsonld", "ld+json", '{"license": ' + "[" * 50_000), None),
        (("field", "driving_licences", "B"), None),
    ],
)
def test_licences(declaration: tuple[str, str, str], licence: str | None) -> None:
    assert observe(declaration)["licence"] == licence


def test_what_the_page_itself_says_outranks_the_data_set() -> None:
    said = observe(("card", "license", "odc-by"), ("link", "license", "https://creativecommons.org/licenses/by/4.0/"))
    assert said["licence"] == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("declaration", "codes"),
    [
        (("meta", "robots", "index, follow, noai, noimageai"), ["noai", "noimageai"]),
        (("http", "x-robots-tag", "otherbot: noindex, noai"), ["noai"]),
        (("meta", "robots", "noindex"), []),
        (("meta", "description", "we are noai"), []),
        (("http", "tdm-reservation", "1"), ["tdm-reservation"]),
        (("meta", "tdm-reservation", "0"), []),
        (("http", "content-usage", "train-ai=n, search=y"), ["aipref:train-ai"]),
        (("meta", "gptbot", "noindex"), ["agent:gptbot"]),
    ],
)
def test_reservations(declaration: tuple[str, str, str], codes: list[str]) -> None:
    assert observe(declaration)["opt_out"] == codes
