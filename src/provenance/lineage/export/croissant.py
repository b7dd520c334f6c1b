"""Croissant 1.1 (MLCommons): what a dataset holds, as JSON-LD that search engines and loaders read."""

from __future__ import annotations

from typing import Any, Final

from provenance.lineage.export.described import DataFile, DescribedDataset

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"

_TERMS: Final = (
    *(
        "annotation",
        "arrayShape",
        "citeAs",
        "column",
        "containedIn",
        "equivalentProperty",
        "excludes",
        "extract",
        "field",
    ),
    *(
        "fileObject",
        "fileProperty",
        "fileSet",
        "format",
        "includes",
        "isArray",
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
    ),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator"),
    *("source", "subField", "transform", "unArchive", "value"),
)

_TYPES: Final = {
    "bool": "sc:Boolean",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
    "int": "sc:Integer",
    "uint": "sc:Integer",
    "float": "sc:Float",
    "double": "sc:Float",
    "halffloat": "sc:Float",
    "decimal": "sc:Float",
}
"""The Croissant type of a column by how the name of its Arrow type begins; all others are text."""


def to_croissant(dataset: DescribedDataset, *, url: str, licence: str | None = None) -> dict[str, Any]:
    """Return a dataset's Croissant description.

    Args:
        dataset: What is known of it.
        url: Its page, or where it lies.
        licence: The licence that its publisher gives it, as a URL or SPDX name; without one the description says
            which licences its records name.
    """
    described: dict[str, Any] = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "@id": url,
        "name": dataset.name,
        "description": dataset.summary,
        "conformsTo": CONFORMS_TO,
        "url": url,
        "datePublished": dataset.sealed_at,
        "license": [licence] if licence else (list(dataset.licences) or ["unknown"]),
        "distribution": [_file(file) for file in dataset.files],
        "recordSet": [_record_set(number, file) for number, file in enumerate(dataset.files) if file.columns],
        "prov:wasDerivedFrom": [
            {"@id": f"urn:provenance:{kind}:{name}", "prov:label": name} for _, kind, name in dataset.origins
        ],
        "rai:dataCollection": f"Tagged under the policy {dataset.policy}.",
        "rai:dataSocialImpact": _origin(dataset),
    }
    if dataset.version:
        described["version"] = dataset.version
    if dataset.digest:
        described["identifier"] = f"xxh3-128:{dataset.digest}"
    return described


def _context() -> dict[str, Any]:
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "prov": "http://www.w3.org/ns/prov#",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        **{term: f"cr:{term}" for term in _TERMS},
    }


def _file(file: DataFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _record_set(number: int, file: DataFile) -> dict[str, Any]:
    name = "records" if number == 0 else f"records-{number}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": column,
                "dataType": _type(arrow),
                "source": {"fileObject": {"@id": file.name}, "extract": _extract(file, column)},
            }
            for column, arrow in file.columns
        ],
    }


def _extract(file: DataFile, column: str) -> dict[str, str]:
    return {"column": column} if "parquet" in file.media_type else {"jsonPath": f"$.{column}"}


def _type(arrow: str) -> str:
    return next((said for begin, said in _TYPES.items() if arrow.startswith(begin)), "sc:Text")


def _origin(dataset: DescribedDataset) -> str:
    synthetic = dataset.tags.get("synthetic", (0, 0))
    models = ", ".join(f"{model} ({words:,} words)" for model, words in dataset.models.items())
    return (
        f"{synthetic[0]:,} records ({synthetic[1]:,} words) are tagged as written by language models; "
        f"text verified as a model's: {models or 'none'}; {dataset.opt_out:,} records reserve their rights."
    )
