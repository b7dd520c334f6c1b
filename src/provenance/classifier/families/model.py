"""Attribution by style: the family that a text is most like, or none where the table is not sure.

It answers which family *if* the text is synthetic: whether it is, the style model says. A family named by style is a
likeness for a person to read; it makes no edge in the lineage and takes no part in a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.families import modelfile
from provenance.classifier.families.modelfile import FamilyArrays
from provenance.classifier.families.names import OTHER
from provenance.text.buffers import string_buffers

DEFAULT_NAME: Final = "families.model"
MOST_P_HUMAN: Final = 0.05
"""Largest ``p_human`` of a text that a family is looked for: the rest does not look synthetic, and costs nothing."""
_ROOM: Final = 16


@dataclass(frozen=True)
class FamilyModel:
    """Names families.

    Attributes:
        arrays: Weights, alphabet and calibration.
        version: Changes whenever any byte of the file does.
    """

    arrays: FamilyArrays
    version: str

    @classmethod
    def load(cls, path: Path | None = None) -> FamilyModel:
        """Load a file; without a path, the one that ships with the package (once for each process).

        Raises:
            ModelError: The file is missing, damaged or of another version.
        """
        return _shipped() if path is None else cls.of(modelfile.read(path))

    @classmethod
    def of(cls, arrays: FamilyArrays) -> FamilyModel:
        """A model of arrays at hand, as training makes them."""
        return cls(arrays, f"families-1-{hashlib.sha256(modelfile.encode(arrays)).hexdigest()[:12]}")

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(modelfile.encode(self.arrays))

    def shares(self, texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
        """Confidence in every family for every text, ``float64[texts, families]``; a text's sum to one."""
        return confidence(self.margins(texts), self.arrays.temperature)

    def margins(self, texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
        """Linear score of every family for every text, ``float64[texts, families]``."""
        from provenance.classifier.families.kernel import family_margins

        arrays = self.arrays
        values, offsets = string_buffers(texts)
        result = np.zeros((len(texts), len(arrays.names)))
        if len(texts):
            room = np.empty(2 * int(np.diff(offsets).max()) + _ROOM, np.uint8)
            scales = np.array(arrays.scales)
            family_margins(
                values, offsets, arrays.symbols, arrays.window, arrays.bits, arrays.weights, scales, room, result
            )
        return result

    def attribute(self, texts: pa.LargeStringArray) -> tuple[list[str | None], npt.NDArray[np.float64]]:
        """The family that each text is most like, and how far to believe it.

        Args:
            texts: Texts that look synthetic, in one of the table's languages and of at least its fewest words.

        Returns:
            For each text a family or ``base``, None where the confidence is below the threshold or the text is most
            like a line of models that is not told by name. And a score, NaN where there is no family: how often a
            family named with this confidence was right when half of the texts were of a kind that training had seen
            and half of one that it had not.
        """
        shares = self.shares(texts)
        best = shares.argmax(axis=1)
        certain = shares[np.arange(len(shares)), best]
        families: list[str | None] = [
            name if name != OTHER and value >= self.arrays.threshold else None
            for name, value in zip((self.arrays.names[number] for number in best), certain, strict=True)
        ]
        steps = np.array(self.arrays.steps)
        score: npt.NDArray[np.float64] = np.interp(certain, steps[:, 0], steps[:, 1])
        score[[family is None for family in families]] = np.nan
        return families, score


@cache
def _shipped() -> FamilyModel:
    content = files("provenance.classifier").joinpath("data", DEFAULT_NAME).read_bytes()
    place = f"provenance/classifier/data/{DEFAULT_NAME}"
    arrays = modelfile.decode(content, place)
    return FamilyModel(arrays, f"families-1-{hashlib.sha256(content).hexdigest()[:12]}")


def confidence(margins: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Shares of confidence from margins: their softmax at a temperature."""
    scaled = margins / temperature
    powers: npt.NDArray[np.float64] = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def columns(
    texts: pa.LargeStringArray,
    languages: Sequence[str] | pa.Array,
    words: Sequence[int] | npt.NDArray[np.integer[Any]],
    p_human: npt.NDArray[np.float64],
) -> tuple[pa.Array, pa.Array]:
    """``attributed_family`` and ``attribution_score`` of a batch that the style model has judged.

    Args:
        texts: Texts with case and punctuation.
        languages: ISO code of each.
        words: Tokens of each.
        p_human: Of each; above `MOST_P_HUMAN`, or NaN, no family is looked for.

    Returns:
        Both columns of `schema.STYLE`, null where no family is named.
    """
    count = len(texts)
    chosen = np.flatnonzero(p_human <= MOST_P_HUMAN)
    if not len(chosen):
        return pa.nulls(count, pa.string()), pa.nulls(count, pa.float64())
    model = FamilyModel.load()
    language_of = languages.to_pylist() if isinstance(languages, pa.Array) else languages
    spoken = [language_of[row] in model.arrays.languages for row in chosen.tolist()]
    chosen = chosen[spoken & (np.asarray(words, np.int64)[chosen] >= model.arrays.fewest_words)]
    families: list[str | None] = [None] * count
    score = np.full(count, np.nan)
    named, score[chosen] = model.attribute(texts.take(pa.array(chosen)))
    for row, family in zip(chosen.tolist(), named, strict=True):
        families[row] = family
    return pa.array(families, pa.string()), pa.array(score, pa.float64(), mask=np.isnan(score))
