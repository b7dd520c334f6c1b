"""The style model's file: arrays behind a JSON header, audited before anything is believed.

Layout: 8 bytes magic, the header's length as ``<u8``, the header (UTF-8 JSON, sorted keys), the arrays one after
another (little-endian, C order), SHA-256 of all that precedes. Reading compares magic, lengths, checksum, names,
types, shapes and ranges, and executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from provenance import bounded
from provenance.classifier.alphabet import TABLE_SIZE
from provenance.classifier.populations import Population, as_header, from_header
from provenance.errors import ModelError

MAGIC: Final = b"PVSTYLE2"
MAX_BYTES: Final = 64 << 20
_DIGEST_BYTES: Final = 32
MOST_EXPERTS: Final = 3
"""As many weights as stand in one cell of the scoring kernel's table."""
LONGEST_WINDOW: Final = 2_700
"""Symbols: the sums of a longer window could overflow."""
_DTYPES: Final = {"symbols": "uint8", "weights": "int8"}


@dataclass(frozen=True)
class Bin:
    """Calibration of one language and range of lengths.

    Attributes:
        language: ISO code.
        words_from: Fewest words.
        words_below: One more than the most words; 0 for no limit.
        slope: Log-odds per unit of margin.
        offset: Log-odds at margin 0.
        human_margins: Ascending margins of the ``p_human`` steps.
        human_p: Non-increasing: bound of the share of human text with at least that margin.
        synthetic_margins: Ascending margins of the ``p_synthetic`` steps.
        synthetic_p: Non-decreasing: bound of the share of synthetic text with at most that margin.
        documents: Calibration documents, human and synthetic.
    """

    language: str
    words_from: int
    words_below: int
    slope: float
    offset: float
    human_margins: tuple[float, ...]
    human_p: tuple[float, ...]
    synthetic_margins: tuple[float, ...]
    synthetic_p: tuple[float, ...]
    documents: tuple[int, int]

    @property
    def name(self) -> str:
        """Such as ``en:100-199`` or ``en:400+``."""
        upper = f"-{self.words_below - 1}" if self.words_below else "+"
        return f"{self.language}:{self.words_from}{upper}"


@dataclass(frozen=True)
class ModelArrays:
    """Everything a style model is made of.

    Attributes:
        symbols: ``uint8[TABLE_SIZE]``, the alphabet.
        weights: ``int8[experts, 2 ** (bits + 1)]``, of each expert the weights of character buckets, then of word
            buckets.
        bits: log2 of the buckets of each block.
        window: Most symbols scored together.
        scales: Of each expert the size of a weight step for characters and for words, and the intercept.
        bins: Calibration.
        card: What the model was trained on and how; shown, never acted on.
        populations: How the scores of known sets are spread, from which shares are estimated.
    """

    symbols: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.int8]
    bits: int
    window: int
    scales: tuple[tuple[float, float, float], ...]
    bins: tuple[Bin, ...]
    card: dict[str, Any] = field(default_factory=dict)
    populations: tuple[Population, ...] = ()


def encode(model: ModelArrays) -> bytes:
    """The file's bytes; equal models give equal bytes."""
    arrays = {"symbols": model.symbols, "weights": model.weights}
    header = {
        "arrays": [{"name": name, "dtype": _DTYPES[name], "shape": list(arrays[name].shape)} for name in arrays],
        "bins": [vars(bin_) for bin_ in model.bins],
        "bits": model.bits,
        "card": model.card,
        "populations": as_header(model.populations),
        "scales": [list(scale) for scale in model.scales],
        "window": model.window,
    }
    return seal(MAGIC, header, list(arrays.values()))


def seal(magic: bytes, header: dict[str, Any], arrays: Sequence[npt.NDArray[Any]]) -> bytes:
    """Put a header and arrays into the layout of a model file, with its checksum."""
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    body = magic + len(text).to_bytes(8, "little") + text
    body += b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return body + hashlib.sha256(body).digest()


def unseal(content: bytes, magic: bytes, most: int) -> tuple[Any, bytes]:
    """Return the header and the bytes of the arrays, once mark, lengths and checksum are found right.

    Raises:
        ValueError: With what is wrong.
    """
    _require(content[: len(magic)] == magic, "it does not begin with the mark of one of this version")
    start = len(magic) + 8
    _require(start + _DIGEST_BYTES <= len(content) <= most, "its size is out of range")
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    _require(hashlib.sha256(body).digest() == digest, "its checksum does not fit its content")
    size = int.from_bytes(body[len(magic) : start], "little")
    _require(size <= len(body) - start, "its header is longer than the file")
    return json.loads(body[start : start + size]), body[start + size :]


