"""The families' file: a table of weights behind a JSON header, audited as the style model's file is.

Layout: 8 bytes magic, the header's length as ``<u8``, the header (UTF-8 JSON, sorted keys), the alphabet, the table
(row by row), SHA-256 of all that precedes. Reading compares magic, lengths, checksum, shapes and ranges, and executes
nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from provenance import bounded
from provenance.classifier.alphabet import TABLE_SIZE
from provenance.classifier.modelfile import seal, unseal
from provenance.errors import ModelError

MAGIC: Final = b"PVFAMLY1"
MAX_BYTES: Final = 32 << 20
MOST_FAMILIES: Final = 32


@dataclass(frozen=True)
class FamilyArrays:
    """Everything that attribution by style is made of.

    Attributes:
        symbols: ``uint8[TABLE_SIZE]``, the alphabet.
        weights: ``int8[2 ** (bits + 1), families]``: a bucket's weight for every family, characters first.
        names: The families, in the order of the table's columns.
        scales: For each family the size of a weight step for characters and words, and the intercept.
        bits: log2 of the buckets of each block.
        window: Most symbols scored together.
        temperature: What margins are divided by before they become shares of confidence.
        threshold: Least confidence that a family is named at.
        steps: Ascending confidences, and how often a family named with each was right: the score that is shown.
        fewest_words: Least words of a text that a family is named for.
        languages: ISO codes of the languages that it was trained on.
        card: What it was trained on and how it did; shown, never acted on.
    """

    symbols: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.int8]
    names: tuple[str, ...]
    scales: tuple[tuple[float, float, float], ...]
    bits: int
    window: int
    temperature: float
    threshold: float
    steps: tuple[tuple[float, float], ...]
    fewest_words: int
    languages: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)


_PLAIN: Final = (
    "names",
    "scales",
    "bits",
    "window",
    "temperature",
    "threshold",
    "steps",
    "fewest_words",
    "languages",
    "card",
)


def encode(arrays: FamilyArrays) -> bytes:
    """The file's bytes; equal arrays give equal bytes."""
    header = {name: getattr(arrays, name) for name in _PLAIN}
    return seal(MAGIC, header, [arrays.symbols, arrays.weights])


def decode(content: bytes, place: str) -> FamilyArrays:
    """Audit and read a file's bytes.

    Args:
        content: The whole file.
        place: Named in errors.

    Raises:
        ModelError: Damaged, of another version, or with values that no training gives.
    """

    def refuse(cause: str) -> ModelError:
        return ModelError(
            f"This is no usable table of families: {cause}",
            place=place,
            next_step="Reinstall the package for the one that ships with it",
        )

    try:
        return _build(*unseal(content, MAGIC, MAX_BYTES))
    except (LookupError, TypeError, ArithmeticError, AttributeError, ValueError, RecursionError) as error:
        raise refuse(str(error) or type(error).__name__) from None


def _build(header: Any, payload: bytes) -> FamilyArrays:
    bits, window, fewest_words = header["bits"], header["window"], header["fewest_words"]
    _require(type(bits) is int and 8 <= bits <= 22, "bits out of range")
    _require(type(window) is int and 64 <= window <= 1 << 20, "window out of range")
    _require(type(fewest_words) is int and 0 < fewest_words <= 1 << 20, "fewest words out of range")
    names = _texts(header["names"])
    _require(2 <= len(names) <= MOST_FAMILIES, "too few or too many families")
    scales = tuple(_numbers(entry) for entry in header["scales"])
    _require(len(scales) == len(names) and all(len(entry) == 3 for entry in scales), "it needs three scales a family")
    temperature, threshold = _numbers([header["temperature"], header["threshold"]])
    _require(temperature > 0.0 and 0.0 <= threshold <= 1.0, "temperature or threshold out of range")
    steps = tuple(_numbers(entry) for entry in header["steps"])
    _require(len(steps) > 0 and all(len(entry) == 2 for entry in steps), "a table of scores of unequal columns")
    _require(len({entry[0] for entry in steps}) == len(steps), "a confidence stands twice")
    _require([entry[0] for entry in steps] == sorted(entry[0] for entry in steps), "confidences not ascending")
    _require(
        [entry[1] for entry in steps] == sorted(entry[1] for entry in steps), "scores that fall with the confidence"
    )
    _require(all(0.0 <= value <= 1.0 for entry in steps for value in entry), "a score outside [0, 1]")
    _require(isinstance(header["card"], dict), "no card")
    cells = (2 << bits) * len(names)
    _require(len(payload) == TABLE_SIZE + cells, "its arrays are cut short or too long")
    return FamilyArrays(
        symbols=np.frombuffer(payload, np.uint8, TABLE_SIZE),
        weights=np.frombuffer(payload, np.int8, cells, TABLE_SIZE).reshape(-1, len(names)),
        names=names,
        scales=tuple((entry[0], entry[1], entry[2]) for entry in scales),
        bits=bits,
        window=window,
        temperature=temperature,
        threshold=threshold,
        steps=tuple((entry[0], entry[1]) for entry in steps),
        fewest_words=fewest_words,
        languages=_texts(header["languages"]),
        card=header["card"],
    )


def _texts(values: Any) -> tuple[str, ...]:
    _require(isinstance(values, list) and all(isinstance(value, str) and value for value in values), "texts expected")
    _require(len(set(values)) == len(values), "a name stands twice")
    return tuple(values)


def _numbers(values: Any) -> tuple[float, ...]:
    _require(isinstance(values, list) and all(type(value) in {int, float} for value in values), "numbers expected")
    _require(all(math.isfinite(value) for value in values), "a number that is not finite")
    return tuple(float(value) for value in values)


def _require(condition: bool, cause: str) -> None:
    if not condition:
        raise ValueError(cause)


def read(path: Path) -> FamilyArrays:
    """Read and audit a file.

    Raises:
        ModelError: It can't be read, or is no usable table of families.
    """
    try:
        content = bounded.read(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ModelError(
            f"The table of families can't be read: {cause}", place=str(path), next_step="Check the path"
        ) from None
    return decode(content, str(path))
