"""A loaded style model: calibrated scores where it is calibrated, silence elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance import schema
from provenance.classifier import modelfile
from provenance.classifier.families.model import columns as attributed
from provenance.classifier.features import margins
from provenance.classifier.modelfile import Bin, ModelArrays

DEFAULT_NAME: Final = "style.model"


@dataclass(frozen=True)
class StyleModel:
    """Judges the style of texts.

    Attributes:
        arrays: Weights, alphabet and calibration tables.
        version: Changes whenever any byte of the model does.
    """

    arrays: ModelArrays
    version: str

    @classmethod
    def load(cls, path: Path | None = None) -> StyleModel:
        """Load a model file; without a path, the one that ships with the package.

        Raises:
            ModelError: The file is missing, damaged or of another version.
        """
        if path is None:
            content = files("provenance.classifier").joinpath("data", DEFAULT_NAME).read_bytes()
            return cls.of(modelfile.decode(content, f"provenance/classifier/data/{DEFAULT_NAME}"))
        return cls.of(modelfile.read(path))

    @classmethod
    def of(cls, arrays: ModelArrays) -> StyleModel:
        """A model of arrays at hand, as training makes them."""
        return cls(arrays, f"style-2-{modelfile.checksum(arrays)[:12]}")

    def save(self, path: Path) -> None:
        """Write the model file."""
        path.write_bytes(modelfile.encode(self.arrays))

    @property
    def card(self) -> dict[str, Any]:
        """What the model was trained on, and how."""
        return self.arrays.card

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it is calibrated for."""
        return tuple(sorted({bin_.language for bin_ in self.arrays.bins}))

    def score(self, texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
        """Calibrated log-odds of synthetic at equal priors, that is the natural-log likelihood ratio.

        Unlike `judge` it never abstains: below the shortest calibrated length, and in languages without calibration,
        the nearest bin's line is used, and the number only ranks.

        Args:
            texts: Texts with case and punctuation; null reads as empty.

        Returns:
            One finite number for each text.
        """
        raw, words = margins(self.arrays, texts)
        slopes, offsets = np.ones(len(raw)), np.zeros(len(raw))
        for order, bin_ in enumerate(sorted(self.arrays.bins, key=lambda bin_: bin_.words_from)):
            here = words >= (bin_.words_from if order else 0)
            slopes[here], offsets[here] = bin_.slope, bin_.offset
        return slopes * raw + offsets

    def judge(
        self,
        texts: pa.LargeStringArray,
        languages: Sequence[str],
        words: Sequence[int] | npt.NDArray[np.integer[Any]],
        text_kinds: Sequence[str],
    ) -> pa.RecordBatch:
        """Scores and p-values, null where the model has no calibration to stand on.

        It abstains in other languages, outside the calibrated lengths, and on whatever is not prose.

        Args:
            texts: Texts with case and punctuation.
            languages: ISO code of each.
            words: Tokens of the folded text of each.
            text_kinds: `schema.TEXT_KINDS` of each.

        Returns:
            A batch of `schema.STYLE`. ``p_human`` is the upper bound of the share of known human text that scores at
            least this high, ``p_synthetic`` of known synthetic text that scores this low or lower.
        """
        count = len(texts)
        lengths = np.asarray(words, np.int64)
        language_of = np.array(languages, dtype=object)
        prose = np.array(text_kinds, dtype=object) == "prose"
        score, p_human, p_synthetic = np.zeros(count), np.ones(count), np.ones(count)
        names: list[str | None] = [None] * count
        rows_of = []
        for bin_ in self.arrays.bins:
            below = bin_.words_below or np.iinfo(np.int64).max
            inside = prose & (language_of == bin_.language) & (lengths >= bin_.words_from) & (lengths < below)
            rows_of.append(np.flatnonzero(inside))
        judged = np.sort(np.concatenate([np.zeros(0, np.int64), *rows_of]))
        raw = np.zeros(count)
        if len(judged):
            raw[judged] = margins(self.arrays, texts if len(judged) == count else texts.take(pa.array(judged)))[0]
        for bin_, rows in zip(self.arrays.bins, rows_of, strict=True):
            score[rows] = bin_.slope * raw[rows] + bin_.offset
            p_human[rows], p_synthetic[rows] = p_values(bin_, raw[rows])
            for row in rows.tolist():
                names[row] = bin_.name
        silent = np.ones(count, bool)
        silent[judged] = False
        columns = [pa.array(values, pa.float64(), mask=silent) for values in (score, p_human, p_synthetic)]
        columns += [pa.array(names, pa.string()), *attributed(texts, languages, lengths, p_human)]
        return pa.RecordBatch.from_arrays(columns, schema=schema.STYLE)


def p_values(bin_: Bin, raw: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Look up both p-values; between two steps the larger, so that the bound holds.

    Args:
        bin_: The calibration bin.
        raw: Margins.

    Returns:
        ``p_human`` and ``p_synthetic``.
    """
    human = np.concatenate([[1.0], bin_.human_p])[np.searchsorted(bin_.human_margins, raw, side="right")]
    synthetic = np.concatenate([bin_.synthetic_p, [1.0]])[np.searchsorted(bin_.synthetic_margins, raw, side="left")]
    return human, synthetic