def decode(content: bytes, place: str) -> ModelArrays:
    """Audit and read a file's bytes.

    Args:
        content: The whole file.
        place: Named in errors.

    Raises:
        ModelError: Damaged, of another version, or with values that no training gives.
    """

    def refuse(cause: str) -> ModelError:
        return ModelError(
            f"This is no usable style model: {cause}",
            place=place,
            next_step="Train one with `provenance train`, or reinstall the package for the one that ships with it",
        )

    try:
        return _build(*unseal(content, MAGIC, MAX_BYTES))
    except (LookupError, TypeError, ArithmeticError, AttributeError, ValueError, RecursionError) as error:
        raise refuse(str(error) or type(error).__name__) from None


def _build(header: Any, payload: bytes) -> ModelArrays:
    bits, window = header["bits"], header["window"]
    _require(type(bits) is int and 8 <= bits <= 24, "bits out of range")
    _require(type(window) is int and 64 <= window <= LONGEST_WINDOW, "window out of range")
    scales = tuple(_scale(entry) for entry in header["scales"])
    experts = len(scales)
    _require(1 <= experts <= MOST_EXPERTS, "too many experts, or none")
    expected = [
        {"name": "symbols", "dtype": "uint8", "shape": [TABLE_SIZE]},
        {"name": "weights", "dtype": "int8", "shape": [experts, 2 << bits]},
    ]
    _require(header["arrays"] == expected, "arrays of another name, type or shape")
    _require(len(payload) == TABLE_SIZE + experts * (2 << bits), "its arrays are cut short or too long")
    bins = tuple(_bin(entry) for entry in header["bins"])
    _require(len({bin_.name for bin_ in bins}) == len(bins), "two bins of one name")
    _require(isinstance(header["card"], dict), "no card")
    symbols = np.frombuffer(payload, np.uint8, TABLE_SIZE)
    weights = np.frombuffer(payload, np.int8, experts * (2 << bits), TABLE_SIZE).reshape(experts, 2 << bits)
    populations = from_header(header["populations"], [bin_.name for bin_ in bins])
    return ModelArrays(symbols, weights, bits, window, scales, bins, header["card"], populations)


def _scale(entry: Any) -> tuple[float, float, float]:
    numbers = _numbers(entry)
    _require(len(numbers) == 3, "an expert needs three scales")
    return numbers[0], numbers[1], numbers[2]


def _bin(entry: Any) -> Bin:
    human_margins, human_p = _numbers(entry["human_margins"]), _numbers(entry["human_p"])
    synthetic_margins, synthetic_p = _numbers(entry["synthetic_margins"]), _numbers(entry["synthetic_p"])
    for margins, values in ((human_margins, human_p), (synthetic_margins, synthetic_p)):
        _require(len(margins) == len(values) > 0, "a calibration table of unequal columns")
        _require(list(margins) == sorted(set(margins)), "calibration margins not ascending")
        _require(all(0.0 < value <= 1.0 for value in values), "a p-value outside (0, 1]")
    _require(list(human_p) == sorted(human_p, reverse=True), "p_human rises with the score")
    _require(list(synthetic_p) == sorted(synthetic_p), "p_synthetic falls with the score")
    language, first, below = entry["language"], entry["words_from"], entry["words_below"]
    _require(isinstance(language, str) and language.isalpha() and language.islower(), "a bin without language")
    _require(type(first) is int and type(below) is int and first > 0 and (below == 0 or below > first), "bin limits")
    slope, offset = _numbers([entry["slope"], entry["offset"]])
    _require(slope > 0, "a falling calibration line")
    human, synthetic = entry["documents"]
    _require(type(human) is int and type(synthetic) is int, "document counts")
    return Bin(
        language,
        first,
        below,
        slope,
        offset,
        human_margins,
        human_p,
        synthetic_margins,
        synthetic_p,
        (human, synthetic),
    )


def _numbers(values: Any) -> tuple[float, ...]:
    _require(isinstance(values, list) and all(type(value) in {int, float} for value in values), "numbers expected")
    _require(all(math.isfinite(value) for value in values), "a number that is not finite")
    return tuple(float(value) for value in values)


def _require(condition: bool, cause: str) -> None:
    if not condition:
        raise ValueError(cause)


def read(path: Path) -> ModelArrays:
    """Read and audit a model file.

    Raises:
        ModelError: It can't be read, or is no usable model.
    """
    try:
        content = bounded.read(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ModelError(
            f"The style model can't be read: {cause}", place=str(path), next_step="Check the path"
        ) from None
    return decode(content, str(path))


def checksum(model: ModelArrays) -> str:
    """Hex SHA-256 of the model's file."""
    return hashlib.sha256(encode(model)).hexdigest()
